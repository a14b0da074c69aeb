// AlterPartition as plain values: leaders ask the controller for other in-sync sets, and what it answers. The handler
// of the request and the leaders on the controller's own broker speak these.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "replication/partition/isr_changes.h"

namespace replication {

struct AlterPartition {
  base::BrokerId broker = base::kNoBroker;  // who asks
  std::int64_t broker_epoch = -1;           // in which of its lives
  // Version 2 and later name topics by id alone, earlier ones by name alone: the other is zero or empty. In process
  // both are there. controller_epoch does not travel: 0.
  std::vector<IsrChange> changes{};
};

struct AlterPartitionReply {
  base::ErrorCode code = base::ErrorCode::none;      // of the whole request; then there are no outcomes
  std::vector<base::Result<IsrOutcome>> outcomes{};  // one per change, in their order
};

// How the broker that is the controller asks itself. Any thread may call; the reply is given once, from any thread,
// perhaps inside the call.
using AlterPartitionHere = std::function<void(AlterPartition, std::function<void(AlterPartitionReply)>)>;

}  // namespace replication
