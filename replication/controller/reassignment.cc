#include "replication/controller/reassignment.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "replication/controller/election.h"

namespace replication {

using base::BrokerId;
using base::ErrorCode;
using base::TopicPartition;

namespace {

bool contains(const std::vector<BrokerId>& ids, BrokerId id) { return std::ranges::find(ids, id) != ids.end(); }

std::vector<BrokerId> without(std::vector<BrokerId> ids, const std::vector<BrokerId>& others) {
  std::erase_if(ids, [&](BrokerId id) { return contains(others, id); });
  return ids;
}

std::vector<BrokerId> listed(const ReplicaLists& lists, base::PartitionIndex partition) {
  const auto found = lists.find(partition);
  return found == lists.end() ? std::vector<BrokerId>() : found->second;
}

// Leadership among `replicas` alone, under the next epoch.
PartitionStateNode confined(const ControllerState& state, const TopicPartition& partition,
                            const PartitionStateNode& node, const std::vector<BrokerId>& replicas) {
  PartitionStateNode next = next_epoch(node, state.epoch);
  auto remaining = node.isr;
  std::erase_if(remaining, [&](BrokerId id) { return !contains(replicas, id); });
  if (!remaining.empty()) next.isr = std::move(remaining);
  if (contains(replicas, node.leader) && state.can_serve(node.leader, partition)) return next;
  const auto candidate = [&](BrokerId id) { return state.can_lead(id, partition); };
  const auto elected = elect_in_sync(next, replicas, candidate, state.epoch);
  next.leader = elected ? elected->leader : base::kNoBroker;
  return next;
}

}  // namespace

std::vector<BrokerId> ReplicaMove::target() const { return without(replicas, removing); }
std::vector<BrokerId> ReplicaMove::origin() const { return without(replicas, adding); }

ReplicaMove ReplicaMove::to(const std::vector<BrokerId>& target) const {
  const auto from = origin();
  ReplicaMove move{.replicas = target};
  std::ranges::copy_if(from, std::back_inserter(move.replicas), [&](BrokerId id) { return !contains(target, id); });
  move.adding = without(move.replicas, from);
  move.removing = without(move.replicas, target);
  return move;
}

ReplicaMove move_of(const TopicNode& topic, base::PartitionIndex partition) {
  return {listed(topic.replicas, partition), listed(topic.adding, partition), listed(topic.removing, partition)};
}

void put_move(TopicNode& topic, base::PartitionIndex partition, const ReplicaMove& move) {
  const auto put = [&](ReplicaLists& lists, const std::vector<BrokerId>& ids) {
    if (ids.empty())
      lists.erase(partition);
    else
      lists[partition] = ids;
  };
  topic.replicas[partition] = move.replicas;
  put(topic.adding, move.adding);
  put(topic.removing, move.removing);
}

base::Status check_target(const std::vector<BrokerId>& target) {
  constexpr auto kCode = ErrorCode::invalid_replica_assignment;
  const auto list = fmt::format("ArrayBuffer({})", fmt::join(target, ", "));
  if (target.empty()) return base::fail(kCode, "Empty replica list specified in partition reassignment.");
  if (std::set<BrokerId>(target.begin(), target.end()).size() != target.size())
    return base::fail(kCode, "Duplicate replica ids in partition reassignment replica list: {}", list);
  if (std::ranges::any_of(target, [](BrokerId id) { return id.raw < 0; }))
    return base::fail(kCode, "Invalid broker id in replica list: {}", list);
  return {};
}

base::Status check_added_live(const ControllerState& state, const ReplicaMove& wanted) {
  std::vector<BrokerId> live;
  for (const auto& [id, broker] : state.brokers)
    if (!state.shutting_down.contains(id)) live.push_back(id);
  if (std::ranges::all_of(wanted.adding, [&](BrokerId id) { return contains(live, id); })) return {};
  return base::fail(ErrorCode::invalid_replica_assignment,
                    "Replica assignment has brokers that are not alive. Replica list: ArrayBuffer({}), live broker "
                    "list: Set({})",
                    fmt::join(wanted.adding, ", "), fmt::join(live, ", "));
}

std::optional<LeadershipChange> begin_move(const ControllerState& state, const TopicPartition& partition) {
  const auto* topic = state.find_topic(partition.topic);
  const auto* leadership = state.find_leadership(partition);
  if (!topic || !leadership) return {};
  const auto move = move_of(topic->node, partition.partition);
  LeadershipChange change{.partition = partition,
                          .node = confined(state, partition, leadership->node, move.replicas),
                          .version = leadership->version,
                          .tell = move.origin(),
                          .tell_new = move.adding};
  return change;
}

bool is_complete(const ControllerState& state, const TopicPartition& partition) {
  const auto* topic = state.find_topic(partition.topic);
  const auto* leadership = state.find_leadership(partition);
  if (!topic || !leadership) return false;
  const auto target = move_of(topic->node, partition.partition).target();
  return std::ranges::all_of(target, [&](BrokerId id) { return contains(leadership->node.isr, id); });
}

std::optional<LeadershipChange> end_move(const ControllerState& state, const TopicPartition& partition,
                                         const std::vector<BrokerId>& target) {
  const auto* leadership = state.find_leadership(partition);
  if (!leadership) return {};
  auto node = confined(state, partition, leadership->node, target);
  if (node.leader == base::kNoBroker) return {};
  return LeadershipChange{
      .partition = partition, .node = std::move(node), .version = leadership->version, .tell = target};
}

std::vector<TopicPartition> moving_partitions(const ControllerState& state) {
  std::vector<TopicPartition> out;
  for (const auto& [name, topic] : state.topics) {
    std::set<base::PartitionIndex> moving;
    for (const auto& [partition, ids] : topic.node.adding) moving.insert(partition);
    for (const auto& [partition, ids] : topic.node.removing) moving.insert(partition);
    for (const auto partition : moving) out.push_back({name, partition});
  }
  return out;
}

}  // namespace replication
