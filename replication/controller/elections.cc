// Elections: those that the state demands and those that somebody asks for, written and told. Who is elected is decided
// in partition_steps.h.
#include <absl/strings/match.h>

#include <algorithm>

#include "replication/controller/controller.h"

namespace replication {

using base::ErrorCode;
using base::TopicPartition;

// Writes what was decided and gathers what the brokers must hear of it; where somebody else's write was first, tells
// that and decides again.
Task<void> Controller::lead(std::vector<LeadershipChange> due, Decide again) {
  while (!due.empty() && active_ && !fenced_.lost()) {
    auto written = co_await fenced_.write_leadership(&state_, std::move(due));
    due.clear();
    if (!active_) co_return;
    if (!written.complete)
      retry_timer_->arm(std::chrono::seconds(1), [this] { enqueue_once("settle", [this] { return settle_again(); }); });
    for (const auto& change : written.changes) {
      auto told = describe(state_, change.partition);
      announcer_.tell_metadata(told);
      announcer_.tell_leadership(change.tell, told);
      told.is_new = true;
      announcer_.tell_leadership(change.tell_new, told);
    }
    for (const auto& partition : written.found) {
      const auto told = describe(state_, partition);
      announcer_.tell_metadata(told);
      announcer_.tell_leadership(told.replicas, told);
      if (auto change = again(state_, partition)) due.push_back(std::move(*change));
    }
  }
}

// What the brokers that live demand of every partition.
Task<void> Controller::settle() {
  auto stuck = stuck_topics(state_);
  const auto unclean = co_await unclean_among(std::move(stuck));
  if (!active_) co_return;
  const Decide decide = [unclean](const ControllerState& state, const base::TopicPartition& partition) {
    return due_change(state, partition, unclean);
  };
  auto due = due_changes(state_, unclean);
  co_await lead(std::move(due), decide);
}

// What the store would not take.
Task<void> Controller::settle_again() {
  if (!active_) co_return;
  co_await settle();
  if (!active_) co_return;
  announcer_.send(state_);
  co_await complete_moves();
}

Task<void> Controller::settle_topic(std::string topic) {
  const Decide decide = [](const ControllerState& state, const base::TopicPartition& partition) {
    return due_change(state, partition);
  };
  auto due = due_changes(state_, topic);
  co_await lead(std::move(due), decide);
}

// Of these, those whose configuration, or the brokers', allows it.
Task<UncleanTopics> Controller::unclean_among(std::set<std::string> topics) {
  UncleanTopics unclean;
  if (topics.empty()) co_return unclean;
  const std::vector<std::string> names(topics.begin(), topics.end());
  std::vector<std::string> nodes;
  for (const auto& name : names) nodes.push_back(paths::config("topics", name));
  const auto replies = co_await async_.get_all(nodes);
  const bool otherwise = settings_.unclean_elections && settings_.unclean_elections();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!replies[i].ok() && replies[i].code != StoreCode::no_node) continue;
    const auto entries = decode_config(nodes[i], replies[i].value.data);
    if (!entries.ok()) {
      log_.error("no unclean election for topic {}: {}", names[i], entries.error().detail);
      continue;
    }
    const auto own = entries->find("unclean.leader.election.enable");
    if (own == entries->end() ? otherwise : absl::EqualsIgnoreCase(own->second, "true")) unclean.insert(names[i]);
  }
  co_return unclean;
}

void Controller::unclean_elections_enabled(std::optional<std::string> topic) {
  std::string name = "unclean elections for " + topic.value_or("all topics");
  loop_.post([this, name = std::move(name)] { enqueue_once(name, [this, name] { return settle_all(name); }); });
}

Task<void> Controller::settle_all(std::string why) {
  if (!active_) co_return;
  log_.info("{} are allowed now", why);
  co_await settle_again();
}

// ---- by request ----------------------------------------------------------------------------------------------------

void Controller::elect_leaders(ElectionRequest wanted, std::function<void(PartitionResults)> done) {
  request(
      "elect leaders", [this, wanted = std::move(wanted), done] { return elect_now(wanted, done); },
      [done] { done({.code = ErrorCode::not_controller}); });
}

Task<void> Controller::elect_now(ElectionRequest wanted, std::function<void(PartitionResults)> done) {
  if (!active_) {
    done({.code = ErrorCode::not_controller});
    co_return;
  }
  const auto type = wanted.type;
  std::vector<TopicPartition> partitions;
  if (wanted.partitions) {
    partitions = *wanted.partitions;
  } else {
    partitions = led_partitions(state_);
    std::erase_if(partitions, [&](const TopicPartition& partition) { return !needs_election(type, partition); });
  }
  auto results = co_await elect_among(type, std::move(partitions));
  if (!active_ || fenced_.lost()) {
    done({.code = ErrorCode::not_controller});
    co_return;
  }
  std::map<TopicPartition, base::BrokerId> elected;
  for (const auto& result : results)
    if (result.code == ErrorCode::none)
      elected[result.partition] = state_.find_leadership(result.partition)->node.leader;
  pending_elections_.add(
      std::move(results), wanted.timeout,
      [elected = std::move(elected)](const ClusterMetadata& metadata, const PartitionResult& result) {
        const auto* seen = metadata.find_partition(result.partition.topic, result.partition.partition);
        return seen && seen->leader == elected.at(result.partition);
      },
      [done = std::move(done)](std::vector<PartitionResult> shown) { done({.partitions = std::move(shown)}); });
}

bool Controller::needs_election(ElectionType type, const TopicPartition& partition) const {
  return type == ElectionType::preferred ? needs_preferred(state_, partition) : is_leaderless(state_, partition);
}

// Texts are Kafka's, which names its strategies.
Task<std::vector<PartitionResult>> Controller::elect_among(ElectionType type, std::vector<TopicPartition> partitions) {
  std::vector<PartitionResult> results;
  std::vector<LeadershipChange> due;
  const Decide decide = [type](const ControllerState& state, const TopicPartition& partition) {
    return type == ElectionType::preferred ? prefer_first(state, partition)
                                           : due_change(state, partition, {partition.topic});
  };
  const auto refuse = [](PartitionResult& result, ErrorCode code, std::string text) {
    result.code = code;
    result.message = std::move(text);
  };
  for (auto& partition : partitions) {
    auto& result = results.emplace_back(PartitionResult{.partition = std::move(partition)});
    if (const auto* topic = state_.find_topic(result.partition.topic);
        !topic || topic->replicas(result.partition.partition).empty())
      refuse(result, ErrorCode::unknown_topic_or_partition, "The partition does not exist.");
    else if (state_.is_deleting(result.partition.topic))
      refuse(result, ErrorCode::invalid_topic_exception, "The topic is being deleted");
    else if (state_.find_leadership(result.partition) && !needs_election(type, result.partition))
      refuse(result, ErrorCode::election_not_needed, "Leader election not needed for topic partition.");
    else if (auto change = decide(state_, result.partition))
      due.push_back(std::move(*change));
  }
  co_await lead(std::move(due), decide);
  if (!active_) co_return results;
  announcer_.send(state_);
  for (auto& result : results) {
    if (result.code != ErrorCode::none) continue;
    if (state_.find_leadership(result.partition) && !needs_election(type, result.partition)) continue;
    if (type == ElectionType::preferred)
      refuse(result, ErrorCode::preferred_leader_not_available,
             fmt::format("Failed to elect leader for partition {} under strategy "
                         "PreferredReplicaPartitionLeaderElectionStrategy",
                         result.partition));
    else
      refuse(result, ErrorCode::eligible_leaders_not_available,
             fmt::format("Failed to elect leader for partition {} under strategy OfflinePartitionLeaderElectionStrategy"
                         "(true)",
                         result.partition));
  }
  co_return results;
}

// The node that older tools write.
Task<void> Controller::preferred_election_asked() {
  if (!active_) co_return;
  const std::string path(paths::kPreferredElection);
  const auto found = co_await async_.get(path);
  if (!active_ || !found.ok()) co_return;
  const auto node = decode_preferred_election(path, found.value.data);
  if (node.ok()) {
    auto partitions = node->partitions;
    const auto results = co_await elect_among(ElectionType::preferred, std::move(partitions));
    for (const auto& result : results)
      if (result.code != ErrorCode::none && result.code != ErrorCode::election_not_needed)
        log_.warn("no preferred leader for {}: {}", result.partition, result.message.value_or(""));
  } else {
    log_.error("a preferred election is dropped: {}", node.error().detail);
  }
  std::vector<Operation> removal;
  removal.push_back(Remove{.path = path});
  const auto removed = co_await fenced_.commit(std::move(removal));
  if (!removed.ok() && removed.code != StoreCode::no_node && !fenced_.lost())
    log_.warn("{} was not removed: {}", path, store_code_name(removed.code));
}

// ---- by the clock --------------------------------------------------------------------------------------------------

void Controller::balance_after(std::chrono::seconds time) {
  if (!settings_.balance) return;
  balance_timer_->arm(time, [this] { enqueue_once("balance", [this] { return balance(); }); });
}

Task<void> Controller::balance() {
  if (!active_) co_return;
  auto partitions = unbalanced(state_, settings_.balance->percentage);
  if (!partitions.empty()) {
    log_.info("{} partitions are given back to their preferred leaders", partitions.size());
    co_await elect_among(ElectionType::preferred, std::move(partitions));
  }
  if (active_) balance_after(settings_.balance->interval);
}

}  // namespace replication
