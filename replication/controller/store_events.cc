// The controller's answers to changes in the store: topics appear, grow and vanish.
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
  cluster_watches_.push_back(store_.watch_children(std::string(paths::kIsrChanges), [this] {
    enqueue_once("in-sync sets", [this] { return in_sync_sets_changed(); });
  }));
  cluster_watches_.push_back(store_.watch_data(std::string(paths::kReassignPartitions), [this] {
    enqueue_once("reassignment asked", [this] { return reassignment_asked(); });
  }));
  cluster_watches_.push_back(store_.watch_data(std::string(paths::kPreferredElection), [this] {
    enqueue_once("preferred election asked", [this] { return preferred_election_asked(); });
  }));
}

void Controller::watch_topic(const std::string& topic) {
  auto& watch = topic_watches_[topic];
  if (watch) return;
  watch = store_.watch_data(paths::topic(topic), [this, topic] {
    enqueue_once("topic " + topic, [this, topic] { return topic_changed(topic); });
  });
}

Task<void> Controller::topics_changed() {
  if (!active_) co_return;
  const auto names = co_await async_.children(std::string(paths::kTopics));
  if (!names.ok()) co_return;
  std::vector<std::string> vanished;
  for (const auto& [name, topic] : state_.topics)
    if (!std::ranges::binary_search(names.value, name) && !state_.is_deleting(name)) vanished.push_back(name);
  for (const auto& name : vanished) {
    log_.warn("topic {} has vanished from the metadata store; its logs stay where they are", name);
    topic_watches_.erase(name);
    state_.remove_topic(name);
  }
  std::vector<std::string> added;
  std::ranges::copy_if(names.value, std::back_inserter(added),
                       [&](const std::string& name) { return !state_.topics.contains(name); });
  if (added.empty()) co_return;
  const bool loaded = co_await add_topics(added);
  if (!loaded) co_return;
  for (const auto& name : added) co_await settle_topic(name);
  if (active_) announcer_.send(state_);
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
    state_.put_node(names[i], std::move(*node));
    added.push_back(names[i]);
  }
  if (settings_.topic_ids) {
    const bool written = co_await add_missing_ids(added);
    if (!written) co_return false;
  }
  std::vector<base::TopicPartition> partitions;
  for (const auto& name : added)
    for (const auto& [partition, replicas] : state_.topics[name].node.replicas) partitions.push_back({name, partition});
  const bool loaded = co_await fenced_.read_leadership(&state_, std::move(partitions));
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
    if (written.ok()) state_.put_node(name, std::move(node));
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
    if (added) co_await settle_topic(topic);
    if (active_) announcer_.send(state_);
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
  // Partitions are added here; those there are move by request only.
  for (const auto& [partition, replicas] : known.node.replicas) {
    if (move_of(*node, partition) != move_of(known.node, partition))
      log_.warn("the replicas of {}-{} were changed in the metadata store; that is ignored", topic, partition);
    put_move(*node, partition, move_of(known.node, partition));
  }
  state_.put_node(topic, *node);
  if (id_lost) {
    std::vector<Operation> repair;
    repair.push_back(Set{.path = path, .data = encode(*node)});
    const auto repaired = co_await fenced_.commit(std::move(repair));
    if (!repaired.ok()) log_.warn("{} was left without its id: {}", path, store_code_name(repaired.code));
  }
  co_await settle_topic(topic);
  if (active_) announcer_.send(state_);
}

Task<void> Controller::remove_children(std::string parent, std::vector<std::string> names) {
  for (const auto& name : names) {
    std::vector<Operation> removal;
    removal.push_back(Remove{.path = parent + "/" + name});
    const auto removed = co_await fenced_.commit(std::move(removal));
    if (!removed.ok() && removed.code != StoreCode::no_node && !fenced_.lost())
      log_.warn("{}/{} was not removed: {}", parent, name, store_code_name(removed.code));
  }
}

}  // namespace replication
