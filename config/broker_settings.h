// What one broker is set to: every key of server.properties as a typed member.
//
// Members are spelled like their keys (num.partitions -> num_partitions) and keep Kafka's units, which the key names:
// _ms, _bytes, _hours. A member is the key's own value; where several keys say the same thing, ask the function that
// knows their order (retention_ms() and the others below).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "config/listeners.h"
#include "config/protocol_version.h"
#include "config/setting.h"
#include "config/value.h"

namespace config {

struct BrokerFields {
#define WEIR_SETTING(field, key, type, ...) type::Field field{};
#define WEIR_SCOPED_SETTING(scope, field, key, type, ...) type::Field field{};
#include "config/broker_settings.inc"
#undef WEIR_SETTING
#undef WEIR_SCOPED_SETTING
};

// A plain value, handed out behind shared_ptr<const BrokerSettings>.
struct BrokerSettings : BrokerFields {
  // Everything at its default, listening on port 9092 of all addresses.
  BrokerSettings();

  // Typed and bounded key by key; keys no table knows are kept in `given` and have no other effect. Rules between keys
  // and the listeners are load.h's business.
  static base::Result<BrokerSettings> from(Texts given);

  // What was set, as it was written, unknown keys included.
  Texts given;
  Listeners endpoints;

  // --- several keys, one meaning; the first set one counts ---
  base::BrokerId id() const { return base::BrokerId{broker_id}; }  // -1: to be generated
  std::vector<std::string> data_directories() const;               // log.dirs, log.dir
  std::int64_t retention_ms() const;                               // log.retention.ms, .minutes, .hours; -1 unlimited
  std::int64_t roll_ms() const;                                    // log.roll.ms, .hours
  std::int64_t roll_jitter_ms() const;                             // log.roll.jitter.ms, .hours
  std::int64_t flush_ms() const;                      // log.flush.interval.ms, log.flush.scheduler.interval.ms
  std::int64_t timestamp_before_max_ms() const;       // log.message.timestamp.before.max.ms, .difference.max.ms
  std::int64_t timestamp_after_max_ms() const;        // log.message.timestamp.after.max.ms, .difference.max.ms
  std::int32_t zookeeper_connect_timeout_ms() const;  // zookeeper.connection.timeout.ms, .session.timeout.ms
  std::int32_t threads_moving_logs() const;           // num.replica.alter.log.dirs.threads, or one per directory
  std::optional<std::string> token_secret() const;    // delegation.token.secret.key, .master.key
  ProtocolVersion protocol_version() const;           // inter.broker.protocol.version
  // From protocol 3.0 on records are kept in the newest format, whatever else is set (KIP-724).
  bool keeps_newest_format() const;
  // log.message.format.version, which counts only while the inter-broker protocol is older than 3.0.
  std::string message_format_version() const;
  // Without zookeeper.connect the broker keeps its own metadata and is alone.
  bool embedded_metadata() const { return !zookeeper_connect || zookeeper_connect->empty(); }

  // The value of listener.name.<listener>.<key>, or else of <key>. `key` is a broker key.
  Value for_listener(std::string_view listener, std::string_view key) const;
};

// A row of the table together with its member.
struct BrokerSetting : Setting {
  void (*assign)(BrokerFields&, const Value&);
  Value (*value)(const BrokerFields&);
};

std::span<const BrokerSetting> broker_settings();
// Exact names only; nullptr when the table has none.
const BrokerSetting* find_broker_setting(std::string_view name);

// What listener.name.<listener>.[<mechanism>.]<key> overrides, or what authorizer.zookeeper.ssl.* stands for;
// `setting` is null when `name` is no such key. `listener` is empty for the latter.
struct PrefixedKey {
  std::string_view listener;
  std::string_view mechanism;
  const BrokerSetting* setting = nullptr;
};
PrefixedKey split_prefixed_key(std::string_view name);

// Keys with a free part whose names alone decide: metrics.context.*, config.providers.*; and two old spellings.
bool is_free_form_key(std::string_view name);

// The setting behind a name, prefixed or not.
const BrokerSetting* find_setting_behind(std::string_view name);

// Where DescribeConfigs and the loader look for a value: `name` and those it falls back on, best first.
std::vector<std::string> synonyms_of(std::string_view name);

}  // namespace config
