// Elections: those that the state demands, written and told. Who is elected is decided in partition_steps.h.
#include <absl/strings/match.h>

#include "replication/controller/controller.h"

namespace replication {

// Writes what was decided and gathers what the brokers must hear of it; where somebody else's write was first, tells
// that and decides again.
Task<void> Controller::lead(std::vector<LeadershipChange> due, Decide again) {
  while (!due.empty() && active_ && !fenced_.lost()) {
    auto written = co_await fenced_.write_leadership(&state_, std::move(due));
    due.clear();
    if (!active_) co_return;
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
  const auto unclean = co_await unclean_among(stuck_topics(state_));
  if (!active_) co_return;
  const Decide decide = [unclean](const ControllerState& state, const base::TopicPartition& partition) {
    return due_change(state, partition, unclean);
  };
  co_await lead(due_changes(state_, unclean), decide);
}

Task<void> Controller::settle_topic(std::string topic) {
  const Decide decide = [](const ControllerState& state, const base::TopicPartition& partition) {
    return due_change(state, partition);
  };
  co_await lead(due_changes(state_, topic), decide);
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
  co_await settle();
  if (active_) announcer_.send(state_);
}

}  // namespace replication
