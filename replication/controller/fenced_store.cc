#include "replication/controller/fenced_store.h"

#include <algorithm>
#include <set>

namespace replication {

namespace {

// About 25 kB a commit, far below jute.maxbuffer's 1 MiB.
constexpr std::size_t kPartitionsPerCommit = 100;
constexpr std::size_t kRemovalsPerCommit = 200;

const std::string& path_of(const Operation& operation) {
  return std::visit([](const auto& one) -> const std::string& { return one.path; }, operation);
}

}  // namespace

Task<CommitReply> FencedStore::commit(std::vector<Operation> operations) {
  if (lost_) co_return CommitReply{.code = StoreCode::session_expired};
  operations.insert(operations.begin(), Check{.path = std::string(paths::kControllerEpoch), .version = epoch_version_});
  auto reply = co_await store_.commit(std::move(operations));
  if (reply.ok()) {
    reply.done.erase(reply.done.begin());
    co_return reply;
  }
  const bool fenced =
      reply.failed_at == 0 && (reply.code == StoreCode::bad_version || reply.code == StoreCode::no_node);
  if (fenced || reply.code == StoreCode::session_expired || reply.code == StoreCode::closed) lost_ = true;
  if (fenced) {
    log_.info("another controller has been elected: this one writes nothing more");
    reply.code = StoreCode::session_expired;
  }
  if (reply.failed_at > 0) --reply.failed_at;
  co_return reply;
}

std::vector<FencedStore::Step> FencedStore::steps_of(const Chunk& chunk, const ControllerState& state) {
  std::vector<Step> steps;
  std::set<std::string> parents = chunk.existing;
  const auto parent = [&](std::string path, std::size_t change) {
    if (parents.insert(path).second) steps.push_back({Create{.path = std::move(path)}, change, false});
  };
  for (std::size_t i = 0; i < chunk.changes.size(); ++i) {
    const auto& change = chunk.changes[i];
    const auto& partition = change.partition;
    std::string path = paths::partition_state(partition.topic, partition.partition);
    if (change.version != kNoState) {
      steps.push_back({Set{.path = std::move(path), .data = encode(change.node), .version = change.version}, i, true});
      continue;
    }
    if (!state.topics.find(partition.topic)->second.has_partitions_node)
      parent(paths::topic_partitions(partition.topic), i);
    parent(paths::partition(partition.topic, partition.partition), i);
    steps.push_back({Create{.path = std::move(path), .data = encode(change.node)}, i, true});
  }
  return steps;
}

// Someone was first: a leader that changed its in-sync set, or our own write whose answer was lost. What is there
// holds.
Task<void> FencedStore::adopt(ControllerState* state, LeadershipChange refused, Written* written) {
  const auto partition = refused.partition;
  const std::string path = paths::partition_state(partition.topic, partition.partition);
  const auto found = co_await store_.get(path);
  if (!found.ok()) {
    log_.warn("{} is gone ({}): {} stays as it was told last", path, store_code_name(found.code), partition);
    co_return;
  }
  auto node = decode_partition_state(path, found.value.data);
  if (!node.ok()) {
    log_.error("{} stays as it was told last: {}", partition, node.error().detail);
    co_return;
  }
  if (node->controller_epoch > state->epoch) {
    log_.error("{} was written by controller epoch {}, and this is {}: it is left alone", partition,
               node->controller_epoch, state->epoch);
    co_return;
  }
  const bool ours = *node == refused.node;
  auto& topic = state->topics[partition.topic];
  topic.has_partitions_node = true;
  topic.partitions[partition.partition] = {std::move(*node), found.value.stat.version, found.value.stat.mzxid};
  if (ours)
    written->changes.push_back(std::move(refused));
  else
    written->found.push_back(partition);
}

Task<bool> FencedStore::write_chunk(ControllerState* state, Chunk* chunk, Written* written) {
  while (!chunk->changes.empty()) {
    const auto steps = steps_of(*chunk, *state);
    std::vector<Operation> operations;
    for (const auto& step : steps) operations.push_back(step.operation);
    const auto reply = co_await commit(std::move(operations));
    if (reply.ok()) {
      for (std::size_t i = 0; i < steps.size(); ++i) {
        if (!steps[i].is_state) continue;
        auto& change = chunk->changes[steps[i].change];
        auto& topic = state->topics[change.partition.topic];
        topic.has_partitions_node = true;
        topic.partitions[change.partition.partition] = {change.node,
                                                        change.version == kNoState ? 0 : reply.done[i].stat.version};
        written->changes.push_back(std::move(change));
      }
      co_return true;
    }
    if (lost_ || reply.failed_at >= steps.size()) co_return false;
    const auto& refused = steps[reply.failed_at];
    if (!refused.is_state && reply.code == StoreCode::node_exists) {
      chunk->existing.insert(path_of(refused.operation));
      continue;
    }
    const bool was_second = reply.code == StoreCode::bad_version || reply.code == StoreCode::node_exists ||
                            reply.code == StoreCode::no_node;
    if (!was_second) {
      log_.error("states of {} partitions were not written, {} among them: {}", chunk->changes.size(),
                 chunk->changes.front().partition, store_code_name(reply.code));
      written->complete = false;
      co_return false;
    }
    const auto at = chunk->changes.begin() + static_cast<std::ptrdiff_t>(refused.change);
    LeadershipChange change = std::move(*at);
    chunk->changes.erase(at);
    log_.info("state of {} was not written ({}), reading it again", change.partition, store_code_name(reply.code));
    co_await adopt(state, std::move(change), written);
    if (lost_) co_return false;
  }
  co_return true;
}

Task<FencedStore::Written> FencedStore::write_leadership(ControllerState* state,
                                                         std::vector<LeadershipChange> changes) {
  Written written;
  for (std::size_t from = 0; from < changes.size(); from += kPartitionsPerCommit) {
    Chunk chunk;
    const auto to = std::min(changes.size(), from + kPartitionsPerCommit);
    for (std::size_t i = from; i < to; ++i) chunk.changes.push_back(std::move(changes[i]));
    const bool go_on = co_await write_chunk(state, &chunk, &written);
    if (!go_on) break;
  }
  co_return written;
}

Task<bool> FencedStore::read_leadership(ControllerState* state, std::vector<base::TopicPartition> partitions) {
  std::vector<std::string> nodes;
  for (const auto& [topic, partition] : partitions) nodes.push_back(paths::partition_state(topic, partition));
  const auto replies = co_await store_.get_all(nodes);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (replies[i].code == StoreCode::no_node) continue;
    if (!replies[i].ok()) co_return false;
    auto node = decode_partition_state(nodes[i], replies[i].value.data);
    const auto topic = state->topics.find(partitions[i].topic);
    if (topic == state->topics.end()) continue;
    topic->second.has_partitions_node = true;
    const bool known = topic->second.partitions.contains(partitions[i].partition);
    if (!node.ok()) {
      log_.error("{} is left {}: {}", partitions[i], known ? "as it was known" : "without a leader",
                 node.error().detail);
      if (!known) topic->second.unreadable.insert(partitions[i].partition);
      continue;
    }
    topic->second.unreadable.erase(partitions[i].partition);
    const auto& stat = replies[i].value.stat;
    topic->second.partitions[partitions[i].partition] = {std::move(*node), stat.version, stat.mzxid};
  }
  co_return !lost_;
}

Task<bool> FencedStore::remove_tree(std::string path) {
  for (;;) {
    // Breadth first, so that the reverse has every child before its parent.
    std::vector<std::string> nodes{path};
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const auto below = co_await store_.children(nodes[i]);
      if (!below.ok() && below.code != StoreCode::no_node) co_return false;
      for (const auto& name : below.value) nodes.push_back(nodes[i] + "/" + name);
    }
    bool grown = false;
    while (!nodes.empty() && !grown) {
      const std::size_t count = std::min(nodes.size(), kRemovalsPerCommit);
      std::vector<Operation> removals;
      for (std::size_t i = 0; i < count; ++i) removals.push_back(Remove{.path = nodes[nodes.size() - 1 - i]});
      const auto reply = co_await commit(std::move(removals));
      if (reply.ok()) {
        nodes.resize(nodes.size() - count);
      } else if (!lost_ && reply.code == StoreCode::no_node && reply.failed_at < count) {
        nodes.erase(nodes.end() - 1 - static_cast<std::ptrdiff_t>(reply.failed_at));
      } else if (!lost_ && reply.code == StoreCode::not_empty) {
        grown = true;  // someone wrote below: list it again
      } else {
        co_return false;
      }
    }
    if (!grown) co_return true;
  }
}

}  // namespace replication
