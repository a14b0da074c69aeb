#include "config/topic_settings.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace config {
namespace {

constexpr auto kNoLimit = std::numeric_limits<std::int64_t>::max();

template <class Kind, auto kMember>
TopicSetting row(std::string_view key, Bounds bounds, std::string_view broker_key,
                 Value (*inherited)(const BrokerSettings&), Effect effect, Importance importance,
                 std::string_view doc) {
  return {Setting{.name = key,
                  .type = Kind::type,
                  .nullable = false,
                  .default_text = none,
                  .bounds = bounds,
                  .scope = Scope::broker,
                  .change = Change::cluster_wide,
                  .effect = effect,
                  .importance = importance,
                  .doc = doc},
          broker_key, [](TopicFields& fields, const Value& value) { Kind::assign(fields.*kMember, value); },
          [](const TopicFields& fields) { return Kind::value(fields.*kMember); }, inherited};
}

std::vector<TopicSetting> make_table() {
  using enum Effect;
  using enum Importance;
  return {
#define WEIR_TOPIC_SETTING(field, key, type, bounds, broker_key, value, ...) \
  row<type, &TopicFields::field>(                                            \
      key, bounds, broker_key,                                               \
      []([[maybe_unused]] const BrokerSettings& broker) -> Value { return type::Field(value); }, __VA_ARGS__),
#include "config/topic_settings.inc"
#undef WEIR_TOPIC_SETTING
  };
}

struct Table {
  std::vector<TopicSetting> rows = make_table();
  absl::flat_hash_map<std::string_view, const TopicSetting*> by_name;

  Table() {
    for (const auto& setting : rows)
      base::invariant(by_name.emplace(setting.name, &setting).second, "each key stands once in the table");
  }
};

const Table& table() {
  static const Table the_table;  // built once, never changed
  return the_table;
}

bool holds(const std::vector<std::string>& items, std::string_view item) {
  return std::find(items.begin(), items.end(), item) != items.end();
}

// Rules between keys, over the effective values. The words are Kafka's (LogConfig.validateValues, 2.7 to 3.9).
base::Status check_together(const BrokerSettings& broker, const TopicSettings& topic) {
  using base::ErrorCode;
  if (topic.min_compaction_lag_ms > topic.max_compaction_lag_ms)
    return base::fail(ErrorCode::invalid_config,
                      "conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})",
                      topic.min_compaction_lag_ms, topic.max_compaction_lag_ms);
  if (topic.remote_storage_enable && !broker.remote_log_storage_system_enable)
    return base::fail(ErrorCode::invalid_config,
                      "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote "
                      "log storage.");
  if (topic.remote_log_copy_disable || topic.remote_log_delete_on_disable)
    return base::fail(ErrorCode::invalid_config,
                      "It is invalid to set `remote.log.delete.on.disable` or `remote.log.copy.disable` under "
                      "Zookeeper's mode.");
  return {};
}

}  // namespace

TopicSettings::TopicSettings(const BrokerSettings& broker) {
  for (const auto& setting : topic_settings()) setting.assign(*this, setting.inherited(broker));
  keeps_newest_format_ = broker.keeps_newest_format();
}

TopicSettings TopicSettings::with(const BrokerSettings& broker, const Texts& overrides) {
  TopicSettings topic(broker);
  for (const auto& [name, text] : overrides) {
    const auto* setting = find_topic_setting(name);
    if (!setting) continue;
    if (auto value = parse(*setting, text)) setting->assign(topic, *value);
  }
  return topic;
}

CompressionType TopicSettings::compression() const {
  if (compression_type == "producer") return CompressionType::producer;
  if (compression_type == "gzip") return CompressionType::gzip;
  if (compression_type == "snappy") return CompressionType::snappy;
  if (compression_type == "lz4") return CompressionType::lz4;
  if (compression_type == "zstd") return CompressionType::zstd;
  return CompressionType::uncompressed;
}

TimestampType TopicSettings::timestamp_type() const {
  return message_timestamp_type == "LogAppendTime" ? TimestampType::log_append_time : TimestampType::create_time;
}

int TopicSettings::record_version() const {
  const auto version = find_protocol_version(message_format_version);
  base::invariant(version.has_value(), "message.format.version was checked when it was set");
  return keeps_newest_format_ ? 2 : version->record_version();
}

bool TopicSettings::deletes() const { return holds(cleanup_policy, "delete"); }
bool TopicSettings::compacts() const { return holds(cleanup_policy, "compact"); }

std::int64_t TopicSettings::timestamp_before_max_ms() const {
  return message_timestamp_before_max_ms != kNoLimit ? message_timestamp_before_max_ms
                                                     : message_timestamp_difference_max_ms;
}

std::int64_t TopicSettings::timestamp_after_max_ms() const {
  return message_timestamp_after_max_ms != kNoLimit ? message_timestamp_after_max_ms
                                                    : message_timestamp_difference_max_ms;
}

std::int64_t TopicSettings::roll_ms() const {
  return compacts() ? std::min(segment_ms, max_compaction_lag_ms) : segment_ms;
}

std::int64_t TopicSettings::roll_jitter_ms() const { return std::min(segment_jitter_ms, segment_ms); }

bool TopicSettings::operator==(const TopicSettings& other) const {
  return std::all_of(topic_settings().begin(), topic_settings().end(),
                     [&](const TopicSetting& setting) { return setting.value(*this) == setting.value(other); });
}

std::span<const TopicSetting> topic_settings() { return table().rows; }

const TopicSetting* find_topic_setting(std::string_view name) {
  const auto found = table().by_name.find(name);
  return found == table().by_name.end() ? nullptr : found->second;
}

base::Status validate_topic_overrides(const BrokerSettings& broker, const Texts& overrides) {
  for (const auto& [name, text] : overrides)
    if (!find_topic_setting(name))
      return base::fail(base::ErrorCode::invalid_config, "Unknown topic config name: {}", name);
  for (const auto& [name, text] : overrides)
    if (auto value = parse(*find_topic_setting(name), text); !value) return value.error();
  return check_together(broker, TopicSettings::with(broker, overrides));
}

}  // namespace config
