#include "replication/controller/isr_requests.h"

#include <algorithm>
#include <set>

#include "replication/controller/controller.h"

namespace replication {

using base::ErrorCode;

namespace {

bool contains(const std::vector<base::BrokerId>& ids, base::BrokerId id) {
  return std::ranges::find(ids, id) != ids.end();
}

// Not in Kafka, which believes leaders: the set holds the leader, and replicas only, each once.
bool is_possible(const std::vector<base::BrokerId>& isr, base::BrokerId leader,
                 const std::vector<base::BrokerId>& replicas) {
  const std::set<base::BrokerId> distinct(isr.begin(), isr.end());
  return distinct.size() == isr.size() && distinct.contains(leader) &&
         std::ranges::all_of(isr, [&](base::BrokerId id) { return contains(replicas, id); });
}

}  // namespace

ErrorCode check_sender(const ControllerState& state, const AlterPartition& request) {
  const auto broker = state.brokers.find(request.broker);
  const bool known = broker != state.brokers.end() && broker->second.epoch == request.broker_epoch;
  return known ? ErrorCode::none : ErrorCode::stale_broker_epoch;
}

IsrOutcome outcome_of(const PartitionLeadership& leadership) {
  const auto& node = leadership.node;
  return {.leader_epoch = node.leader_epoch,
          .partition_epoch = leadership.version,
          .leader = node.leader,
          .isr = node.isr,
          .recovering = node.recovering};
}

IsrVerdict judge(const ControllerState& state, base::BrokerId leader, std::string_view topic, const IsrChange& change) {
  if (topic.empty())
    return base::fail(change.topic_id.is_zero() ? ErrorCode::unknown_topic_or_partition : ErrorCode::unknown_topic_id,
                      "no such topic");
  const base::TopicPartition partition{std::string(topic), change.partition.partition};
  const auto* known = state.find_leadership(partition);
  if (!known || state.is_deleting(topic))
    return base::fail(ErrorCode::unknown_topic_or_partition, "{} is not known", partition);
  const auto& node = known->node;
  // Who knows more than this controller has heard of another.
  if (change.partition_epoch > known->version || change.leader_epoch > node.leader_epoch)
    return base::fail(ErrorCode::not_controller, "{} is further than this controller knows", partition);
  if (change.leader_epoch < node.leader_epoch)
    return base::fail(ErrorCode::fenced_leader_epoch, "{} is in leader epoch {}", partition, node.leader_epoch);
  if (node.leader == leader && node.isr == change.isr && node.recovering == change.recovering)
    return outcome_of(*known);
  if (change.partition_epoch < known->version)
    return base::fail(ErrorCode::invalid_update_version, "{} is in partition epoch {}", partition, known->version);
  if (change.recovering && (change.isr.size() > 1 || !node.recovering))
    return base::fail(ErrorCode::invalid_request, "{}: a recovering leader is alone, and was so before", partition);
  const auto replicas = state.find_topic(topic)->replicas(partition.partition);
  if (node.leader != leader || !is_possible(change.isr, leader, replicas))
    return base::fail(ErrorCode::invalid_request, "{}: broker {} cannot ask for this in-sync set", partition, leader);
  for (std::size_t i = 0; i < change.isr.size(); ++i) {
    const auto id = change.isr[i];
    // Who was in sync is judged by the leader; who joins must be here to stay, in the life that was meant.
    const bool joins = !contains(node.isr, id);
    const auto epoch = i < change.broker_epochs.size() ? change.broker_epochs[i] : -1;
    const auto broker = state.brokers.find(id);
    const bool same_life = epoch == -1 || (broker != state.brokers.end() && broker->second.epoch == epoch);
    if (id != leader && (!same_life || (joins && !state.can_lead(id, partition)) || !state.is_live(id) ||
                         state.shutting_down.contains(id)))
      return base::fail(ErrorCode::ineligible_replica, "{}: broker {} cannot be in sync", partition, id);
  }
  LeadershipChange wanted{.partition = partition, .node = node, .version = known->version};
  wanted.node.controller_epoch = state.epoch;
  wanted.node.isr = change.isr;
  wanted.node.recovering = change.recovering;
  return wanted;
}

// ---- acting --------------------------------------------------------------------------------------------------------

void Controller::alter_partition(AlterPartition request, std::function<void(AlterPartitionReply)> done) {
  this->request(
      "alter partition", [this, request = std::move(request), done] { return alter_in_sync_sets(request, done); },
      [done] { done({.code = ErrorCode::not_controller}); });
}

Task<void> Controller::alter_in_sync_sets(AlterPartition request, std::function<void(AlterPartitionReply)> done) {
  const auto refused = active_ ? check_sender(state_, request) : ErrorCode::not_controller;
  if (refused != ErrorCode::none) {
    done({.code = refused});
    co_return;
  }
  struct Asked {
    base::TopicPartition partition;
    std::optional<base::Result<IsrOutcome>> outcome;
  };
  std::vector<Asked> asked;
  std::vector<LeadershipChange> wanted;
  std::set<base::TopicPartition> seen;
  for (const auto& change : request.changes) {
    const std::string topic(change.topic_id.is_zero() ? std::string_view(change.partition.topic)
                                                      : state_.find_name(change.topic_id));
    auto& one = asked.emplace_back(Asked{{topic, change.partition.partition}, {}});
    if (!seen.insert(one.partition).second) {
      one.outcome = base::fail(ErrorCode::invalid_request, "{} is named twice", one.partition);
      continue;
    }
    auto verdict = judge(state_, request.broker, topic, change);
    if (auto* error = std::get_if<base::Error>(&verdict)) {
      log_.info("broker {} asked for another in-sync set: {}", request.broker, error->detail);
      one.outcome = std::move(*error);
    } else if (auto* outcome = std::get_if<IsrOutcome>(&verdict)) {
      one.outcome = std::move(*outcome);
    } else {
      wanted.push_back(std::move(std::get<LeadershipChange>(verdict)));
    }
  }
  auto written = co_await fenced_.write_leadership(&state_, std::move(wanted));
  if (!active_ || fenced_.lost()) {
    done({.code = ErrorCode::not_controller});
    co_return;
  }
  std::set<base::TopicPartition> granted;
  for (const auto& change : written.changes) granted.insert(change.partition);
  AlterPartitionReply reply;
  for (auto& [partition, outcome] : asked) {
    if (!outcome && granted.contains(partition))
      outcome = outcome_of(*state_.find_leadership(partition));
    else if (!outcome && !written.complete)
      outcome = base::fail(ErrorCode::unknown_server_error, "{} cannot be written now", partition);
    else if (!outcome)
      outcome = base::fail(ErrorCode::invalid_update_version, "{} was changed by somebody else", partition);
    reply.outcomes.push_back(std::move(*outcome));
  }
  done(std::move(reply));
  for (const auto& partition : granted) announcer_.tell_metadata(describe(state_, partition));
  for (const auto& partition : written.found) announcer_.tell_metadata(describe(state_, partition));
  if (granted.empty() && written.found.empty()) co_return;
  announcer_.send(state_);
  co_await complete_moves();
}

// Below inter-broker protocol 2.7-IV2 leaders write the sets themselves, and say afterwards that they did.
Task<void> Controller::in_sync_sets_changed() {
  if (!active_) co_return;
  const std::string parent(paths::kIsrChanges);
  const auto names = co_await async_.children(parent);
  if (!names.ok() || names.value.empty()) co_return;
  std::vector<std::string> nodes;
  for (const auto& name : names.value) nodes.push_back(parent + "/" + name);
  const auto replies = co_await async_.get_all(nodes);
  std::set<base::TopicPartition> changed;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (replies[i].code == StoreCode::no_node) continue;
    if (!replies[i].ok()) co_return;
    auto node = decode_isr_change(nodes[i], replies[i].value.data);
    if (!node.ok()) {
      log_.error("a report of changed in-sync sets is dropped: {}", node.error().detail);
      continue;
    }
    for (auto& partition : node->partitions)
      if (state_.find_leadership(partition) && !state_.is_deleting(partition.topic))
        changed.insert(std::move(partition));
  }
  std::vector<base::TopicPartition> partitions(changed.begin(), changed.end());
  const bool read = co_await fenced_.read_leadership(&state_, std::move(partitions));
  if (!active_ || !read) co_return;
  for (const auto& partition : changed) announcer_.tell_metadata(describe(state_, partition));
  announcer_.send(state_);
  co_await complete_moves();
  co_await remove_children(parent, names.value);
}

}  // namespace replication
