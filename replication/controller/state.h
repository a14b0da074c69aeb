// All the controller knows. Loaded from the store when it is elected; changed by its own steps afterwards. Plain data.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/uuid.h"
#include "replication/cluster/announcements.h"
#include "replication/coordination/znodes.h"

namespace replication {

struct PartitionLeadership {
  PartitionStateNode node{};
  std::int32_t version = 0;     // of the state node: the partition epoch
  std::int64_t found_zxid = 0;  // of the node's last change, where it was found and not written by this controller

  bool operator==(const PartitionLeadership& other) const { return node == other.node && version == other.version; }
};

struct TopicState {
  TopicNode node{};
  // Partitions that have had a leader; the others are new.
  std::map<base::PartitionIndex, PartitionLeadership> partitions{};
  bool has_partitions_node = false;
  // Partitions whose state node cannot be read: electing over it would destroy what somebody may still repair.
  std::set<base::PartitionIndex> unreadable{};

  // Empty when there is no such partition.
  std::vector<base::BrokerId> replicas(base::PartitionIndex partition) const {
    const auto found = node.replicas.find(partition);
    return found == node.replicas.end() ? std::vector<base::BrokerId>() : found->second;
  }
  bool is_reassigning() const { return !node.adding.empty() || !node.removing.empty(); }
  base::Uuid id() const { return node.topic_id.value_or(base::Uuid{}); }
};

struct ControllerState {
  std::int32_t epoch = 0;
  std::int32_t epoch_version = 0;
  bool marks_recovery = false;  // inter-broker protocol 3.2: a leader elected out of sync is marked as recovering
  std::map<base::BrokerId, LiveBroker> brokers{};
  // Of those: they have announced that they stop. They serve on, and get no new leaderships.
  std::set<base::BrokerId> shutting_down{};
  std::map<std::string, TopicState, std::less<>> topics{};
  absl::flat_hash_map<base::Uuid, std::string> names{};  // of topics, by their ids
  std::set<std::string, std::less<>> deleting{};
  // Replicas whose log directory has failed, as their brokers said; until the broker starts anew.
  std::map<base::BrokerId, std::set<base::TopicPartition>> lost{};

  bool is_live(base::BrokerId id) const { return brokers.contains(id); }
  // The broker lives, and so does the disk its replica is on.
  bool can_serve(base::BrokerId id, const base::TopicPartition& partition) const {
    if (!is_live(id)) return false;
    const auto of_broker = lost.find(id);
    return of_broker == lost.end() || !of_broker->second.contains(partition);
  }
  // And it means to stay.
  bool can_lead(base::BrokerId id, const base::TopicPartition& partition) const {
    return !shutting_down.contains(id) && can_serve(id, partition);
  }

  const TopicState* find_topic(std::string_view name) const {
    const auto found = topics.find(name);
    return found == topics.end() ? nullptr : &found->second;
  }
  // None: not known, or never had a leader.
  const PartitionLeadership* find_leadership(const base::TopicPartition& partition) const {
    const auto* topic = find_topic(partition.topic);
    if (!topic) return nullptr;
    const auto found = topic->partitions.find(partition.partition);
    return found == topic->partitions.end() ? nullptr : &found->second;
  }
  // By id; empty when there is none.
  std::string_view find_name(const base::Uuid& id) const {
    const auto found = names.find(id);
    return found == names.end() ? std::string_view() : found->second;
  }
  // Topics come, change and go through these, which keep the ids in step.
  TopicState& put_node(const std::string& name, TopicNode node) {
    auto& topic = topics[name];
    if (topic.node.topic_id) names.erase(*topic.node.topic_id);
    if (node.topic_id) names[*node.topic_id] = name;
    topic.node = std::move(node);
    return topic;
  }
  void remove_topic(const std::string& name) {
    const auto found = topics.find(name);
    if (found == topics.end()) return;
    if (found->second.node.topic_id) names.erase(*found->second.node.topic_id);
    topics.erase(found);
  }
  bool is_deleting(std::string_view topic) const { return deleting.find(topic) != deleting.end(); }
};

}  // namespace replication
