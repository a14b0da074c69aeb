// AllocateProducerIds: brokers ask the controller for blocks of producer ids.
#pragma once

#include <functional>

#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "replication/cluster/metadata.h"
#include "replication/controller/controller.h"
#include "replication/coordination/producer_ids.h"

namespace broker {

// Any loop may call; answers come from the store's loop. Outlived by its parts.
class AllocateProducerIdsHandler {
 public:
  // The next block of the store, for that broker.
  using TakeBlock = std::function<replication::ProducerIdBlocks(base::BrokerId broker)>;

  AllocateProducerIdsHandler(const replication::Controller& controller, const replication::MetadataCache& metadata,
                             TakeBlock take_block)
      : controller_(controller), metadata_(metadata), take_block_(std::move(take_block)) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  base::ErrorCode check(base::BrokerId broker, std::int64_t epoch) const;

  const replication::Controller& controller_;
  const replication::MetadataCache& metadata_;
  const TakeBlock take_block_;
};

}  // namespace broker
