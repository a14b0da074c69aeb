#include "broker/group/committed_offsets.h"

#include <utility>

namespace broker {

using base::PartitionIndex;
using base::ProducerId;
using base::TopicPartition;

const CommittedOffset* CommittedOffsets::find_in(const Topics& topics, std::string_view topic,
                                                 PartitionIndex partition) {
  const auto partitions = topics.find(topic);
  if (partitions == topics.end()) return nullptr;
  const auto found = partitions->second.find(partition);
  return found == partitions->second.end() ? nullptr : &found->second;
}

bool CommittedOffsets::erase_from(Topics& topics, std::string_view topic, PartitionIndex partition) {
  const auto partitions = topics.find(topic);
  if (partitions == topics.end() || partitions->second.erase(partition) == 0) return false;
  if (partitions->second.empty()) topics.erase(partitions);
  return true;
}

const CommittedOffset* CommittedOffsets::find(std::string_view topic, PartitionIndex partition) const {
  return find_in(stored_, topic, partition);
}

bool CommittedOffsets::is_unstable(std::string_view topic, PartitionIndex partition) const {
  if (!in_flight_.empty() && in_flight_.contains(TopicPartition{std::string(topic), partition})) return true;
  for (const auto& [producer, topics] : pending_)
    if (find_in(topics, topic, partition)) return true;
  return false;
}

std::size_t CommittedOffsets::size() const {
  std::size_t sum = 0;
  for (const auto& [topic, partitions] : stored_) sum += partitions.size();
  return sum;
}

void CommittedOffsets::for_each(const Visit& visit) const {
  for (const auto& [topic, partitions] : stored_)
    for (const auto& [partition, offset] : partitions) visit(topic, partition, offset);
}

std::vector<ProducerId> CommittedOffsets::open_transactions() const {
  std::vector<ProducerId> out;
  for (const auto& [producer, topics] : pending_) out.push_back(producer);
  return out;
}

void CommittedOffsets::begin(const TopicPartition& partition) { ++in_flight_[partition]; }

void CommittedOffsets::succeeded(const TopicPartition& partition, CommittedOffset what) {
  failed(partition);
  put(partition.topic, partition.partition, std::move(what));
}

void CommittedOffsets::failed(const TopicPartition& partition) {
  const auto found = in_flight_.find(partition);
  if (found != in_flight_.end() && --found->second == 0) in_flight_.erase(found);
}

void CommittedOffsets::begin(ProducerId producer, const TopicPartition& partition) {
  pending_[producer][partition.topic].try_emplace(partition.partition);
}

void CommittedOffsets::succeeded(ProducerId producer, const TopicPartition& partition, CommittedOffset what) {
  pend(producer, partition.topic, partition.partition, std::move(what));
}

void CommittedOffsets::failed(ProducerId producer, const TopicPartition& partition) {
  const auto topics = pending_.find(producer);
  if (topics == pending_.end()) return;
  // An earlier commit of the same transaction stays.
  const auto* known = find_in(topics->second, partition.topic, partition.partition);
  if (known && known->logged_at == base::kNoOffset) drop_pending(producer, partition.topic, partition.partition);
}

void CommittedOffsets::put(std::string_view topic, PartitionIndex partition, CommittedOffset what) {
  auto place = stored_.find(topic);
  if (place == stored_.end()) place = stored_.emplace(std::string(topic), Partitions{}).first;
  auto& known = place->second[partition];
  if (known.logged_at <= what.logged_at) known = std::move(what);
}

void CommittedOffsets::pend(ProducerId producer, std::string_view topic, PartitionIndex partition,
                            CommittedOffset what) {
  auto& topics = pending_[producer];
  auto place = topics.find(topic);
  if (place == topics.end()) place = topics.emplace(std::string(topic), Partitions{}).first;
  auto& known = place->second[partition];
  if (known.logged_at <= what.logged_at) known = std::move(what);
}

void CommittedOffsets::drop_pending(ProducerId producer, std::string_view topic, PartitionIndex partition) {
  const auto topics = pending_.find(producer);
  if (topics == pending_.end()) return;
  erase_from(topics->second, topic, partition);
  if (topics->second.empty()) pending_.erase(topics);
}

void CommittedOffsets::end_transaction(ProducerId producer, bool commit) {
  const auto topics = pending_.find(producer);
  if (topics == pending_.end()) return;
  auto ended = std::move(topics->second);
  pending_.erase(topics);
  if (!commit) return;
  for (auto& [topic, partitions] : ended)
    for (auto& [partition, offset] : partitions)
      if (offset.logged_at != base::kNoOffset) put(topic, partition, std::move(offset));
}

bool CommittedOffsets::remove(std::string_view topic, PartitionIndex partition) {
  return erase_from(stored_, topic, partition);
}

std::vector<TopicPartition> CommittedOffsets::expired(const Retention& retention,
                                                      const std::function<bool(std::string_view topic)>& wanted) const {
  std::vector<TopicPartition> out;
  for (const auto& [topic, partitions] : stored_) {
    if (wanted(topic)) continue;
    for (const auto& [partition, offset] : partitions) {
      const bool over = offset.expires
                            ? *offset.expires <= retention.now
                            : retention.now - retention.unused_since.value_or(offset.committed) >= retention.keep;
      if (over && !in_flight_.contains(TopicPartition{topic, partition})) out.push_back({topic, partition});
    }
  }
  return out;
}

std::vector<TopicPartition> CommittedOffsets::of_topic(std::string_view topic) const {
  std::vector<TopicPartition> out;
  if (const auto partitions = stored_.find(topic); partitions != stored_.end())
    for (const auto& [partition, offset] : partitions->second) out.push_back({partitions->first, partition});
  return out;
}

std::vector<TopicPartition> CommittedOffsets::all() const {
  std::vector<TopicPartition> out;
  for_each([&](const std::string& topic, PartitionIndex partition, const CommittedOffset&) {
    out.push_back({topic, partition});
  });
  return out;
}

}  // namespace broker
