// All the controller knows. Loaded from the store when it is elected; changed by its own steps afterwards. Plain data.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/uuid.h"
#include "replication/cluster/announcements.h"
#include "replication/coordination/znodes.h"

namespace replication {

struct PartitionLeadership {
  PartitionStateNode node{};
  std::int32_t version = 0;  // of the state node: the partition epoch

  bool operator==(const PartitionLeadership&) const = default;
};

struct TopicState {
  TopicNode node{};
  // Partitions that have had a leader; the others are new.
  std::map<base::PartitionIndex, PartitionLeadership> partitions{};
  bool has_partitions_node = false;

  base::Uuid id() const { return node.topic_id.value_or(base::Uuid{}); }
};

struct ControllerState {
  std::int32_t epoch = 0;
  std::int32_t epoch_version = 0;
  std::map<base::BrokerId, LiveBroker> brokers{};
  std::map<std::string, TopicState, std::less<>> topics{};
  std::set<std::string, std::less<>> deleting{};
  // Replicas whose log directory has failed, as their brokers said; until the broker starts anew.
  std::map<base::BrokerId, std::set<base::TopicPartition>> lost{};

  bool is_live(base::BrokerId id) const { return brokers.contains(id); }
  // The broker lives, and so does the disk its replica is on.
  bool can_serve(base::BrokerId id, const std::string& topic, base::PartitionIndex partition) const {
    if (!is_live(id)) return false;
    const auto of_broker = lost.find(id);
    return of_broker == lost.end() || !of_broker->second.contains({topic, partition});
  }
};

}  // namespace replication
