#include "config/alter.h"

#include <algorithm>
#include <set>

namespace config {
namespace {

using base::ErrorCode;
using base::fail;

std::string_view name_of(std::int8_t operation) {
  switch (operation) {
    case Alteration::set:
      return "SET";
    case Alteration::remove:
      return "DELETE";
    case Alteration::append:
      return "APPEND";
    case Alteration::subtract:
      return "SUBTRACT";
    default:
      return "null";
  }
}

// A key as far as altering it goes.
struct Key {
  bool is_list = false;
  std::string default_text{};
};

Key topic_key(std::string_view name) {
  const auto* setting = find_topic_setting(name);
  if (!setting || setting->type != Type::list) return {};
  return {.is_list = true, .default_text = text_of(setting->inherited(BrokerSettings())).value_or("")};
}

Key broker_key(std::string_view name) {
  const auto* setting = find_setting_behind(name);
  if (!setting || setting->type != Type::list) return {};
  return {.is_list = true, .default_text = std::string(setting->default_text.value_or(""))};
}

// An item comes in once however often it is appended, and goes once for each time it is subtracted.
std::string combined(std::string_view list, const Alteration& alteration) {
  auto items = split_list(list);
  for (auto& item : split_list(*alteration.value)) {
    const auto found = std::find(items.begin(), items.end(), item);
    if (alteration.operation == Alteration::append && found == items.end()) items.push_back(std::move(item));
    if (alteration.operation == Alteration::subtract && found != items.end()) items.erase(found);
  }
  return join(items, ",");
}

base::Result<Texts> alter(Texts overrides, const std::vector<Alteration>& alterations,
                          Key (*key_of)(std::string_view)) {
  for (const auto& alteration : alterations) {
    const auto& name = alteration.name;
    switch (alteration.operation) {
      case Alteration::set:
        overrides.insert_or_assign(name, *alteration.value);
        break;
      case Alteration::remove:
        overrides.erase(name);
        break;
      case Alteration::append:
      case Alteration::subtract: {
        const auto key = key_of(name);
        if (!key.is_list)
          return fail(ErrorCode::invalid_request, "Config value {} is not allowed for config key: {}",
                      alteration.operation == Alteration::append ? "append" : "subtract", name);
        auto& text = overrides.try_emplace(name, key.default_text).first->second;
        text = combined(text, alteration);
        break;
      }
      default:
        return fail(ErrorCode::unknown_server_error, "operation {} on {}", alteration.operation, name);
    }
  }
  return overrides;
}

base::Error bad_value(std::string_view type, std::string_view name, const base::Error& why) {
  return fail(ErrorCode::invalid_request, "Invalid config value for resource ConfigResource(type={}, name='{}'): {}",
              type, name, why.detail);
}

}  // namespace

base::Status check_alterations(const std::vector<Alteration>& alterations) {
  std::set<std::string_view> seen;
  std::vector<std::string> twice;
  std::vector<std::string> without_value;
  for (const auto& alteration : alterations) {
    if (!seen.insert(alteration.name).second) twice.push_back(alteration.name);
    if (alteration.operation != Alteration::remove && !alteration.value)
      without_value.push_back(fmt::format("{}:{}", name_of(alteration.operation), alteration.name));
  }
  if (!twice.empty())
    return fail(ErrorCode::invalid_request, "Error due to duplicate config keys : {}", join(twice, ","));
  if (!without_value.empty())
    return fail(ErrorCode::invalid_request, "Null value not supported for : {}", join(without_value, ","));
  return {};
}

base::Result<Texts> alter_topic(const BrokerSettings& broker, std::string_view name, Texts overrides,
                                const std::vector<Alteration>& alterations) {
  auto altered = alter(std::move(overrides), alterations, topic_key);
  if (!altered) return altered;
  for (const auto& [key, text] : *altered)
    if (const auto* setting = find_topic_setting(key))
      if (auto value = parse(*setting, text); !value) return bad_value("TOPIC", name, value.error());
  if (auto s = validate_topic_overrides(broker, *altered); !s) return s.error();
  return altered;
}

base::Result<Texts> alter_broker(std::string_view name, Texts overrides, const std::vector<Alteration>& alterations) {
  auto altered = alter(std::move(overrides), alterations, broker_key);
  if (!altered) return altered;
  if (auto s = validate_broker_overrides(name.empty() ? Level::cluster : Level::broker, *altered); !s)
    return bad_value("BROKER", name, s.error());
  // Kafka stores them encrypted by password.encoder.secret. Nothing we serve has a use for them yet.
  for (const auto& alteration : alterations)
    if (const auto* setting = find_setting_behind(alteration.name);
        setting && setting->sensitive() && altered->contains(alteration.name))
      return fail(ErrorCode::invalid_request, "{} is a password, which is not kept in the cluster's metadata",
                  alteration.name);
  return altered;
}

}  // namespace config
