#include "replication/partition/partition_table.h"

#include <algorithm>

namespace replication {

std::shared_ptr<Partition> PartitionTable::find(std::string_view topic, base::PartitionIndex partition) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto found = topics_.find(topic);
  if (found == topics_.end() || partition < 0 || static_cast<std::size_t>(partition) >= found->second.size())
    return nullptr;
  return found->second[static_cast<std::size_t>(partition)];
}

void PartitionTable::put(std::shared_ptr<Partition> partition) {
  const auto name = partition->name();
  const auto index = static_cast<std::size_t>(name.partition);
  absl::MutexLock lock(&mutex_);
  forget_absence(name);
  auto& of_topic = topics_[name.topic];
  if (of_topic.size() <= index) of_topic.resize(index + 1);
  of_topic[index] = std::move(partition);
}

std::shared_ptr<Partition> PartitionTable::remove(const base::TopicPartition& name) {
  absl::MutexLock lock(&mutex_);
  forget_absence(name);
  const auto found = topics_.find(name.topic);
  const auto index = static_cast<std::size_t>(name.partition);
  if (found == topics_.end() || index >= found->second.size()) return nullptr;
  auto removed = std::move(found->second[index]);
  if (std::none_of(found->second.begin(), found->second.end(), [](const auto& p) { return p != nullptr; }))
    topics_.erase(found);
  return removed;
}

void PartitionTable::forget_absence(const base::TopicPartition& name) {
  const auto found = absent_.find(name);
  if (found == absent_.end()) return;
  if (found->second == Absence::loading) --loading_;
  absent_.erase(found);
}

void PartitionTable::put_absent(const base::TopicPartition& name, Absence why) {
  absl::MutexLock lock(&mutex_);
  forget_absence(name);
  absent_.emplace(name, why);
  if (why == Absence::loading) ++loading_;
}

base::ErrorCode PartitionTable::why_absent(std::string_view topic, base::PartitionIndex partition) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto found = absent_.find(base::TopicPartition{std::string(topic), partition});
  return found != absent_.end() && found->second == Absence::offline ? base::ErrorCode::kafka_storage_error
                                                                     : base::ErrorCode::not_leader_or_follower;
}

bool PartitionTable::is_loading(std::string_view topic, base::PartitionIndex partition) const {
  if (loading_.load(std::memory_order_relaxed) == 0) return false;
  absl::ReaderMutexLock lock(&mutex_);
  const auto found = absent_.find(base::TopicPartition{std::string(topic), partition});
  return found != absent_.end() && found->second == Absence::loading;
}

std::vector<std::shared_ptr<Partition>> PartitionTable::all() const {
  absl::ReaderMutexLock lock(&mutex_);
  // By name: what is done to all of them in turn is then done in the same order by every process.
  std::vector<std::pair<std::string_view, const OfTopic*>> topics;
  topics.reserve(topics_.size());
  for (const auto& [topic, partitions] : topics_) topics.emplace_back(topic, &partitions);
  std::sort(topics.begin(), topics.end());
  std::vector<std::shared_ptr<Partition>> out;
  for (const auto& [topic, partitions] : topics)
    for (const auto& partition : *partitions)
      if (partition) out.push_back(partition);
  return out;
}

}  // namespace replication
