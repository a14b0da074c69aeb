#include "replication/partition/partition_settings.h"

namespace replication {
namespace {

std::optional<protocol::Codec> codec_of(const config::TopicSettings& topic) {
  switch (topic.compression()) {
    case config::CompressionType::producer:
      return std::nullopt;
    case config::CompressionType::uncompressed:
      return protocol::Codec::none;
    case config::CompressionType::gzip:
      return protocol::Codec::gzip;
    case config::CompressionType::snappy:
      return protocol::Codec::snappy;
    case config::CompressionType::lz4:
      return protocol::Codec::lz4;
    case config::CompressionType::zstd:
      return protocol::Codec::zstd;
  }
  return std::nullopt;
}

int level_of(const config::TopicSettings& topic) {
  switch (topic.compression()) {
    case config::CompressionType::gzip:
      return topic.compression_gzip_level;
    case config::CompressionType::lz4:
      return topic.compression_lz4_level;
    case config::CompressionType::zstd:
      return topic.compression_zstd_level;
    default:
      return protocol::kDefaultLevel;
  }
}

}  // namespace

PartitionSettings PartitionSettings::of(const config::TopicSettings& topic) {
  PartitionSettings out;
  out.admission.max_batch_bytes = static_cast<std::size_t>(topic.max_message_bytes);
  out.admission.segment_bytes = static_cast<std::size_t>(topic.segment_bytes);
  out.admission.compacted = topic.compacts();
  out.admission.timestamps = topic.timestamp_type() == config::TimestampType::log_append_time
                                 ? protocol::TimestampType::log_append_time
                                 : protocol::TimestampType::create_time;
  out.admission.before_max = std::chrono::milliseconds(topic.timestamp_before_max_ms());
  out.admission.after_max = std::chrono::milliseconds(topic.timestamp_after_max_ms());
  out.admission.codec = codec_of(topic);
  out.admission.level = level_of(topic);
  out.log = storage::LogSettings::from(topic);
  out.min_insync_replicas = topic.min_insync_replicas;
  out.down_conversion = topic.message_downconversion_enable;
  out.compresses_zstd = topic.compression() == config::CompressionType::zstd;
  return out;
}

}  // namespace replication
