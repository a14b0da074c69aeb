// What a leader asks of its in-sync set, and whether it may be: the checks of Kafka's AlterPartition in their order.
// Pure.
#pragma once

#include <variant>

#include "base/error.h"
#include "replication/controller/alter_partition.h"
#include "replication/controller/partition_steps.h"
#include "replication/controller/state.h"

namespace replication {

// A refusal of the whole request.
base::ErrorCode check_sender(const ControllerState& state, const AlterPartition& request);

// Refused; so already; or to be written. `topic` is the one meant by name or id, empty when there is none.
using IsrVerdict = std::variant<base::Error, IsrOutcome, LeadershipChange>;
IsrVerdict judge(const ControllerState& state, base::BrokerId leader, std::string_view topic, const IsrChange& change);

IsrOutcome outcome_of(const PartitionLeadership& leadership);

}  // namespace replication
