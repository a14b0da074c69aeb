#include "config/describe.h"

#include <map>

namespace config {
namespace {

// Kafka reads the keys of its plug-ins from the same file but has no definition of them: to it they are unknown.
const BrokerSetting* as_kafka_knows_it(std::string_view name) {
  const auto* setting = find_setting_behind(name);
  return setting && setting->scope != Scope::plugin ? setting : nullptr;
}

// Every source that sets one of `names`, best source first and within it the best name first.
std::vector<Synonym> synonyms_among(const Snapshot& settings, const std::vector<std::string>& names) {
  std::vector<Synonym> synonyms;
  const auto add = [&](const Texts& texts, Source source) {
    for (const auto& name : names) {
      const auto found = texts.find(name);
      if (found == texts.end()) continue;
      const auto* setting = as_kafka_knows_it(name);
      const bool hidden = !setting || setting->sensitive();
      synonyms.push_back({name, hidden ? std::nullopt : std::optional(found->second), source});
    }
  };
  add(settings.broker_overrides, Source::dynamic_broker);
  add(settings.cluster_overrides, Source::dynamic_default_broker);
  add(settings.file->given, Source::static_broker);
  for (const auto& name : names) {
    const auto* setting = find_broker_setting(name);
    if (!setting || !setting->default_text || setting->scope == Scope::plugin) continue;
    synonyms.push_back({name, std::string(*setting->default_text), Source::default_value});
  }
  return synonyms;
}

DescribedSetting describe_broker_key(const Snapshot& settings, const std::string& name) {
  DescribedSetting described{.name = name, .value = {}, .synonyms = synonyms_among(settings, synonyms_of(name))};
  const auto* setting = as_kafka_knows_it(name);
  const auto* exact = find_broker_setting(name);
  if (setting) {
    described.type = setting->type;
    described.documentation = setting->doc;
  }
  described.sensitive = !setting || setting->sensitive();
  // Kafka calls read-only whatever its list of dynamic keys does not hold; prefixed keys are not in that list.
  described.read_only = !setting || !exact || exact->change == Change::read_only || exact->scope == Scope::dynamic_only;
  if (!described.synonyms.empty()) described.source = described.synonyms.front().source;
  if (described.sensitive) return described;
  if (exact) {
    described.value = text_of(exact->value(*settings.broker));
  } else if (const auto given = settings.broker->given.find(name); given != settings.broker->given.end()) {
    described.value = given->second;
  }
  return described;
}

}  // namespace

std::vector<DescribedSetting> describe_topic(const Snapshot& settings, const Texts& overrides) {
  const auto topic = TopicSettings::with(*settings.broker, overrides);
  std::map<std::string, DescribedSetting, std::less<>> sorted;
  for (const auto& setting : topic_settings()) {
    DescribedSetting described{.name = std::string(setting.name), .value = text_of(setting.value(topic))};
    described.type = setting.type;
    described.documentation = setting.doc;
    if (overrides.contains(setting.name))
      described.synonyms.push_back({described.name, described.value, Source::topic});
    // Only the first broker key counts, though others (hours for ms) may have decided the value.
    if (!setting.broker_key.empty())
      for (auto& synonym : synonyms_among(settings, {std::string(setting.broker_key)}))
        described.synonyms.push_back(std::move(synonym));
    if (!described.synonyms.empty()) described.source = described.synonyms.front().source;
    sorted.emplace(described.name, std::move(described));
  }
  for (const auto& [name, text] : overrides) {
    if (find_topic_setting(name)) continue;
    sorted.emplace(name, DescribedSetting{.name = name,
                                          .value = {},
                                          .source = Source::topic,
                                          .sensitive = true,
                                          .synonyms = {{name, std::nullopt, Source::topic}}});
  }
  std::vector<DescribedSetting> all;
  for (auto& [name, described] : sorted) all.push_back(std::move(described));
  return all;
}

std::vector<DescribedSetting> describe_broker(const Snapshot& settings) {
  std::map<std::string, DescribedSetting, std::less<>> sorted;
  const auto add = [&](const std::string& name) {
    if (!sorted.contains(name)) sorted.emplace(name, describe_broker_key(settings, name));
  };
  // Kafka hides its internal keys, and those it does not define, until somebody sets them.
  for (const auto& setting : broker_settings())
    if (setting.scope == Scope::broker || setting.scope == Scope::weir) add(std::string(setting.name));
  for (const auto* layer : {&settings.file->given, &settings.cluster_overrides, &settings.broker_overrides})
    for (const auto& [name, text] : *layer) add(name);
  std::vector<DescribedSetting> all;
  for (auto& [name, described] : sorted) all.push_back(std::move(described));
  return all;
}

std::vector<DescribedSetting> describe_cluster_defaults(const Snapshot& settings) {
  std::vector<DescribedSetting> all;
  for (const auto& [name, text] : settings.cluster_overrides) {
    auto described = describe_broker_key(settings, name);
    std::erase_if(described.synonyms,
                  [](const Synonym& synonym) { return synonym.source != Source::dynamic_default_broker; });
    described.source = described.synonyms.empty() ? Source::default_value : described.synonyms.front().source;
    if (!described.sensitive) described.value = text;
    all.push_back(std::move(described));
  }
  return all;
}

}  // namespace config
