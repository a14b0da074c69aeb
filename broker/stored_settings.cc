#include "broker/stored_settings.h"

#include "base/logging.h"
#include "replication/coordination/znodes.h"

namespace broker {

namespace paths = replication::paths;
using replication::StoreCode;

namespace {

base::Result<config::Texts> overrides_in(const std::string& path, const replication::Reply<replication::Node>& node) {
  if (node.code == StoreCode::no_node) return config::Texts{};
  if (!node.ok()) return replication::store_error(node.code, path);
  if (node.value.data.empty()) return config::Texts{};
  auto entries = replication::decode_config(path, node.value.data);
  if (!entries) return entries.error();
  return config::Texts(entries->begin(), entries->end());
}

}  // namespace

std::vector<base::Result<config::Texts>> load_overrides(replication::BlockingStore& store, std::string_view type,
                                                        const std::vector<std::string>& names) {
  std::vector<std::string> nodes;
  for (const auto& name : names) nodes.push_back(paths::config(type, name));
  const auto replies = store.get_all(nodes);
  std::vector<base::Result<config::Texts>> overrides;
  for (std::size_t i = 0; i < nodes.size(); ++i) overrides.push_back(overrides_in(nodes[i], replies[i]));
  return overrides;
}

base::Status load_stored_settings(replication::BlockingStore& store, base::BrokerId self,
                                  config::DynamicSettings& settings) {
  const base::Logger log{"kafka.server.DynamicBrokerConfig"};
  const auto say = [&](const std::vector<std::string>& problems) {
    for (const auto& problem : problems) log.warn("{}", problem);
  };
  const auto brokers = load_overrides(store, "brokers", {std::string(paths::kDefaultEntity), std::to_string(self.raw)});
  for (const auto& found : brokers)
    if (!found) return found.error();
  say(settings.set_cluster_overrides(*brokers[0]));
  say(settings.set_broker_overrides(*brokers[1]));

  const auto topics = store.children("/config/topics");
  if (!topics.ok() && topics.code != StoreCode::no_node) return replication::store_error(topics.code, "/config/topics");
  std::map<std::string, config::Texts> overrides;
  auto loaded = load_overrides(store, "topics", topics.value);
  for (std::size_t i = 0; i < loaded.size(); ++i) {
    const auto& topic = topics.value[i];
    if (!loaded[i] && loaded[i].error().code == base::ErrorCode::corrupt_message) {
      // One damaged node must not keep the broker from starting; the topic runs with the broker's settings.
      log.error("Ignoring the configuration of topic {}: {}", topic, loaded[i].error().text());
      continue;
    }
    if (!loaded[i]) return loaded[i].error();
    if (!loaded[i]->empty()) overrides.emplace(topic, std::move(*loaded[i]));
  }
  settings.set_all_topic_overrides(overrides);
  return {};
}

}  // namespace broker
