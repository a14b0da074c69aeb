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
  for (const auto& partition : partitions_on(state_, brokers)) {
    const auto told = describe(state_, partition);
    std::vector<base::BrokerId> asked;
    std::ranges::copy_if(told.replicas, std::back_inserter(asked),
                         [&](base::BrokerId id) { return brokers.contains(id); });
    announcer_.tell_leadership(asked, told);
  }
  announcer_.send(state_);
  co_await remove_children(parent, names.value);
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
  co_await settle();
  if (!active_) co_return;
  for (const auto& replica : news)
    if (state_.find_leadership(replica)) announcer_.tell_metadata(describe(state_, replica));
  announcer_.send(state_);
}

}  // namespace replication
