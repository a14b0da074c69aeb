#include "replication/cluster/metadata.h"

#include <algorithm>

namespace replication {

const PartitionInfo* TopicInfo::find(base::PartitionIndex partition) const {
  if (partition < 0) return nullptr;
  const auto at = static_cast<std::size_t>(partition);
  if (at < partitions.size() && partitions[at].index == partition) return &partitions[at];
  const auto found = std::ranges::lower_bound(partitions, partition, {}, &PartitionInfo::index);
  return found != partitions.end() && found->index == partition ? &*found : nullptr;
}

const PartitionInfo* ClusterMetadata::find_partition(std::string_view topic, base::PartitionIndex partition) const {
  const Topic found = find_topic(topic);  // the snapshot keeps it alive
  return found ? found->find(partition) : nullptr;
}

std::vector<std::string> ClusterMetadata::topic_names() const {
  std::vector<std::string> names;
  for_each_topic([&](const Topic& topic) { names.push_back(topic->name); });
  std::ranges::sort(names);
  return names;
}

const LiveBroker* ClusterMetadata::find_broker(base::BrokerId id) const {
  const auto found = std::ranges::lower_bound(*brokers_, id, {}, &LiveBroker::id);
  return found != brokers_->end() && found->id == id ? &*found : nullptr;
}

void ClusterMetadata::put_topic(Topic topic) {
  remove_topic(topic->name);
  if (!topic->id.is_zero()) by_id_.put(topic->id, topic);
  const std::string_view name = topic->name;
  by_name_.put(name, std::move(topic));
}

void ClusterMetadata::remove_topic(std::string_view name) {
  const Topic old = find_topic(name);  // holds the key while its entries go
  if (!old) return;
  if (!old->id.is_zero()) by_id_.remove(old->id);
  by_name_.remove(old->name);
}

void ClusterMetadata::set_topic_config(std::string_view name, std::map<std::string, std::string> config) {
  const Topic old = find_topic(name);
  if (!old) return;
  auto topic = std::make_shared<TopicInfo>(*old);
  topic->config = std::move(config);
  put_topic(std::move(topic));
}

void ClusterMetadata::apply(const UpdateMetadata& update) {
  controller_ = update.from.controller;
  controller_epoch_ = update.from.controller_epoch;
  auto brokers = std::make_shared<std::vector<LiveBroker>>(update.brokers);
  std::ranges::sort(*brokers, {}, &LiveBroker::id);
  brokers_ = std::move(brokers);

  // Each topic is copied once, however many of its partitions are named.
  absl::flat_hash_map<std::string_view, std::shared_ptr<TopicInfo>> changed;
  for (const auto& state : update.partitions) {
    auto& topic = changed[state.topic];
    if (!topic) {
      const Topic old = find_topic(state.topic);
      topic = old ? std::make_shared<TopicInfo>(*old) : std::make_shared<TopicInfo>(TopicInfo{.name = state.topic});
    }
    auto at = std::ranges::lower_bound(topic->partitions, state.partition, {}, &PartitionInfo::index);
    const bool known = at != topic->partitions.end() && at->index == state.partition;
    if (state.leader == kLeaderDuringDelete) {
      if (known) topic->partitions.erase(at);
      continue;
    }
    if (!state.topic_id.is_zero()) topic->id = state.topic_id;
    if (!known) at = topic->partitions.insert(at, PartitionInfo{});
    *at = PartitionInfo{.index = state.partition,
                        .leader = state.leader,
                        .leader_epoch = state.leader_epoch,
                        .controller_epoch = state.controller_epoch,
                        .partition_epoch = state.partition_epoch,
                        .replicas = state.replicas,
                        .isr = state.isr,
                        .offline = state.offline};
  }
  for (auto& [name, topic] : changed) {
    if (topic->partitions.empty())
      remove_topic(name);
    else
      put_topic(std::move(topic));
  }
}

void MetadataCache::update(const std::function<void(ClusterMetadata&)>& change) {
  absl::MutexLock one_at_a_time(&changing_);
  auto next = std::make_shared<ClusterMetadata>(*snapshot());
  change(*next);
  absl::MutexLock lock(&mutex_);
  current_ = std::move(next);
}

}  // namespace replication
