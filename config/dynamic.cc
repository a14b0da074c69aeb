#include "config/dynamic.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "config/load.h"

namespace config {
namespace {

using base::ErrorCode;
using base::fail;

// Stores of keys and trust: changed for one listener at a time, so only with its prefix.
constexpr std::string_view kPerListenerOnly[] = {
    "ssl.keystore.type",          "ssl.keystore.location", "ssl.keystore.password",
    "ssl.key.password",           "ssl.truststore.type",   "ssl.truststore.location",
    "ssl.truststore.password",    "ssl.keystore.key",      "ssl.keystore.certificate.chain",
    "ssl.truststore.certificates"};

// Of the keys with a listener's prefix only these may have a default for all brokers.
constexpr std::string_view kPerListenerClusterKeys[] = {"max.connections", "max.connection.creation.rate",
                                                        "num.network.threads"};

template <class Range>
bool holds(const Range& range, std::string_view item) {
  return std::find(std::begin(range), std::end(range), item) != std::end(range);
}

// Nothing when the key may be changed at that level.
std::string_view refusal(Level level, std::string_view key) {
  const auto* exact = find_broker_setting(key);
  if (exact && exact->scope != Scope::plugin) {
    if (exact->change == Change::read_only) return "Cannot update these configs dynamically";
    if (holds(kPerListenerOnly, key))
      return "These security configs can be dynamically updated only per-listener using the listener prefix";
    if (level == Level::cluster && exact->change == Change::per_broker)
      return "Cannot update these configs at default cluster level, broker id must be specified";
    return {};
  }
  const auto prefixed = split_prefixed_key(key);
  if (level == Level::cluster && prefixed.setting && !holds(kPerListenerClusterKeys, prefixed.setting->name))
    return "Cannot update these configs at default cluster level, broker id must be specified";
  return {};
}

// Those overrides that may take effect; why the others may not is added to `problems`.
Texts usable(Level level, const Texts& overrides, std::vector<std::string>& problems) {
  Texts kept;
  for (const auto& [key, text] : overrides) {
    if (const auto why = refusal(level, key); !why.empty()) {
      problems.push_back(fmt::format("{}: {}", why, key));
      continue;
    }
    if (const auto* setting = find_setting_behind(key))
      if (auto value = parse(*setting, text); !value) {
        problems.push_back(value.error().detail);
        continue;
      }
    kept.emplace(key, text);
  }
  return kept;
}

std::shared_ptr<const TopicConfig> topic_config(const BrokerSettings& broker, Texts overrides) {
  auto settings = TopicSettings::with(broker, overrides);
  return std::make_shared<const TopicConfig>(
      TopicConfig{.overrides = std::move(overrides), .settings = std::move(settings)});
}

}  // namespace

std::shared_ptr<const TopicSettings> Snapshot::topic(std::string_view name) const {
  const auto found = topics.find(name);
  if (found == topics.end()) return plain_topic;
  return {found->second, &found->second->settings};
}

Texts Snapshot::topic_overrides(std::string_view name) const {
  const auto found = topics.find(name);
  return found == topics.end() ? Texts{} : found->second->overrides;
}

DynamicSettings::DynamicSettings(BrokerSettings from_file, HostName host_name) : host_name_(std::move(host_name)) {
  auto first = std::make_shared<Snapshot>();
  first->file = std::make_shared<const BrokerSettings>(std::move(from_file));
  first->broker = first->file;
  first->plain_topic = std::make_shared<const TopicSettings>(*first->broker);
  absl::MutexLock lock(&mutex_);
  snapshot_ = std::move(first);
}

std::shared_ptr<const Snapshot> DynamicSettings::snapshot() const {
  absl::ReaderMutexLock lock(&mutex_);
  return snapshot_;
}

void DynamicSettings::subscribe(Subscriber subscriber) {
  absl::MutexLock lock(&mutex_);
  subscribers_.push_back(std::move(subscriber));
}

std::vector<std::string> DynamicSettings::set_cluster_overrides(Texts overrides) {
  std::vector<std::string> problems;
  {
    absl::MutexLock one_at_a_time(&changing_);
    auto next = *snapshot();
    next.cluster_overrides = std::move(overrides);
    problems = apply_broker_layers(std::move(next));
  }
  tell({.broker = true, .topics = {}});
  return problems;
}

std::vector<std::string> DynamicSettings::set_broker_overrides(Texts overrides) {
  std::vector<std::string> problems;
  {
    absl::MutexLock one_at_a_time(&changing_);
    auto next = *snapshot();
    next.broker_overrides = std::move(overrides);
    problems = apply_broker_layers(std::move(next));
  }
  tell({.broker = true, .topics = {}});
  return problems;
}

std::vector<std::string> DynamicSettings::apply_broker_layers(Snapshot next) {
  std::vector<std::string> problems;
  auto given = next.file->given;
  for (auto& [key, text] : usable(Level::cluster, next.cluster_overrides, problems)) given[key] = text;
  for (auto& [key, text] : usable(Level::broker, next.broker_overrides, problems)) given[key] = text;

  auto settings = BrokerSettings::from(std::move(given));
  base::Status completed;
  if (settings) {
    if (auto notices = complete(*settings, host_name_); !notices) completed = notices.error();
  } else {
    completed = settings.error();
  }
  // A combination that does not hold leaves everything as it was in force; what is stored is still shown.
  if (completed)
    next.broker = std::make_shared<const BrokerSettings>(std::move(*settings));
  else
    problems.push_back(completed.error().detail);

  next.plain_topic = std::make_shared<const TopicSettings>(*next.broker);
  for (auto& [name, topic] : next.topics) topic = topic_config(*next.broker, topic->overrides);
  absl::MutexLock lock(&mutex_);
  snapshot_ = std::make_shared<const Snapshot>(std::move(next));
  return problems;
}

void DynamicSettings::set_topic_overrides(const std::string& topic, Texts overrides) {
  {
    absl::MutexLock one_at_a_time(&changing_);
    auto next = *snapshot();
    if (overrides.empty())
      next.topics.erase(topic);
    else
      next.topics[topic] = topic_config(*next.broker, std::move(overrides));
    absl::MutexLock lock(&mutex_);
    snapshot_ = std::make_shared<const Snapshot>(std::move(next));
  }
  tell({.broker = false, .topics = {topic}});
}

void DynamicSettings::set_all_topic_overrides(const std::map<std::string, Texts>& topics) {
  std::set<std::string> touched;
  {
    absl::MutexLock one_at_a_time(&changing_);
    auto next = *snapshot();
    for (const auto& [name, topic] : next.topics) touched.insert(name);
    next.topics.clear();
    for (const auto& [name, overrides] : topics) {
      if (overrides.empty()) continue;
      next.topics[name] = topic_config(*next.broker, overrides);
      touched.insert(name);
    }
    absl::MutexLock lock(&mutex_);
    snapshot_ = std::make_shared<const Snapshot>(std::move(next));
  }
  tell({.broker = false, .topics = {touched.begin(), touched.end()}});
}

void DynamicSettings::tell(const SettingsChange& change) {
  std::vector<Subscriber> subscribers;
  std::shared_ptr<const Snapshot> now;
  {
    absl::MutexLock lock(&mutex_);
    subscribers = subscribers_;
    now = snapshot_;
  }
  for (const auto& subscriber : subscribers) subscriber(change, now);
}

base::Status validate_broker_overrides(Level level, const Texts& overrides) {
  // Kafka names all keys of the first kind of mistake it finds.
  std::map<std::string_view, std::vector<std::string>> refused;
  for (const auto& [key, text] : overrides)
    if (const auto why = refusal(level, key); !why.empty()) refused[why].push_back(key);
  for (const std::string_view why : {"Cannot update these configs dynamically",
                                     "These security configs can be dynamically updated only per-listener using the "
                                     "listener prefix"})
    if (const auto found = refused.find(why); found != refused.end())
      return fail(ErrorCode::invalid_request, "{}: Set({})", why, join(found->second, ", "));
  for (const auto& [key, text] : overrides)
    if (const auto* setting = find_setting_behind(key))
      if (auto value = parse(*setting, text); !value)
        return fail(ErrorCode::invalid_request, "{}", value.error().detail);
  for (const auto& [why, keys] : refused) return fail(ErrorCode::invalid_request, "{}: Set({})", why, join(keys, ", "));
  return {};
}

}  // namespace config
