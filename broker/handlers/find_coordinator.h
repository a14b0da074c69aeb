// FindCoordinator: which broker coordinates a group or a transactional id.
#pragma once

#include "broker/dispatch/request.h"
#include "broker/internal_topics/creation.h"
#include "broker/network/answers.h"

namespace broker {

// Any loop may call. Outlived by its parts.
class FindCoordinatorHandler {
 public:
  FindCoordinatorHandler(InternalTopics& topics, const replication::MetadataCache& metadata)
      : topics_(topics), metadata_(metadata) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  InternalTopics& topics_;
  const replication::MetadataCache& metadata_;
};

}  // namespace broker
