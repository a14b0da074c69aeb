// Log directories that fail on brokers that live. A broker says that one has failed (/log_dir_event_notification), not
// which partitions are gone with it: that shows when it is told again to lead or follow everything it has.
#include <algorithm>
#include <set>

#include "replication/controller/controller.h"
#include "replication/controller/partition_steps.h"

namespace replication {

Task<void> Controller::log_dirs_failed() {
  if (!active_) co_return;
  const std::string parent(paths::kLogDirEvents);
  const auto names = co_await async_.children(parent);
  if (!names.ok() || names.value.empty()) co_return;
  std::vector<std::string> nodes;
  for (const auto& name : names.value) nodes.push_back(parent + "/" + name);
  const auto replies = co_await async_.get_all(nodes);
  std::set<base::BrokerId> brokers;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (replies[i].code == StoreCode::no_node) continue;
    if (!replies[i].ok()) co_return;
    const auto event = decode_log_dir_event(nodes[i], replies[i].value.data);
    if (event.ok())
      brokers.insert(event->broker);
    else
      log_.error("a report of a failed log directory is dropped: {}", event.error().detail);
  }
  for (const auto broker : brokers) log_.warn("a log directory of broker {} has failed", broker);
  for (const auto& [name, topic] : state_.topics) {
    if (state_.deleting.contains(name)) continue;
    for (const auto& [partition, leadership] : topic.partitions) {
      const auto replicas = topic.node.replicas.find(partition);
      if (replicas == topic.node.replicas.end()) continue;
      const bool concerned =
          std::ranges::any_of(replicas->second, [&](base::BrokerId id) { return brokers.contains(id); });
      if (concerned) announcer_.tell_leadership(describe(state_, name, partition));
    }
  }
  announcer_.send(state_);
  co_await remove_log_dir_events(names.value);
}

Task<void> Controller::remove_log_dir_events(std::vector<std::string> names) {
  for (const auto& name : names) {
    std::vector<Operation> removal;
    removal.push_back(Remove{.path = std::string(paths::kLogDirEvents) + "/" + name});
    const auto removed = co_await fenced_.commit(std::move(removal));
    if (!removed.ok() && removed.code != StoreCode::no_node && !fenced_.lost())
      log_.warn("{}/{} was not removed: {}", paths::kLogDirEvents, name, store_code_name(removed.code));
  }
}

Task<void> Controller::replicas_lost(base::BrokerId broker, std::vector<base::TopicPartition> replicas) {
  if (!active_ || !state_.is_live(broker)) co_return;
  std::vector<base::TopicPartition> news;
  for (const auto& replica : replicas) {
    const auto topic = state_.topics.find(replica.topic);
    if (topic == state_.topics.end() || !topic->second.partitions.contains(replica.partition)) continue;
    if (state_.lost[broker].insert(replica).second) news.push_back(replica);
  }
  if (news.empty()) co_return;
  log_.warn("broker {} has lost {} replicas with a log directory, {} among them", broker, news.size(), news.front());
  auto due = retire_lost(state_, broker, news);
  const auto changed = co_await fenced_.write_leadership(&state_, std::move(due));
  if (!active_) co_return;
  for (const auto& partition : changed)
    announcer_.tell_leadership(describe(state_, partition.topic, partition.partition));
  for (const auto& replica : news) {
    const auto topic = state_.topics.find(replica.topic);
    if (topic != state_.topics.end() && topic->second.partitions.contains(replica.partition))
      announcer_.tell_metadata(describe(state_, replica.topic, replica.partition));
  }
  announcer_.send(state_);
}

}  // namespace replication
