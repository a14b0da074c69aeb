#include "storage/log/log_settings.h"

#include "config/topic_settings.h"

namespace storage {
namespace {

RetentionRules retention_rules(const config::TopicSettings& topic) {
  RetentionRules rules{.deletes = topic.deletes()};
  if (topic.retention_ms >= 0) rules.max_age = std::chrono::milliseconds{topic.retention_ms};
  if (topic.retention_bytes >= 0) rules.max_bytes = static_cast<std::uint64_t>(topic.retention_bytes);
  return rules;
}

}  // namespace

LogSettings LogSettings::from(const config::TopicSettings& topic) {
  return {.segment_bytes = static_cast<std::uint64_t>(topic.segment_bytes),
          .roll_after = std::chrono::milliseconds{topic.roll_ms()},
          .roll_jitter = std::chrono::milliseconds{topic.roll_jitter_ms()},
          .index = {.max_bytes = static_cast<std::size_t>(topic.segment_index_bytes),
                    .interval_bytes = static_cast<std::size_t>(topic.index_interval_bytes)},
          .flush_messages = topic.flush_messages,
          .flush_after = std::chrono::milliseconds{topic.flush_ms},
          .preallocate = topic.preallocate,
          .record_version = topic.record_version(),
          .file_delete_delay = std::chrono::milliseconds{topic.file_delete_delay_ms},
          .retention = retention_rules(topic)};
}

}  // namespace storage
