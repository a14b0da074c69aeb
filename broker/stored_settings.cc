#include "broker/stored_settings.h"

#include "base/logging.h"
#include "replication/coordination/znodes.h"

namespace broker {

namespace paths = replication::paths;
using replication::StoreCode;

base::Result<config::Texts> load_overrides(replication::BlockingStore& store, std::string_view type,
                                           std::string_view name) {
  const auto path = paths::config(type, name);
  const auto node = store.get(path);
  if (node.code == StoreCode::no_node) return config::Texts{};
  if (!node.ok()) return replication::store_error(node.code, path);
  if (node.value.data.empty()) return config::Texts{};
  auto entries = replication::decode_config(path, node.value.data);
  if (!entries) return entries.error();
  return config::Texts(entries->begin(), entries->end());
}

base::Status load_stored_settings(replication::BlockingStore& store, base::BrokerId self,
                                  config::DynamicSettings& settings) {
  const base::Logger log{"kafka.server.DynamicBrokerConfig"};
  const auto say = [&](const std::vector<std::string>& problems) {
    for (const auto& problem : problems) log.warn("{}", problem);
  };
  auto for_all = load_overrides(store, "brokers", paths::kDefaultEntity);
  if (!for_all) return for_all.error();
  say(settings.set_cluster_overrides(std::move(*for_all)));
  auto for_us = load_overrides(store, "brokers", std::to_string(self.raw));
  if (!for_us) return for_us.error();
  say(settings.set_broker_overrides(std::move(*for_us)));

  const auto topics = store.children("/config/topics");
  if (!topics.ok() && topics.code != StoreCode::no_node) return replication::store_error(topics.code, "/config/topics");
  std::map<std::string, config::Texts> overrides;
  for (const auto& topic : topics.value) {
    auto one = load_overrides(store, "topics", topic);
    if (!one) {
      // One damaged node must not keep the broker from starting; the topic runs with the broker's settings.
      log.error("Ignoring the configuration of topic {}: {}", topic, one.error().text());
      continue;
    }
    if (!one->empty()) overrides.emplace(topic, std::move(*one));
  }
  settings.set_all_topic_overrides(overrides);
  return {};
}

}  // namespace broker
