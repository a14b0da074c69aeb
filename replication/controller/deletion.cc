// How topics are deleted. A marker in the store says that a topic must go; it is removed last, so a controller that
// stops on the way, or its successor, begins again:
//   1. brokers forget the topic (UpdateMetadata, leader -2)        clients see it gone here
//   2. its replicas stop (StopReplica), the state nodes say so     leader -1
//   3. its replicas' directories go (StopReplica with delete)
//   4. the topic's nodes go, then its configuration, then the marker
#include <algorithm>

#include "replication/controller/controller.h"
#include "replication/controller/partition_steps.h"

namespace replication {

using base::ErrorCode;

void Controller::delete_topics(std::vector<TopicKey> topics, std::chrono::milliseconds timeout, Done done) {
  TopicResults refused;
  for (const auto& key : topics) {
    TopicResult result{.code = ErrorCode::not_controller};
    if (const auto* name = std::get_if<std::string>(&key)) result.name = *name;
    if (const auto* id = std::get_if<base::Uuid>(&key)) result.topic_id = *id;
    refused.push_back(std::move(result));
  }
  request(
      "delete topics",
      [this, topics = std::move(topics), timeout, done] { return mark_deleted(topics, timeout, done); },
      [refused, done] { done(refused); });
}

Task<void> Controller::mark_deleted(std::vector<TopicKey> topics, std::chrono::milliseconds timeout, Done done) {
  TopicResults results(topics.size());
  const auto metadata = metadata_.snapshot();
  for (std::size_t i = 0; i < topics.size(); ++i) {
    auto& result = results[i];
    ClusterMetadata::Topic topic;
    if (const auto* id = std::get_if<base::Uuid>(&topics[i])) {
      topic = metadata->find_topic(*id);
      result.topic_id = *id;
      if (!topic) result.code = ErrorCode::unknown_topic_id;
    } else {
      result.name = std::get<std::string>(topics[i]);
      topic = metadata->find_topic(result.name);
      // Not in the metadata, though perhaps in the store: a topic that never had a leader.
      if (!topic) result.code = ErrorCode::unknown_topic_or_partition;
    }
    if (topic) {
      result.name = topic->name;
      result.topic_id = topic->id;
    }
    if (!active_) result.code = ErrorCode::not_controller;
    if (result.code != ErrorCode::none) continue;
    if (!settings_.delete_topic_enable) {
      result.code = ErrorCode::topic_deletion_disabled;
      continue;
    }
    std::vector<Operation> marker;
    marker.push_back(Create{.path = paths::delete_topic(result.name)});
    const auto marked = co_await fenced_.commit(std::move(marker));
    if (!marked.ok() && marked.code != StoreCode::node_exists)
      result.code = fenced_.lost() ? ErrorCode::not_controller : ErrorCode::unknown_server_error;
  }
  if (active_) co_await deletions_changed();
  co_await resume_deletions();
  pending_.add(std::move(results), timeout, shows_no_topic, std::move(done));
}

// Takes in the markers that stand in the store.
Task<void> Controller::deletions_changed() {
  if (!active_) co_return;
  const auto marked = co_await async_.children(std::string(paths::kDeleteTopics));
  if (!marked.ok()) co_return;
  bool added = false;
  for (const auto& topic : marked.value) {
    if (state_.deleting.contains(topic)) continue;
    if (settings_.delete_topic_enable && state_.topics.contains(topic)) {
      log_.info("topic {} is to be deleted", topic);
      state_.deleting.insert(topic);
      added = true;
      continue;
    }
    std::vector<Operation> removal;
    removal.push_back(Remove{.path = paths::delete_topic(topic)});
    const auto removed = co_await fenced_.commit(std::move(removal));
    if (!removed.ok()) co_return;
    log_.info("the marker to delete topic {} is dropped: {}", topic,
              settings_.delete_topic_enable ? "there is no such topic" : "delete.topic.enable is false");
  }
  if (added) co_await resume_deletions();
}

Task<void> Controller::resume_deletions() {
  if (!active_) co_return;
  const std::vector<std::string> deleting(state_.deleting.begin(), state_.deleting.end());
  for (const auto& topic : deleting) co_await advance_deletion(topic);
}

Task<void> Controller::advance_deletion(std::string topic) {
  if (!active_ || fenced_.lost() || removing_.contains(topic)) co_return;
  if (!may_delete(state_, topic)) {
    log_.info("deletion of topic {} waits: a broker or a disk that holds a replica is away", topic);
    co_return;
  }
  std::set<Replica> replicas;
  for (const auto& [partition, ids] : state_.topics[topic].node.replicas) {
    announcer_.tell_metadata(describe_deleted(state_, {topic, partition}));
    for (const auto id : ids) replicas.insert({id, {topic, partition}});
  }
  removing_[topic] = replicas;
  const auto stop_all = [&](bool remove) {
    for (const auto& [id, partition] : replicas)
      announcer_.tell_stop(id, {.partition = partition, .leader_epoch = kEpochDuringDelete, .remove = remove});
    announcer_.send(state_);
  };
  stop_all(false);

  auto retired = retire_topic(state_, topic);
  co_await fenced_.write_leadership(&state_, std::move(retired));
  if (!active_ || fenced_.lost()) co_return;

  stop_all(true);
  if (replicas.empty()) co_await finish_deletion(topic);
}

// Brokers that leave cannot remove their replicas.
void Controller::interrupt_deletions(const std::set<base::BrokerId>& left) {
  std::erase_if(removing_, [&](const auto& removing) {
    const auto& [topic, replicas] = removing;
    if (std::ranges::none_of(replicas, [&](const Replica& replica) { return left.contains(replica.first); }))
      return false;
    log_.warn("deletion of topic {} waits for a broker that has left", topic);
    return true;
  });
}

Task<void> Controller::replicas_removed(base::BrokerId broker, std::vector<base::TopicPartition> removed,
                                        std::vector<base::TopicPartition> failed) {
  if (!active_) co_return;
  for (const auto& partition : failed)
    if (removing_.erase(partition.topic) > 0)
      log_.warn("deletion of topic {} waits: broker {} could not remove {}; next attempt when a broker starts",
                partition.topic, broker, partition);
  std::set<std::string> finished;
  for (const auto& partition : removed) {
    const auto removing = removing_.find(partition.topic);
    if (removing == removing_.end()) continue;
    removing->second.erase({broker, partition});
    if (removing->second.empty()) finished.insert(partition.topic);
  }
  for (const auto& topic : finished) co_await finish_deletion(topic);
}

Task<void> Controller::finish_deletion(std::string topic) {
  const std::vector<std::string> trees{paths::topic(topic), paths::config("topics", topic), paths::delete_topic(topic)};
  for (const auto& tree : trees) {
    const bool removed = co_await fenced_.remove_tree(tree);
    if (removed) continue;
    removing_.erase(topic);
    if (!fenced_.lost()) log_.warn("deletion of topic {} waits: {} was not removed", topic, tree);
    co_return;
  }
  if (!active_) co_return;
  removing_.erase(topic);
  topic_watches_.erase(topic);
  state_.remove_topic(topic);
  state_.deleting.erase(topic);
  log_.info("topic {} is deleted", topic);
}

}  // namespace replication
