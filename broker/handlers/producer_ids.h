// InitProducerId: a producer id for an idempotent producer.
#pragma once

#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "replication/coordination/producer_ids.h"

namespace broker {

// Any loop may call. Outlived by its parts.
class InitProducerIdHandler {
 public:
  explicit InitProducerIdHandler(replication::ProducerIds& ids) : ids_(ids) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  replication::ProducerIds& ids_;
};

}  // namespace broker
