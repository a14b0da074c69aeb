#include "replication/partition/partition_settings.h"

namespace replication {

PartitionSettings PartitionSettings::of(const config::TopicSettings& topic) {
  PartitionSettings out;
  out.admission = storage::admission_rules(topic);
  out.log = storage::LogSettings::from(topic);
  out.min_insync_replicas = topic.min_insync_replicas;
  out.down_conversion = topic.message_downconversion_enable;
  out.compresses_zstd = topic.compression() == config::CompressionType::zstd;
  out.throttled_followers = ThrottledReplicas(topic.follower_replication_throttled_replicas);
  out.throttled_leaders = ThrottledReplicas(topic.leader_replication_throttled_replicas);
  return out;
}

}  // namespace replication
