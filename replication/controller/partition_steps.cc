#include "replication/controller/partition_steps.h"

#include <algorithm>

#include "base/check.h"
#include "replication/controller/election.h"

namespace replication {

namespace {

void add_due_elections(const ControllerState& state, const std::string& name, const TopicState& topic,
                       std::vector<LeadershipChange>& out) {
  if (state.deleting.contains(name)) return;
  for (const auto& [index, replicas] : topic.node.replicas) {
    const auto partition = index;
    const auto live = [&](base::BrokerId id) { return state.can_serve(id, name, partition); };
    const auto known = topic.partitions.find(partition);
    if (known == topic.partitions.end()) {
      if (auto first = elect_first(replicas, live, state.epoch))
        out.push_back({.partition = {name, partition}, .node = std::move(*first)});
    } else if (!live(known->second.node.leader)) {
      if (auto next = elect_offline(known->second.node, replicas, live, state.epoch, false))
        out.push_back({.partition = {name, partition}, .node = std::move(*next), .version = known->second.version});
    }
  }
}

const TopicState& topic_of(const ControllerState& state, const std::string& topic) {
  const auto found = state.topics.find(topic);
  base::invariant(found != state.topics.end(), "the controller knows the topic it works on");
  return found->second;
}

std::vector<base::BrokerId> listed(const ReplicaLists& lists, base::PartitionIndex partition) {
  const auto found = lists.find(partition);
  return found == lists.end() ? std::vector<base::BrokerId>() : found->second;
}

}  // namespace

std::vector<LeadershipChange> due_elections(const ControllerState& state) {
  std::vector<LeadershipChange> due;
  for (const auto& [name, topic] : state.topics) add_due_elections(state, name, topic, due);
  return due;
}

std::vector<LeadershipChange> due_elections(const ControllerState& state, const std::string& topic) {
  std::vector<LeadershipChange> due;
  add_due_elections(state, topic, topic_of(state, topic), due);
  return due;
}

std::vector<LeadershipChange> retire_lost(const ControllerState& state, base::BrokerId broker,
                                          const std::vector<base::TopicPartition>& replicas) {
  std::vector<LeadershipChange> changes;
  for (const auto& lost : replicas) {
    const auto topic = state.topics.find(lost.topic);
    if (topic == state.topics.end() || state.deleting.contains(lost.topic)) continue;
    const auto known = topic->second.partitions.find(lost.partition);
    if (known == topic->second.partitions.end()) continue;
    const auto& node = known->second.node;
    const auto live = [&](base::BrokerId id) { return state.can_serve(id, lost.topic, lost.partition); };
    std::optional<PartitionStateNode> next;
    if (node.leader == broker)
      next = elect_offline(node, listed(topic->second.node.replicas, lost.partition), live, state.epoch, false);
    if (!next) next = without_replica(node, broker, state.epoch);
    if (next && (next->leader != node.leader || next->isr != node.isr))
      changes.push_back({.partition = lost, .node = std::move(*next), .version = known->second.version});
  }
  return changes;
}

std::vector<LeadershipChange> retire_topic(const ControllerState& state, const std::string& topic) {
  std::vector<LeadershipChange> changes;
  for (const auto& [partition, leadership] : topic_of(state, topic).partitions) {
    PartitionStateNode node = leadership.node;
    bool changed = false;
    for (const auto replica : listed(topic_of(state, topic).node.replicas, partition)) {
      if (auto next = without_replica(node, replica, state.epoch)) {
        node = std::move(*next);
        changed = true;
      }
    }
    if (changed)
      changes.push_back({.partition = {topic, partition}, .node = std::move(node), .version = leadership.version});
  }
  return changes;
}

bool may_delete(const ControllerState& state, const std::string& topic) {
  const auto& known = topic_of(state, topic);
  if (!known.node.adding.empty() || !known.node.removing.empty()) return false;
  return std::ranges::all_of(known.node.replicas, [&](const auto& partition) {
    return std::ranges::all_of(partition.second,
                               [&](base::BrokerId id) { return state.can_serve(id, topic, partition.first); });
  });
}

PartitionState describe(const ControllerState& state, const std::string& topic, base::PartitionIndex partition) {
  const auto& known = topic_of(state, topic);
  const auto leadership = known.partitions.find(partition);
  base::invariant(leadership != known.partitions.end(), "only partitions with leadership are announced");
  const auto& node = leadership->second.node;
  PartitionState out{.topic = topic,
                     .topic_id = known.id(),
                     .partition = partition,
                     .controller_epoch = node.controller_epoch,
                     .leader = node.leader,
                     .leader_epoch = node.leader_epoch,
                     .isr = node.isr,
                     .partition_epoch = leadership->second.version,
                     .replicas = listed(known.node.replicas, partition),
                     .adding = listed(known.node.adding, partition),
                     .removing = listed(known.node.removing, partition)};
  std::ranges::copy_if(out.replicas, std::back_inserter(out.offline),
                       [&](base::BrokerId id) { return !state.can_serve(id, topic, partition); });
  return out;
}

PartitionState describe_deleted(const ControllerState& state, const std::string& topic,
                                base::PartitionIndex partition) {
  const auto& known = topic_of(state, topic);
  PartitionState out{.topic = topic,
                     .topic_id = known.id(),
                     .partition = partition,
                     .controller_epoch = state.epoch,
                     .leader = kLeaderDuringDelete,
                     .leader_epoch = base::LeaderEpoch{0},
                     .replicas = listed(known.node.replicas, partition)};
  if (const auto leadership = known.partitions.find(partition); leadership != known.partitions.end()) {
    out.isr = leadership->second.node.isr;
    out.partition_epoch = leadership->second.version;
  }
  return out;
}

}  // namespace replication
