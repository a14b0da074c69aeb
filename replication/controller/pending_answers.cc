#include "replication/controller/pending_answers.h"

namespace replication {

bool shows_leaders(const ClusterMetadata& metadata, const TopicResult& result) {
  const auto topic = metadata.find_topic(result.name);
  return topic && topic->partitions.size() >= static_cast<std::size_t>(result.partitions) &&
         std::ranges::all_of(topic->partitions,
                             [](const PartitionInfo& partition) { return partition.leader.raw >= 0; });
}

bool shows_no_topic(const ClusterMetadata& metadata, const TopicResult& result) {
  return !metadata.find_topic(result.name);
}

}  // namespace replication
