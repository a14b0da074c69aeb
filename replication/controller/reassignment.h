// Moving replicas (KIP-455): which lists a partition has while it moves, and the steps of its leadership. Pure.
//
//   replicas = target, then those being removed       what the topic node holds
//   target   = replicas - removing                    where they are to be
//   origin   = replicas - adding                      where they were
#pragma once

#include <optional>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "replication/controller/partition_steps.h"
#include "replication/controller/state.h"

namespace replication {

struct ReplicaMove {
  std::vector<base::BrokerId> replicas{};
  std::vector<base::BrokerId> adding{};
  std::vector<base::BrokerId> removing{};

  std::vector<base::BrokerId> target() const;
  std::vector<base::BrokerId> origin() const;
  bool is_under_way() const { return !adding.empty() || !removing.empty(); }
  // From where the replicas were, whatever was going on before.
  ReplicaMove to(const std::vector<base::BrokerId>& target) const;

  bool operator==(const ReplicaMove&) const = default;
};

// Empty when there is no such partition.
ReplicaMove move_of(const TopicNode& topic, base::PartitionIndex partition);
void put_move(TopicNode& topic, base::PartitionIndex partition, const ReplicaMove& move);

// Not empty, nobody twice, no negative ids. In Kafka's words, as is the next.
base::Status check_target(const std::vector<base::BrokerId>& target);
// Whoever is added lives.
base::Status check_added_live(const ControllerState& state, const ReplicaMove& wanted);

// The partition has begun to move, or its move was replaced: those of its replicas that are in no list any more leave,
// and a new epoch makes the others hear of it.
std::optional<LeadershipChange> begin_move(const ControllerState& state, const base::TopicPartition& partition);
// Every replica of the target is in sync.
bool is_complete(const ControllerState& state, const base::TopicPartition& partition);
// The target alone is left, and one of it leads. None: nobody of it can.
std::optional<LeadershipChange> end_move(const ControllerState& state, const base::TopicPartition& partition,
                                         const std::vector<base::BrokerId>& target);

std::vector<base::TopicPartition> moving_partitions(const ControllerState& state);

}  // namespace replication
