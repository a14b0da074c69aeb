// Brokers come and go: what the controller then does.
#include "replication/controller/broker_changes.h"

#include <algorithm>
#include <charconv>

#include "replication/controller/controller.h"
#include "replication/controller/partition_steps.h"

namespace replication {

BrokerChanges compare(const std::map<base::BrokerId, LiveBroker>& before,
                      const std::map<base::BrokerId, LiveBroker>& now) {
  BrokerChanges changes;
  for (const auto& [id, broker] : before) {
    const auto found = now.find(id);
    if (found == now.end() || found->second.epoch != broker.epoch)
      changes.left.insert(id);
    else if (found->second != broker)
      changes.moved = true;
  }
  for (const auto& [id, broker] : now) {
    const auto found = before.find(id);
    if (found == before.end() || found->second.epoch != broker.epoch) changes.came.insert(id);
  }
  return changes;
}

std::map<base::BrokerId, std::set<base::TopicPartition>> unnoticed_returns(const ControllerState& state) {
  std::map<base::BrokerId, std::set<base::TopicPartition>> returned;
  for (const auto& partition : led_partitions(state)) {
    const auto* leadership = state.find_leadership(partition);
    const auto lives_since = [&](base::BrokerId id) {
      const auto broker = state.brokers.find(id);
      return broker != state.brokers.end() && broker->second.epoch <= leadership->found_zxid;
    };
    if (leadership->found_zxid == 0 || std::ranges::none_of(leadership->node.isr, lives_since)) continue;
    for (const auto id : leadership->node.isr)
      if (state.is_live(id) && !lives_since(id)) returned[id].insert(partition);
  }
  return returned;
}

// None: the store is gone.
Task<std::optional<Controller::Brokers>> Controller::read_brokers() {
  const std::string parent(paths::kBrokerIds);
  const auto ids = co_await async_.children(parent);
  if (!ids.ok()) co_return std::nullopt;
  std::vector<std::string> nodes;
  for (const auto& id : ids.value) nodes.push_back(parent + "/" + id);
  const auto replies = co_await async_.get_all(nodes);
  Brokers brokers;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (replies[i].code == StoreCode::no_node) continue;
    if (!replies[i].ok()) co_return std::nullopt;
    const auto& name = ids.value[i];
    base::BrokerId id;
    if (const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id.raw);
        error != std::errc() || end != name.data() + name.size() || id.raw < 0) {
      log_.error("{} is no broker's registration: it is left out", nodes[i]);
      continue;
    }
    const auto epoch = replies[i].value.stat.czxid;
    auto node = decode_broker(nodes[i], replies[i].value.data);
    if (node.ok()) {
      brokers[id] = {.id = id, .endpoints = std::move(node->endpoints), .rack = std::move(node->rack), .epoch = epoch};
      continue;
    }
    // Whoever spoilt the node of a broker that lives has not killed it.
    const auto known = state_.brokers.find(id);
    const bool same_life = known != state_.brokers.end() && known->second.epoch == epoch;
    log_.error("the registration of broker {} is {}: {}", id, same_life ? "taken as it was" : "left out",
               node.error().detail);
    if (same_life) brokers[id] = known->second;
  }
  for (const auto& [id, broker] : brokers) {
    auto& watch = broker_watches_[id];
    if (!watch)
      watch = store_.watch_data(paths::broker(id),
                                [this] { enqueue_once("brokers", [this] { return brokers_changed(); }); });
  }
  std::erase_if(broker_watches_, [&](const auto& watch) { return !brokers.contains(watch.first); });
  co_return brokers;
}

Task<void> Controller::brokers_changed() {
  if (!active_) co_return;
  auto now = co_await read_brokers();
  if (!active_ || !now) co_return;
  const auto changes = compare(state_.brokers, *now);
  if (!changes.left.empty()) co_await brokers_left(changes.left);
  if (!active_ || fenced_.lost()) co_return;
  if (!changes.came.empty()) {
    co_await brokers_came(changes.came, *now);
  } else if (changes.moved) {
    state_.brokers = std::move(*now);
    announcer_.tell_brokers();
    announcer_.send(state_);
  }
}

Task<void> Controller::brokers_left(std::set<base::BrokerId> left) {
  for (const auto id : left) {
    log_.info("broker {} is gone", id);
    state_.brokers.erase(id);
    state_.lost.erase(id);
    state_.shutting_down.erase(id);
  }
  interrupt_deletions(left);
  co_await settle();
  if (!active_) co_return;
  // Their replicas are offline now, wherever they had a part.
  for (const auto& partition : partitions_on(state_, left)) announcer_.tell_metadata(describe(state_, partition));
  announcer_.tell_brokers();
  announcer_.send(state_);
}

Task<void> Controller::brokers_came(std::set<base::BrokerId> came, Brokers all) {
  for (const auto id : came) log_.info("broker {} is alive, epoch {}", id, all[id].epoch);
  state_.brokers = std::move(all);
  // Everybody learns who is there; whoever comes learns who leads before it is told whom to follow.
  announcer_.tell_brokers();
  for (const auto& partition : led_partitions(state_)) {
    const auto told = describe(state_, partition);
    for (const auto id : came) announcer_.tell_metadata_to(id, told);
  }
  announcer_.send(state_);

  co_await settle();
  if (!active_ || fenced_.lost()) co_return;
  for (const auto& partition : partitions_on(state_, came)) {
    const auto told = describe(state_, partition);
    std::vector<base::BrokerId> here;
    std::ranges::copy_if(told.replicas, std::back_inserter(here), [&](base::BrokerId id) { return came.contains(id); });
    announcer_.tell_leadership(here, told);
    announcer_.tell_metadata(told);
  }
  announcer_.send(state_);
  co_await resume_moves(came);
  co_await resume_deletions();
}

Task<void> Controller::tell_everything(base::BrokerId broker) {
  if (!active_ || !state_.is_live(broker)) co_return;
  for (const auto& partition : led_partitions(state_)) announcer_.tell_metadata_to(broker, describe(state_, partition));
  announcer_.send(state_);
  for (const auto& partition : partitions_on(state_, {broker}))
    announcer_.tell_leadership({broker}, describe(state_, partition));
  announcer_.send(state_);
  co_await resume_deletions();
}

}  // namespace replication
