// The controller's answers to changes in the store: brokers come and go, topics appear and grow.
#include <algorithm>

#include "replication/controller/controller.h"
#include "replication/controller/partition_steps.h"

namespace replication {

void Controller::watch_cluster() {
  cluster_watches_.push_back(store_.watch_children(
      std::string(paths::kBrokerIds), [this] { enqueue_once("brokers", [this] { return brokers_changed(); }); }));
  cluster_watches_.push_back(store_.watch_children(
      std::string(paths::kTopics), [this] { enqueue_once("topics", [this] { return topics_changed(); }); }));
  cluster_watches_.push_back(store_.watch_children(std::string(paths::kDeleteTopics), [this] {
    enqueue_once("deletions", [this] { return deletions_changed(); });
  }));
  cluster_watches_.push_back(store_.watch_children(std::string(paths::kLogDirEvents), [this] {
    enqueue_once("log directories", [this] { return log_dirs_failed(); });
  }));
}

void Controller::watch_topic(const std::string& topic) {
  auto& watch = topic_watches_[topic];
  if (watch) return;
  watch = store_.watch_data(paths::topic(topic), [this, topic] {
    enqueue_once("topic " + topic, [this, topic] { return topic_changed(topic); });
  });
}

Task<void> Controller::brokers_changed() {
  if (!active_) co_return;
  const auto before = state_.brokers;
  const bool loaded = co_await load_brokers();
  if (!loaded || state_.brokers == before) co_return;
  for (const auto& [id, broker] : state_.brokers)
    if (!before.contains(id)) log_.info("broker {} is alive, epoch {}", id, broker.epoch);
  for (const auto& [id, broker] : before)
    if (!state_.brokers.contains(id)) log_.info("broker {} is gone", id);
  // A broker that has started anew tells again what it has lost.
  std::erase_if(state_.lost, [&](const auto& lost) {
    const auto now = state_.brokers.find(lost.first), then = before.find(lost.first);
    return now == state_.brokers.end() || then == before.end() || now->second.epoch != then->second.epoch;
  });
  announcer_.tell_brokers();
  announcer_.send(state_);
  co_await bring_online(due_elections(state_));
  co_await resume_deletions();
}

Task<void> Controller::topics_changed() {
  if (!active_) co_return;
  const auto names = co_await async_.children(std::string(paths::kTopics));
  if (!names.ok()) co_return;
  for (auto known = state_.topics.begin(); known != state_.topics.end();) {
    const auto here = known++;
    if (std::ranges::binary_search(names.value, here->first) || state_.deleting.contains(here->first)) continue;
    log_.warn("topic {} has vanished from the metadata store; its logs stay where they are", here->first);
    topic_watches_.erase(here->first);
    state_.topics.erase(here);
  }
  std::vector<std::string> added;
  std::ranges::copy_if(names.value, std::back_inserter(added),
                       [&](const std::string& name) { return !state_.topics.contains(name); });
  if (added.empty()) co_return;
  const bool loaded = co_await add_topics(added);
  if (loaded) co_await bring_online(due_elections(state_));
}

// Takes in topics that stand in the store, with what leadership they have.
Task<bool> Controller::add_topics(std::vector<std::string> names) {
  std::vector<std::string> nodes;
  for (const auto& name : names) {
    watch_topic(name);
    nodes.push_back(paths::topic(name));
  }
  const auto replies = co_await async_.get_all(nodes);
  std::vector<std::string> added;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (replies[i].code == StoreCode::no_node) continue;
    if (!replies[i].ok()) co_return false;
    auto node = decode_topic(nodes[i], replies[i].value.data);
    if (!node.ok()) {
      // One broken node must not stop all others. When it is repaired its watch brings it in.
      log_.error("a topic is left out: {}", node.error().detail);
      continue;
    }
    state_.topics[names[i]] = TopicState{.node = std::move(*node)};
    added.push_back(names[i]);
  }
  if (settings_.topic_ids) {
    const bool written = co_await add_missing_ids(added);
    if (!written) co_return false;
  }
  const bool loaded = co_await load_states(added);
  co_return loaded;
}

Task<bool> Controller::add_missing_ids(std::vector<std::string> names) {
  for (const auto& name : names) {
    TopicNode node = state_.topics[name].node;
    if (node.topic_id) continue;
    node.topic_id = base::Uuid::generate(random_);
    node.version = std::max(node.version, 3);
    std::vector<Operation> change;
    change.push_back(Set{.path = paths::topic(name), .data = encode(node)});
    const auto written = co_await fenced_.commit(std::move(change));
    if (fenced_.lost()) co_return false;
    if (written.ok()) state_.topics[name].node = node;
  }
  co_return true;
}

Task<void> Controller::topic_changed(std::string topic) {
  if (!active_) co_return;
  const std::string path = paths::topic(topic);
  const auto reply = co_await async_.get(path);
  if (!reply.ok()) co_return;  // removal is told by the parent
  if (!state_.topics.contains(topic)) {
    std::vector<std::string> one{topic};
    const bool added = co_await add_topics(std::move(one));
    if (added && state_.topics.contains(topic)) co_await bring_online(due_elections(state_, topic));
    co_return;
  }
  auto node = decode_topic(path, reply.value.data);
  if (!node.ok()) {
    log_.error("a change of a topic is ignored: {}", node.error().detail);
    co_return;
  }
  auto& known = state_.topics[topic];
  if (*node == known.node) co_return;
  if (state_.deleting.contains(topic)) {
    log_.warn("topic {} is being deleted: its old assignment is restored", topic);
    std::vector<Operation> restoring;
    restoring.push_back(Set{.path = path, .data = encode(known.node)});
    const auto restored = co_await fenced_.commit(std::move(restoring));
    if (!restored.ok()) log_.warn("{} was not restored: {}", path, store_code_name(restored.code));
    co_return;
  }
  // A tool that knows no ids has rewritten the node: the id stays, the logs on disk carry it.
  const bool id_lost = !node->topic_id && known.node.topic_id;
  if (id_lost) node->topic_id = known.node.topic_id;
  known.node = std::move(*node);
  if (id_lost) {
    std::vector<Operation> repair;
    repair.push_back(Set{.path = path, .data = encode(known.node)});
    const auto repaired = co_await fenced_.commit(std::move(repair));
    if (!repaired.ok()) log_.warn("{} was left without its id: {}", path, store_code_name(repaired.code));
  }
  co_await bring_online(due_elections(state_, topic));
}

// Writes what was decided, and tells the brokers what then holds.
Task<void> Controller::bring_online(std::vector<LeadershipChange> due) {
  if (due.empty()) co_return;
  std::set<base::TopicPartition> created;
  for (const auto& change : due)
    if (change.version == kNoState) created.insert(change.partition);
  const auto changed = co_await fenced_.write_leadership(&state_, std::move(due));
  if (!active_) co_return;
  for (const auto& partition : changed) {
    auto told = describe(state_, partition.topic, partition.partition);
    announcer_.tell_metadata(told);
    told.is_new = created.contains(partition);
    announcer_.tell_leadership(std::move(told));
  }
  announcer_.send(state_);
}

}  // namespace replication
