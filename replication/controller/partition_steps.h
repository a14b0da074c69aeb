// The steps of a partition's life, decided from the controller's state: what to write, and whom to tell what. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "replication/cluster/announcements.h"
#include "replication/controller/state.h"

namespace replication {

// One state node to be created (version kNoState) or set if it still has `version`.
inline constexpr std::int32_t kNoState = -1;
struct LeadershipChange {
  base::TopicPartition partition{};
  PartitionStateNode node{};
  std::int32_t version = kNoState;
};

// First leaders for partitions that never had one, new leaders among the in-sync replicas for partitions whose leader
// is gone; topics being deleted are left alone.
std::vector<LeadershipChange> due_elections(const ControllerState& state);
// The same for one topic.
std::vector<LeadershipChange> due_elections(const ControllerState& state, const std::string& topic);

// The broker lives, but these replicas of it, which `state.lost` names, are gone with their disk: their partitions get
// other leaders, or none, and smaller in-sync sets.
std::vector<LeadershipChange> retire_lost(const ControllerState& state, base::BrokerId broker,
                                          const std::vector<base::TopicPartition>& replicas);

// Takes every replica of the topic out of service, one after another as Kafka does: each change starts from the node
// that the one before it leaves. Only the last per partition need be written.
std::vector<LeadershipChange> retire_topic(const ControllerState& state, const std::string& topic);

// Whether deleting may proceed: all replicas on live brokers and disks, no reassignment under way.
bool may_delete(const ControllerState& state, const std::string& topic);

// What is announced of a partition that has leadership.
PartitionState describe(const ControllerState& state, const std::string& topic, base::PartitionIndex partition);
// What is announced of a partition of a topic being deleted.
PartitionState describe_deleted(const ControllerState& state, const std::string& topic, base::PartitionIndex partition);

}  // namespace replication
