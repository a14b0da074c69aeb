// What one topic is set to: the broker's settings with the topic's own overrides on top.
//
// Members are spelled like their keys and keep Kafka's units (_ms, _bytes). The table is topic_settings.inc.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/broker_settings.h"
#include "config/setting.h"
#include "config/value.h"

namespace config {

enum class CompressionType { producer, uncompressed, gzip, snappy, lz4, zstd };
enum class TimestampType { create_time, log_append_time };

struct TopicFields {
#define WEIR_TOPIC_SETTING(field, key, type, ...) type::Field field{};
#include "config/topic_settings.inc"
#undef WEIR_TOPIC_SETTING
};

// An immutable value, handed out behind shared_ptr<const TopicSettings>.
struct TopicSettings : TopicFields {
  // A topic without overrides on that broker; by default, on one with default settings.
  explicit TopicSettings(const BrokerSettings& broker = BrokerSettings());

  // With overrides as they are stored. Strict about what this release knows is wrong; keys no table knows and values
  // that do not parse may come from another release of Kafka and leave the broker's value in force.
  static TopicSettings with(const BrokerSettings& broker, const Texts& overrides);

  // --- the same facts in the form rules want them ---
  CompressionType compression() const;   // compression.type
  TimestampType timestamp_type() const;  // message.timestamp.type
  // The format records are kept in, 0 to 2: message.format.version, or the newest when the inter-broker protocol is 3.0
  // or later, whatever was set.
  int record_version() const;
  bool deletes() const;                          // cleanup.policy holds delete
  bool compacts() const;                         // cleanup.policy holds compact
  std::int64_t timestamp_before_max_ms() const;  // message.timestamp.before.max.ms, or else .difference.max.ms
  std::int64_t timestamp_after_max_ms() const;   // message.timestamp.after.max.ms, or else .difference.max.ms
  // The age at which the active segment rolls: segment.ms, and for compacted topics at most max.compaction.lag.ms.
  std::int64_t roll_ms() const;
  // segment.jitter.ms, never more than the roll age.
  std::int64_t roll_jitter_ms() const;

  bool operator==(const TopicSettings& other) const;

 private:
  bool keeps_newest_format_ = true;  // the inter-broker protocol says so
};

// A row of the table together with its member.
struct TopicSetting : Setting {
  std::string_view broker_key;  // "" when none
  void (*assign)(TopicFields&, const Value&);
  Value (*value)(const TopicFields&);
  Value (*inherited)(const BrokerSettings&);
};

std::span<const TopicSetting> topic_settings();
const TopicSetting* find_topic_setting(std::string_view name);

// What CreateTopics and AlterConfigs must refuse, with Kafka's text: INVALID_CONFIG
// "Unknown topic config name: foo", "Invalid value x for configuration retention.ms: Not a number of type LONG", ...
base::Status validate_topic_overrides(const BrokerSettings& broker, const Texts& overrides);

}  // namespace config
