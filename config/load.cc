#include "config/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "config/broker_checks.h"
#include "config/properties.h"

namespace config {
namespace {

using base::ErrorCode;
using base::LogLevel;

// What a key was last set to, and where.
struct Entry {
  std::string value;
  int line = 0;  // 0: by --override
};
using Entries = std::map<std::string, Entry, std::less<>>;

std::string place_of(const Entry& entry) { return entry.line == 0 ? "--override" : fmt::format("line {}", entry.line); }

// Passwords hold any character, and a JAAS line may hold one in quotes.
bool keeps_hash(std::string_view key) {
  const auto* setting = find_setting_behind(key);
  if (setting) return setting->sensitive();
  const auto capitals = upper_case(key);
  return capitals.find("PASSWORD") != std::string::npos || capitals.find("SECRET") != std::string::npos ||
         capitals.find("JAAS") != std::string::npos;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

// As much of a key as may be worth comparing or printing.
std::string_view comparable(std::string_view key) {
  constexpr std::size_t kLongestKey = 200;  // three times the longest known one
  return key.substr(0, kLongestKey);
}

std::string_view nearest_key(std::string_view key) {
  std::string_view nearest;
  auto best = std::string_view::npos;
  for (const auto& setting : broker_settings()) {
    const auto distance = edit_distance(comparable(key), setting.name);
    if (distance < best) best = distance, nearest = setting.name;
  }
  return nearest;
}

struct Reading {
  Entries entries;
  std::vector<Notice> notices;
};

base::Result<Reading> read_entries(std::string_view text, const std::vector<std::string>& overrides,
                                   const std::string& file_name) {
  auto properties = parse_properties(text, keeps_hash);
  if (!properties) return base::fail(ErrorCode::invalid_config, "{} {}", file_name, properties.error().detail);
  Reading reading;
  for (auto& property : *properties) {
    if (property.comment_dropped)
      reading.notices.push_back(
          {LogLevel::warn, fmt::format("{} line {}: the comment behind the value of {} is not part of the value (write "
                                       "\\# for a # that is)",
                                       file_name, property.line, property.key)});
    const auto [entry, fresh] = reading.entries.try_emplace(property.key);
    if (!fresh)
      reading.notices.push_back(
          {LogLevel::warn, fmt::format("{}: {} is set on line {} and again on line {}; the last "
                                       "one counts",
                                       file_name, property.key, entry->second.line, property.line)});
    entry->second = {.value = std::move(property.value), .line = property.line};
  }
  for (const auto& text_of_override : overrides) {
    const auto equals = text_of_override.find('=');
    if (equals == std::string::npos || equals == 0)
      return base::fail(ErrorCode::invalid_config, "--override {}: expected property=value", text_of_override);
    reading.entries[text_of_override.substr(0, equals)] = {.value = text_of_override.substr(equals + 1), .line = 0};
  }
  return reading;
}

// The only key whose value for one listener differs from the broker's own.
constexpr std::string_view kOverriddenByListener = "max.connections";

// Set to something other than its default, and nothing comes of it.
bool is_without_effect(const Setting& setting, const std::string& key, const Entry& entry) {
  if (setting.name != key) return setting.name != kOverriddenByListener;
  if (setting.effect != Effect::not_yet) return false;
  return !setting.default_text || *parse(setting, entry.value) != *parse(setting, *setting.default_text);
}

// One line for each key that will not do what its writer may expect.
std::optional<Notice> notice_about(const std::string& key, const Entry& entry) {
  const auto* setting = find_setting_behind(key);
  if (is_free_form_key(key) || (setting && setting->effect == Effect::ignored))
    return Notice{LogLevel::info,
                  fmt::format("{} ({}) has no meaning for a native broker and is ignored", key, place_of(entry))};
  if (setting && setting->scope == Scope::dynamic_only)
    return Notice{LogLevel::info,
                  fmt::format("{} ({}) is only ever set while the broker runs (kafka-configs.sh) and is "
                              "ignored here",
                              key, place_of(entry))};
  if (setting && is_without_effect(*setting, key, entry))
    return Notice{LogLevel::warn, fmt::format("{}={} ({}) has no effect yet: this release does not have what it is for",
                                              key, setting->sensitive() ? "[hidden]" : entry.value, place_of(entry))};
  if (setting) return std::nullopt;
  return Notice{LogLevel::warn, fmt::format("unknown key {} ({}) is ignored; the nearest known key is {}",
                                            comparable(key), place_of(entry), nearest_key(key))};
}

// ${provider:path:key} would have to be replaced before anything else; taken literally it would be a wrong secret.
base::Status refuse_placeholders(const Entries& entries) {
  const auto providers = entries.find("config.providers");
  if (providers == entries.end()) return {};
  for (const auto& provider : split_list(providers->second.value))
    for (const auto& [key, entry] : entries)
      if (entry.value.find(fmt::format("${{{}:", provider)) != std::string::npos)
        return base::fail(ErrorCode::invalid_config,
                          "{}: the value of {} refers to the configuration provider {}, and a native broker has none; "
                          "write the value itself",
                          place_of(entry), key, provider);
  return {};
}

base::Error bad_value(const std::string& key, const Entry& entry, const Setting& setting, const base::Error& why) {
  return base::fail(ErrorCode::invalid_config, "{}: {} (allowed for {}: {})", place_of(entry), why.detail, key,
                    allowed(setting));
}

std::string with_places(const Violation& violation, const Entries& entries) {
  std::vector<std::string> places;
  for (const auto key : violation.keys) {
    const auto entry = entries.find(key);
    if (entry == entries.end()) continue;
    places.push_back(fmt::format("{}={}, {}", key, entry->second.value, place_of(entry->second)));
  }
  return places.empty() ? violation.text : fmt::format("{} ({})", violation.text, join(places, "; "));
}

constexpr std::string_view kListenerKeys[] = {"listeners",
                                              "advertised.listeners",
                                              "listener.security.protocol.map",
                                              "inter.broker.listener.name",
                                              "security.inter.broker.protocol",
                                              "control.plane.listener.name",
                                              "host.name",
                                              "port",
                                              "advertised.host.name",
                                              "advertised.port"};

base::Result<ListenersOutcome> listeners_of(const BrokerSettings& settings, const HostName& host_name) {
  return work_out_listeners(
      {.settings = settings, .inter_broker_protocol_given = settings.given.contains("security.inter.broker.protocol")},
      host_name);
}

}  // namespace

base::Result<LoadedSettings> load_broker_settings(std::string_view file_text, const std::vector<std::string>& overrides,
                                                  const Environment& environment) {
  auto reading = read_entries(file_text, overrides, environment.file_name);
  if (!reading) return reading.error();
  const auto& entries = reading->entries;
  if (auto refused = refuse_placeholders(entries); !refused) return refused.error();

  LoadedSettings loaded;
  loaded.notices = std::move(reading->notices);
  std::vector<const Entries::value_type*> in_order;
  for (const auto& entry : entries) in_order.push_back(&entry);
  std::stable_sort(in_order.begin(), in_order.end(), [](const auto* a, const auto* b) {
    constexpr int kLast = 1 << 30;
    return (a->second.line ? a->second.line : kLast) < (b->second.line ? b->second.line : kLast);
  });

  Texts given;
  for (const auto* each : in_order) {
    const auto& [key, entry] = *each;
    const auto* setting = find_setting_behind(key);
    if (setting)
      if (auto value = parse(*setting, entry.value); !value) return bad_value(key, entry, *setting, value.error());
    if (auto notice = notice_about(key, entry)) loaded.notices.push_back(std::move(*notice));
    if (!setting || setting->scope != Scope::dynamic_only) given.emplace(key, entry.value);
  }

  auto settings = BrokerSettings::from(std::move(given));
  if (!settings) return settings.error();
  loaded.settings = std::move(*settings);
  if (const auto violation = find_violation(loaded.settings))
    return base::fail(ErrorCode::invalid_config, "{}", with_places(*violation, entries));
  auto outcome = listeners_of(loaded.settings, environment.host_name);
  if (!outcome)
    return base::fail(
        ErrorCode::invalid_config, "{}",
        with_places({.text = outcome.error().detail, .keys = {std::begin(kListenerKeys), std::end(kListenerKeys)}},
                    entries));
  loaded.settings.endpoints = std::move(outcome->listeners);
  for (auto& text : outcome->notices) loaded.notices.push_back({LogLevel::info, std::move(text)});
  return loaded;
}

base::Result<LoadedSettings> load_broker_settings_file(base::FileSystem& files, const std::string& path,
                                                       const std::vector<std::string>& overrides,
                                                       Environment environment) {
  auto text = base::read_file(files, path);
  if (!text) return text.error();
  environment.file_name = path;
  return load_broker_settings(*text, overrides, environment);
}

base::Result<std::vector<std::string>> complete(BrokerSettings& settings, const HostName& host_name) {
  if (const auto violation = find_violation(settings))
    return base::fail(ErrorCode::invalid_config, "{}", violation->text);
  auto outcome = listeners_of(settings, host_name);
  if (!outcome) return outcome.error();
  settings.endpoints = std::move(outcome->listeners);
  return std::move(outcome->notices);
}

}  // namespace config
