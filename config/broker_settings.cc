#include "config/broker_settings.h"

#include <absl/container/flat_hash_map.h>

#include <array>
#include <limits>

#include "base/check.h"

namespace config {
namespace {

template <class Kind>
constexpr bool kNullable = false;
template <class T>
constexpr bool kNullable<Maybe<T>> = true;

constexpr auto kNoLimit = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kHourMs = 60 * kMinuteMs;

template <class Kind, auto kMember>
BrokerSetting row(Scope scope, std::string_view key, std::optional<std::string_view> default_text, Bounds bounds,
                  Change change, Effect effect, Importance importance, std::string_view doc) {
  return {Setting{.name = key,
                  .type = Kind::type,
                  .nullable = kNullable<Kind>,
                  .default_text = default_text,
                  .bounds = bounds,
                  .scope = scope,
                  .change = change,
                  .effect = effect,
                  .importance = importance,
                  .doc = doc},
          [](BrokerFields& fields, const Value& value) { Kind::assign(fields.*kMember, value); },
          [](const BrokerFields& fields) { return Kind::value(fields.*kMember); }};
}

std::vector<BrokerSetting> make_table() {
  using enum Change;
  using enum Effect;
  using enum Importance;
#define WEIR_SCOPED_SETTING(scope, field, key, type, ...) \
  row<type, &BrokerFields::field>(Scope::scope, key, __VA_ARGS__),
#define WEIR_SETTING(...) WEIR_SCOPED_SETTING(broker, __VA_ARGS__)
  return {
#include "config/broker_settings.inc"
  };
#undef WEIR_SETTING
#undef WEIR_SCOPED_SETTING
}

struct Table {
  std::vector<BrokerSetting> rows = make_table();
  absl::flat_hash_map<std::string_view, const BrokerSetting*> by_name;
  BrokerFields defaults;

  Table() {
    by_name.reserve(rows.size());
    for (const auto& setting : rows) {
      base::invariant(by_name.emplace(setting.name, &setting).second, "each key stands once in the table");
      if (!setting.default_text) continue;
      const auto value = parse(setting, *setting.default_text);
      base::invariant(value.ok(), "a default lies within its own bounds");
      setting.assign(defaults, *value);
    }
  }
};

const Table& table() {
  static const Table the_table;  // built once, never changed
  return the_table;
}

// Keys that may also be set for one SASL mechanism of one listener.
constexpr std::string_view kMechanismKeys[] = {"sasl.jaas.config", "sasl.login.callback.handler.class",
                                               "sasl.login.class", "sasl.server.callback.handler.class",
                                               "connections.max.reauth.ms"};

// Settings of one meaning, best first.
constexpr std::array<std::string_view, 3> kFamilies[] = {
    {"log.retention.ms", "log.retention.minutes", "log.retention.hours"},
    {"log.roll.ms", "log.roll.hours"},
    {"log.roll.jitter.ms", "log.roll.jitter.hours"},
};

}  // namespace

BrokerSettings::BrokerSettings() : BrokerFields(table().defaults) {
  endpoints.bound = {{.name = "PLAINTEXT", .protocol = SecurityProtocol::plaintext, .host = "", .port = 9092}};
  endpoints.advertised = {
      {.name = "PLAINTEXT", .protocol = SecurityProtocol::plaintext, .host = "localhost", .port = 9092}};
  endpoints.inter_broker = "PLAINTEXT";
}

base::Result<BrokerSettings> BrokerSettings::from(Texts given) {
  BrokerSettings settings;
  for (const auto& [name, text] : given) {
    const auto* setting = find_broker_setting(name);
    if (!setting) {
      // An override is checked like the key it overrides.
      const auto prefixed = split_prefixed_key(name);
      if (!prefixed.setting) continue;
      if (auto value = parse(*prefixed.setting, text); !value) return value.error();
      continue;
    }
    auto value = parse(*setting, text);
    if (!value) return value.error();
    setting->assign(settings, *value);
  }
  // broker.id and node.id name the same thing; whoever is set fills the other.
  if (given.contains("node.id") && !given.contains("broker.id")) settings.broker_id = settings.node_id;
  if (given.contains("broker.id") && !given.contains("node.id")) settings.node_id = settings.broker_id;
  settings.given = std::move(given);
  return settings;
}

std::vector<std::string> BrokerSettings::data_directories() const {
  std::vector<std::string> directories;
  for (auto& directory : split_list(log_dirs ? *log_dirs : log_dir))
    if (!directory.empty()) directories.push_back(std::move(directory));
  return directories;
}

std::int64_t BrokerSettings::retention_ms() const {
  const std::int64_t ms = log_retention_ms        ? *log_retention_ms
                          : log_retention_minutes ? *log_retention_minutes * kMinuteMs
                                                  : log_retention_hours * kHourMs;
  return ms < 0 ? -1 : ms;
}

std::int64_t BrokerSettings::roll_ms() const { return log_roll_ms.value_or(log_roll_hours * kHourMs); }

std::int64_t BrokerSettings::roll_jitter_ms() const {
  return log_roll_jitter_ms.value_or(log_roll_jitter_hours * kHourMs);
}

std::int64_t BrokerSettings::flush_ms() const {
  return log_flush_interval_ms.value_or(log_flush_scheduler_interval_ms);
}

std::int64_t BrokerSettings::timestamp_before_max_ms() const {
  return log_message_timestamp_before_max_ms != kNoLimit ? log_message_timestamp_before_max_ms
                                                         : log_message_timestamp_difference_max_ms;
}

std::int64_t BrokerSettings::timestamp_after_max_ms() const {
  return log_message_timestamp_after_max_ms != kNoLimit ? log_message_timestamp_after_max_ms
                                                        : log_message_timestamp_difference_max_ms;
}

std::int32_t BrokerSettings::zookeeper_connect_timeout_ms() const {
  return zookeeper_connection_timeout_ms.value_or(zookeeper_session_timeout_ms);
}

std::int32_t BrokerSettings::threads_moving_logs() const {
  return num_replica_alter_log_dirs_threads.value_or(static_cast<std::int32_t>(data_directories().size()));
}

std::optional<std::string> BrokerSettings::token_secret() const {
  return delegation_token_secret_key ? delegation_token_secret_key : delegation_token_master_key;
}

ProtocolVersion BrokerSettings::protocol_version() const {
  const auto version = find_protocol_version(inter_broker_protocol_version);
  base::invariant(version.has_value(), "inter.broker.protocol.version was checked when it was set");
  return *version;
}

bool BrokerSettings::keeps_newest_format() const { return protocol_version() >= *find_protocol_version("3.0-IV0"); }

std::string BrokerSettings::message_format_version() const {
  return keeps_newest_format() ? "3.0-IV1" : log_message_format_version;
}

Value BrokerSettings::for_listener(std::string_view listener, std::string_view key) const {
  const auto* setting = find_broker_setting(key);
  base::invariant(setting != nullptr, "only keys of the table are asked for by listener");
  for (const auto& [name, text] : given) {
    const auto prefixed = split_prefixed_key(name);
    if (prefixed.setting != setting || !prefixed.mechanism.empty()) continue;
    if (upper_case(prefixed.listener) != upper_case(listener)) continue;
    if (auto value = parse(*setting, text)) return *value;
  }
  return setting->value(*this);
}

std::span<const BrokerSetting> broker_settings() { return table().rows; }

const BrokerSetting* find_broker_setting(std::string_view name) {
  const auto found = table().by_name.find(name);
  return found == table().by_name.end() ? nullptr : found->second;
}

PrefixedKey split_prefixed_key(std::string_view name) {
  constexpr std::string_view kListener = "listener.name.";
  constexpr std::string_view kAuthorizer = "authorizer.";
  if (name.starts_with(kAuthorizer)) {
    const auto rest = name.substr(kAuthorizer.size());
    const bool forwarded = rest.starts_with("zookeeper.ssl.") || rest == "zookeeper.clientCnxnSocket";
    return {.listener = {}, .mechanism = {}, .setting = forwarded ? find_broker_setting(rest) : nullptr};
  }
  if (!name.starts_with(kListener)) return {};
  auto rest = name.substr(kListener.size());
  const auto dot = rest.find('.');
  if (dot == std::string_view::npos || dot == 0) return {};
  const auto listener = rest.substr(0, dot);
  rest.remove_prefix(dot + 1);
  if (const auto* setting = find_broker_setting(rest))
    return {.listener = listener, .mechanism = {}, .setting = setting};
  for (const auto key : kMechanismKeys)
    if (rest.size() > key.size() + 1 && rest.ends_with(key) && rest[rest.size() - key.size() - 1] == '.')
      return {.listener = listener,
              .mechanism = rest.substr(0, rest.size() - key.size() - 1),
              .setting = find_broker_setting(key)};
  return {};
}

bool is_free_form_key(std::string_view name) {
  return name.starts_with("metrics.context.") || name.starts_with("config.providers.") ||
         name == "metrics.jmx.whitelist" || name == "metrics.jmx.blacklist";
}

const BrokerSetting* find_setting_behind(std::string_view name) {
  const auto* setting = find_broker_setting(name);
  return setting ? setting : split_prefixed_key(name).setting;
}

std::vector<std::string> synonyms_of(std::string_view name) {
  for (const auto& family : kFamilies)
    for (const auto member : family) {
      if (member.empty() || member != name) continue;
      std::vector<std::string> names;
      for (const auto each : family)
        if (!each.empty()) names.emplace_back(each);
      return names;
    }
  if (name == "log.flush.interval.ms") return {"log.flush.interval.ms", "log.flush.scheduler.interval.ms"};
  const auto prefixed = split_prefixed_key(name);
  if (prefixed.setting && !prefixed.listener.empty()) return {std::string(name), std::string(prefixed.setting->name)};
  return {std::string(name)};
}

}  // namespace config
