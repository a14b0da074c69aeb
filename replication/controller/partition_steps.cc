#include "replication/controller/partition_steps.h"

#include <algorithm>

#include "base/check.h"
#include "replication/controller/election.h"

namespace replication {

using base::BrokerId;
using base::TopicPartition;

namespace {

bool contains(const std::vector<BrokerId>& ids, BrokerId id) { return std::ranges::find(ids, id) != ids.end(); }

// A partition that the steps below may touch. None: unknown, or its topic is being deleted.
struct Known {
  std::vector<BrokerId> replicas;
  const PartitionLeadership* leadership;
};
std::optional<Known> find(const ControllerState& state, const TopicPartition& partition) {
  const auto* topic = state.find_topic(partition.topic);
  if (!topic || state.is_deleting(partition.topic)) return {};
  const auto replicas = topic->node.replicas.find(partition.partition);
  if (replicas == topic->node.replicas.end() || topic->unreadable.contains(partition.partition)) return {};
  return Known{replicas->second, state.find_leadership(partition)};
}

const TopicState& topic_of(const ControllerState& state, const std::string& topic) {
  const auto* found = state.find_topic(topic);
  base::invariant(found != nullptr, "the controller knows the topic it works on");
  return *found;
}

std::vector<BrokerId> listed(const ReplicaLists& lists, base::PartitionIndex partition) {
  const auto found = lists.find(partition);
  return found == lists.end() ? std::vector<BrokerId>() : found->second;
}

// Those who serve a changed partition; a broker that shuts down has stopped following it unless the set still names it.
std::vector<BrokerId> serving(const ControllerState& state, const TopicPartition& partition,
                              const std::vector<BrokerId>& replicas, const PartitionStateNode& node) {
  std::vector<BrokerId> out;
  std::ranges::copy_if(replicas, std::back_inserter(out), [&](BrokerId id) {
    return state.can_lead(id, partition) ||
           (state.can_serve(id, partition) && (node.leader == id || contains(node.isr, id)));
  });
  return out;
}

// The set never gets empty. When all are gone at once, all had what was committed, and whoever comes back first may
// lead; but a broker that has lost its disk comes back with nothing.
std::vector<BrokerId> remaining_in_sync(const ControllerState& state, const TopicPartition& partition,
                                        const std::vector<BrokerId>& isr) {
  std::vector<BrokerId> remaining;
  std::ranges::copy_if(isr, std::back_inserter(remaining), [&](BrokerId id) { return state.can_serve(id, partition); });
  if (remaining.empty())
    std::ranges::copy_if(isr, std::back_inserter(remaining), [&](BrokerId id) { return !state.is_live(id); });
  if (remaining.empty() && !isr.empty()) remaining.push_back(isr.back());
  return remaining;
}

LeadershipChange change_of(const TopicPartition& partition, const PartitionLeadership& from, PartitionStateNode node,
                           std::vector<BrokerId> tell) {
  return {.partition = partition, .node = std::move(node), .version = from.version, .tell = std::move(tell)};
}

// Every partition of every topic not being deleted, also those that never had a leader.
template <class Visit>
void for_each_partition(const ControllerState& state, Visit visit) {
  for (const auto& [name, topic] : state.topics) {
    if (state.is_deleting(name)) continue;
    for (const auto& [partition, replicas] : topic.node.replicas) visit(TopicPartition{name, partition}, replicas);
  }
}

}  // namespace

// ---- what the brokers that live demand -----------------------------------------------------------------------------

std::optional<LeadershipChange> due_change(const ControllerState& state, const TopicPartition& partition,
                                           const UncleanTopics& unclean) {
  const auto known = find(state, partition);
  if (!known) return {};
  const auto candidate = [&](BrokerId id) { return state.can_lead(id, partition); };
  if (!known->leadership) {
    auto first = elect_first(known->replicas, candidate, state.epoch);
    if (!first) return {};
    auto tell = first->isr;
    return LeadershipChange{.partition = partition, .node = std::move(*first), .tell_new = std::move(tell)};
  }
  const auto& node = known->leadership->node;
  std::optional<PartitionStateNode> next;
  if (!state.can_serve(node.leader, partition))
    next = elect_offline(node, known->replicas, candidate,
                         {.controller_epoch = state.epoch,
                          .unclean_allowed = unclean.contains(partition.topic),
                          .marks_recovery = state.marks_recovery});
  if (!next) {
    // Nobody can lead, or the leader is there: whoever is gone leaves the set.
    const auto leader = state.can_serve(node.leader, partition) ? node.leader : base::kNoBroker;
    auto remaining = remaining_in_sync(state, partition, node.isr);
    if (leader == node.leader && remaining == node.isr) return {};
    next = next_epoch(node, state.epoch);
    next->leader = leader;
    next->isr = std::move(remaining);
  }
  auto tell = serving(state, partition, known->replicas, *next);
  return change_of(partition, *known->leadership, std::move(*next), std::move(tell));
}

std::vector<LeadershipChange> due_changes(const ControllerState& state, const UncleanTopics& unclean) {
  std::vector<LeadershipChange> due;
  for_each_partition(state, [&](const TopicPartition& partition, const auto&) {
    if (auto change = due_change(state, partition, unclean)) due.push_back(std::move(*change));
  });
  return due;
}

std::vector<LeadershipChange> due_changes(const ControllerState& state, const std::string& topic,
                                          const UncleanTopics& unclean) {
  std::vector<LeadershipChange> due;
  const auto* known = state.find_topic(topic);
  if (!known) return due;
  for (const auto& [partition, replicas] : known->node.replicas)
    if (auto change = due_change(state, {topic, partition}, unclean)) due.push_back(std::move(*change));
  return due;
}

std::set<std::string> stuck_topics(const ControllerState& state) {
  std::set<std::string> stuck;
  for_each_partition(state, [&](const TopicPartition& partition, const std::vector<BrokerId>& replicas) {
    if (!is_leaderless(state, partition)) return;
    const auto& isr = state.find_leadership(partition)->node.isr;
    const auto candidate = [&](BrokerId id) { return state.can_lead(id, partition); };
    const auto in_sync = [&](BrokerId id) { return candidate(id) && contains(isr, id); };
    if (std::ranges::any_of(replicas, candidate) && std::ranges::none_of(replicas, in_sync))
      stuck.insert(partition.topic);
  });
  return stuck;
}

// ---- by request ----------------------------------------------------------------------------------------------------

std::optional<LeadershipChange> prefer_first(const ControllerState& state, const TopicPartition& partition) {
  const auto known = find(state, partition);
  if (!known || !needs_preferred(state, partition)) return {};
  const auto candidate = [&](BrokerId id) { return state.can_lead(id, partition); };
  auto next = elect_in_sync(known->leadership->node, {known->replicas.front()}, candidate, state.epoch);
  if (!next) return {};
  return change_of(partition, *known->leadership, std::move(*next), known->replicas);
}

bool needs_preferred(const ControllerState& state, const TopicPartition& partition) {
  const auto known = find(state, partition);
  return known && known->leadership && !known->replicas.empty() &&
         known->leadership->node.leader != known->replicas.front();
}

bool is_leaderless(const ControllerState& state, const TopicPartition& partition) {
  const auto* leadership = state.find_leadership(partition);
  return leadership && !state.can_serve(leadership->node.leader, partition);
}

std::vector<TopicPartition> unbalanced(const ControllerState& state, std::int32_t percentage) {
  struct Share {
    std::size_t all = 0;
    std::vector<TopicPartition> led_elsewhere;
  };
  std::map<BrokerId, Share> shares;
  for_each_partition(state, [&](const TopicPartition& partition, const std::vector<BrokerId>& replicas) {
    if (replicas.empty()) return;
    auto& share = shares[replicas.front()];
    ++share.all;
    if (needs_preferred(state, partition)) share.led_elsewhere.push_back(partition);
  });
  std::vector<TopicPartition> out;
  for (auto& [broker, share] : shares) {
    if (share.led_elsewhere.size() * 100 <= share.all * static_cast<std::size_t>(percentage)) continue;
    for (auto& partition : share.led_elsewhere)
      if (!state.find_topic(partition.topic)->is_reassigning() && prefer_first(state, partition))
        out.push_back(std::move(partition));
  }
  return out;
}

std::optional<LeadershipChange> hand_over(const ControllerState& state, const TopicPartition& partition,
                                          BrokerId from) {
  const auto known = find(state, partition);
  if (!known || !known->leadership || known->leadership->node.leader != from) return {};
  const auto candidate = [&](BrokerId id) { return state.can_lead(id, partition); };
  auto next = elect_in_sync(known->leadership->node, known->replicas, candidate, state.epoch);
  if (!next) return {};
  std::erase_if(next->isr, [&](BrokerId id) { return state.shutting_down.contains(id); });
  std::vector<BrokerId> tell;
  std::ranges::copy_if(known->replicas, std::back_inserter(tell),
                       [&](BrokerId id) { return state.can_serve(id, partition); });
  return change_of(partition, *known->leadership, std::move(*next), std::move(tell));
}

std::optional<LeadershipChange> leave(const ControllerState& state, const TopicPartition& partition,
                                      BrokerId follower) {
  const auto known = find(state, partition);
  if (!known || !known->leadership || known->leadership->node.leader == follower) return {};
  auto next = without_replica(known->leadership->node, follower, state.epoch);
  if (!next || next->isr == known->leadership->node.isr) return {};
  auto tell = serving(state, partition, known->replicas, *next);
  std::erase(tell, follower);
  return change_of(partition, *known->leadership, std::move(*next), std::move(tell));
}

// ---- deletion ------------------------------------------------------------------------------------------------------

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
  return std::ranges::all_of(topic_of(state, topic).node.replicas, [&](const auto& partition) {
    return std::ranges::all_of(partition.second, [&](BrokerId id) {
      return state.can_serve(id, {topic, partition.first});
    });
  });
}

// ---- announcing ----------------------------------------------------------------------------------------------------

PartitionState describe(const ControllerState& state, const TopicPartition& partition) {
  const auto& known = topic_of(state, partition.topic);
  const auto* leadership = state.find_leadership(partition);
  base::invariant(leadership != nullptr, "only partitions with leadership are announced");
  const auto& node = leadership->node;
  PartitionState out{.topic = partition.topic,
                     .topic_id = known.id(),
                     .partition = partition.partition,
                     .controller_epoch = node.controller_epoch,
                     .leader = node.leader,
                     .leader_epoch = node.leader_epoch,
                     .isr = node.isr,
                     .partition_epoch = leadership->version,
                     .replicas = listed(known.node.replicas, partition.partition),
                     .adding = listed(known.node.adding, partition.partition),
                     .removing = listed(known.node.removing, partition.partition)};
  out.recovering = node.recovering;
  std::ranges::copy_if(out.replicas, std::back_inserter(out.offline),
                       [&](BrokerId id) { return !state.can_serve(id, partition); });
  return out;
}

PartitionState describe_deleted(const ControllerState& state, const TopicPartition& partition) {
  const auto& known = topic_of(state, partition.topic);
  PartitionState out{.topic = partition.topic,
                     .topic_id = known.id(),
                     .partition = partition.partition,
                     .controller_epoch = state.epoch,
                     .leader = kLeaderDuringDelete,
                     .leader_epoch = base::LeaderEpoch{0},
                     .replicas = listed(known.node.replicas, partition.partition)};
  if (const auto* leadership = state.find_leadership(partition)) {
    out.isr = leadership->node.isr;
    out.partition_epoch = leadership->version;
  }
  return out;
}

std::vector<TopicPartition> led_partitions(const ControllerState& state) {
  std::vector<TopicPartition> out;
  for (const auto& [name, topic] : state.topics) {
    if (state.is_deleting(name)) continue;
    for (const auto& [partition, leadership] : topic.partitions) out.push_back({name, partition});
  }
  return out;
}

std::vector<TopicPartition> partitions_on(const ControllerState& state, const std::set<BrokerId>& brokers) {
  std::vector<TopicPartition> out;
  for (auto& partition : led_partitions(state)) {
    const auto replicas = state.find_topic(partition.topic)->replicas(partition.partition);
    if (std::ranges::any_of(replicas, [&](BrokerId id) { return brokers.contains(id); }))
      out.push_back(std::move(partition));
  }
  return out;
}

}  // namespace replication
