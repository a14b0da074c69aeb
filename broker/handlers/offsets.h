// Committed offsets: OffsetCommit, OffsetFetch, OffsetDelete, TxnOffsetCommit. Between the wire and the coordinator, no
// rules but which partitions exist.
#pragma once

#include "base/clock.h"
#include "broker/dispatch/request.h"
#include "broker/group/coordinator.h"
#include "broker/group/old_offsets.h"
#include "broker/network/answers.h"
#include "broker/transaction/verification.h"
#include "replication/cluster/metadata.h"

namespace broker {

// Any loop may call. Outlived by its parts.
struct OffsetServices {
  GroupCoordinator& groups;
  OldOffsets& old_offsets;
  const TransactionVerification& verification;
  const replication::MetadataCache& metadata;
  const base::Clock& clock;
  std::size_t max_metadata_bytes;  // offset.metadata.max.bytes, for commits of version 0
};

// Of all of them: any loop may call. Outlived by the services.
class OffsetHandler {
 public:
  explicit OffsetHandler(const OffsetServices& services) : services_(services) {}

 protected:
  const OffsetServices& services_;
};

struct OffsetCommitHandler : OffsetHandler {
  using OffsetHandler::OffsetHandler;
  void operator()(Request& request, AnswerSlot answer) const;
};
struct OffsetFetchHandler : OffsetHandler {
  using OffsetHandler::OffsetHandler;
  void operator()(Request& request, AnswerSlot answer) const;
};
struct OffsetDeleteHandler : OffsetHandler {
  using OffsetHandler::OffsetHandler;
  void operator()(Request& request, AnswerSlot answer) const;
};
struct TxnOffsetCommitHandler : OffsetHandler {
  using OffsetHandler::OffsetHandler;
  void operator()(Request& request, AnswerSlot answer) const;
};

}  // namespace broker
