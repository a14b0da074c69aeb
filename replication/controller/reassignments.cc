// Replicas are moved: what begins, what goes on, what ends. Each step is written before it is told, the topic node
// first when a move begins and last when it ends, so that whoever is controller next goes on from there.
#include <fmt/ranges.h>

#include <algorithm>

#include "replication/controller/controller.h"
#include "replication/controller/reassignment.h"

namespace replication {

using base::ErrorCode;
using base::TopicPartition;

namespace {

constexpr std::string_view kNoSuchPartition = "The partition does not exist.";

}  // namespace

// ---- requests ------------------------------------------------------------------------------------------------------

void Controller::reassign(std::vector<WantedReplicas> wanted, std::function<void(PartitionResults)> done) {
  request(
      "reassign", [this, wanted = std::move(wanted), done] { return reassign_now(wanted, done); },
      [done] { done({.code = ErrorCode::not_controller}); });
}

Task<void> Controller::reassign_now(std::vector<WantedReplicas> wanted, std::function<void(PartitionResults)> done) {
  if (!active_) {
    done({.code = ErrorCode::not_controller});
    co_return;
  }
  PartitionResults results;
  std::map<TopicPartition, ReplicaMove> moves;
  for (const auto& [partition, replicas] : wanted) {
    auto& result = results.partitions.emplace_back(PartitionResult{.partition = partition});
    const auto refuse = [&](const base::Error& error) {
      result.code = error.code;
      result.message = error.detail;
    };
    const auto* topic = state_.find_topic(partition.topic);
    const auto from = topic ? move_of(topic->node, partition.partition) : ReplicaMove{};
    if (!replicas && !from.is_under_way()) {
      refuse(base::fail(ErrorCode::no_reassignment_in_progress, "No partition reassignment is in progress."));
      continue;
    }
    const auto to = from.to(replicas.value_or(from.origin()));
    if (replicas) {
      auto checked = check_target(*replicas);
      if (checked.ok()) checked = check_added_live(state_, to);
      if (!checked.ok()) {
        refuse(checked.error());
        continue;
      }
    }
    if (from.replicas.empty() || state_.is_deleting(partition.topic))
      refuse(base::fail(ErrorCode::unknown_topic_or_partition, "{}", kNoSuchPartition));
    else
      moves[partition] = to;
  }
  std::set<TopicPartition> overridden;
  for (const auto& [partition, move] : moves) overridden.insert(partition);
  co_await forget_moves(overridden);  // what a tool asked for in the store before
  const auto failed = co_await start_moves(std::move(moves));
  for (auto& result : results.partitions)
    if (const auto found = failed.find(result.partition); found != failed.end()) result.code = found->second;
  done(std::move(results));
  co_await complete_moves();
}

void Controller::list_reassignments(std::optional<std::vector<TopicPartition>> partitions,
                                    std::function<void(MovingPartitions)> done) {
  request(
      "list reassignments", [this, partitions = std::move(partitions), done] { return list_moves(partitions, done); },
      [done] { done({.code = ErrorCode::not_controller}); });
}

Task<void> Controller::list_moves(std::optional<std::vector<TopicPartition>> partitions,
                                  std::function<void(MovingPartitions)> done) {
  MovingPartitions moving;
  if (!active_) moving.code = ErrorCode::not_controller;
  const auto candidates = partitions ? *partitions : moving_partitions(state_);
  for (const auto& partition : candidates) {
    const auto* topic = state_.find_topic(partition.topic);
    if (!topic || !active_) continue;
    auto move = move_of(topic->node, partition.partition);
    if (move.is_under_way())
      moving.partitions.push_back(
          {partition, std::move(move.replicas), std::move(move.adding), std::move(move.removing)});
  }
  done(std::move(moving));
  co_return;
}

// ---- the node that older tools write -------------------------------------------------------------------------------

Task<void> Controller::reassignment_asked() {
  if (!active_) co_return;
  const std::string path(paths::kReassignPartitions);
  const auto found = co_await async_.get(path);
  if (!active_ || !found.ok()) co_return;
  const auto node = decode_reassign_partitions(path, found.value.data);
  if (!node.ok()) {
    log_.error("a reassignment is dropped: {}", node.error().detail);
    std::vector<Operation> removal;
    removal.push_back(Remove{.path = path, .version = found.value.stat.version});
    const auto removed = co_await fenced_.commit(std::move(removal));
    if (!removed.ok() && !fenced_.lost()) log_.warn("{} was not removed: {}", path, store_code_name(removed.code));
    co_return;
  }
  std::map<TopicPartition, ReplicaMove> moves;
  std::set<TopicPartition> over;
  for (const auto& [partition, replicas] : node->partitions) {
    const auto* topic = state_.find_topic(partition.topic);
    const auto from = topic ? move_of(topic->node, partition.partition) : ReplicaMove{};
    const auto checked = check_target(replicas);
    if (from.replicas.empty() || state_.is_deleting(partition.topic) || !checked.ok()) {
      log_.warn("{} is not reassigned: {}", partition, checked.ok() ? kNoSuchPartition : checked.error().detail);
      over.insert(partition);
    } else {
      moves[partition] = from.to(replicas);
    }
  }
  const auto asked = moves;
  const auto failed = co_await start_moves(std::move(moves));
  if (!active_ || fenced_.lost()) co_return;
  for (const auto& [partition, move] : asked) {
    const auto* topic = state_.find_topic(partition.topic);
    if (failed.contains(partition) || !topic || !move_of(topic->node, partition.partition).is_under_way())
      over.insert(partition);
  }
  co_await forget_moves(over);
  co_await complete_moves();
}

Task<void> Controller::forget_moves(std::set<TopicPartition> over) {
  if (over.empty()) co_return;
  const std::string path(paths::kReassignPartitions);
  const auto found = co_await async_.get(path);
  if (!active_ || !found.ok()) co_return;
  auto node = decode_reassign_partitions(path, found.value.data);
  if (!node.ok()) co_return;
  const auto forgotten =
      std::erase_if(node->partitions, [&](const auto& wanted) { return over.contains(wanted.first); });
  if (forgotten == 0) co_return;
  std::vector<Operation> change;
  if (node->partitions.empty())
    change.push_back(Remove{.path = path});
  else
    change.push_back(Set{.path = path, .data = encode(*node)});
  const auto written = co_await fenced_.commit(std::move(change));
  if (!written.ok() && !fenced_.lost()) log_.warn("{} was not rewritten: {}", path, store_code_name(written.code));
}

// ---- steps ---------------------------------------------------------------------------------------------------------

// Returns those that could not be begun, and why.
Task<std::map<TopicPartition, ErrorCode>> Controller::start_moves(std::map<TopicPartition, ReplicaMove> wanted) {
  std::map<TopicPartition, ErrorCode> failed;
  std::map<TopicPartition, ReplicaMove> before;
  std::map<std::string, TopicNode> nodes;
  for (const auto& [partition, move] : wanted) {
    const auto* topic = state_.find_topic(partition.topic);
    const auto from = move_of(topic->node, partition.partition);
    if (from == move) continue;  // goes on as it does
    before[partition] = from;
    put_move(nodes.try_emplace(partition.topic, topic->node).first->second, partition.partition, move);
  }
  std::set<std::string> refused;
  for (const auto& [name, node] : nodes) {
    std::vector<Operation> change;
    change.push_back(Set{.path = paths::topic(name), .data = encode(node)});
    const auto written = co_await fenced_.commit(std::move(change));
    if (written.ok())
      state_.put_node(name, node);
    else
      refused.insert(name);
  }
  std::erase_if(before, [&](const auto& one) {
    if (!refused.contains(one.first.topic)) return false;
    failed[one.first] = fenced_.lost() ? ErrorCode::not_controller : ErrorCode::unknown_server_error;
    return true;
  });

  watch_moves();
  std::vector<LeadershipChange> due;
  for (const auto& [partition, from] : before) {
    log_.info("replicas of {} move from [{}] to [{}]", partition, fmt::join(from.origin(), ", "),
              fmt::join(wanted[partition].target(), ", "));
    if (wanted[partition].is_under_way() && is_complete(state_, partition)) continue;  // ended below, in one step
    auto change = begin_move(state_, partition);
    if (!change) change = due_change(state_, partition);
    if (change) due.push_back(std::move(*change));
  }
  const Decide again = begin_move;
  co_await lead(std::move(due), again);
  if (!active_ || fenced_.lost()) co_return failed;
  for (const auto& [partition, from] : before) {
    const auto& now = wanted[partition].replicas;
    for (const auto id : from.replicas)
      if (std::ranges::find(now, id) == now.end()) remove_replica(id, partition);
  }
  announcer_.send(state_);
  co_return failed;
}

// Leaders that write their sets themselves report it late: whatever moves is watched. Before its state is written: what
// a leader writes before that is found then, and what it writes afterwards is told.
void Controller::watch_moves() {
  if (!settings_.leaders_write_sets) return;
  const auto moving = moving_partitions(state_);
  for (const auto& partition : moving) {
    auto& watch = move_watches_[partition];
    if (!watch)
      watch = store_.watch_data(paths::partition_state(partition.topic, partition.partition),
                                [this] { enqueue_once("moving sets", [this] { return moving_sets_changed(); }); });
  }
  const std::set<TopicPartition> still(moving.begin(), moving.end());
  std::erase_if(move_watches_, [&](const auto& watch) { return !still.contains(watch.first); });
}

Task<void> Controller::moving_sets_changed() {
  if (!active_) co_return;
  auto moving = moving_partitions(state_);
  const bool read = co_await fenced_.read_leadership(&state_, std::move(moving));
  if (active_ && read) co_await complete_moves();
}

void Controller::remove_replica(base::BrokerId id, const TopicPartition& partition) {
  const auto* leadership = state_.find_leadership(partition);
  announcer_.tell_stop(id, {.partition = partition,
                            .leader_epoch = leadership ? leadership->node.leader_epoch : base::kNoLeaderEpoch,
                            .remove = true});
}

// Whichever moves have all of their target in sync.
Task<void> Controller::complete_moves() {
  if (!active_ || fenced_.lost()) co_return;
  std::map<TopicPartition, ReplicaMove> moves;
  std::vector<LeadershipChange> due;
  for (const auto& partition : moving_partitions(state_)) {
    if (!is_complete(state_, partition) || state_.is_deleting(partition.topic)) continue;
    TopicNode node = state_.find_topic(partition.topic)->node;
    const auto move = move_of(node, partition.partition);
    auto change = end_move(state_, partition, move.target());
    if (!change) continue;
    due.push_back(std::move(*change));
    moves[partition] = move;
    // What is announced names the target alone.
    put_move(node, partition.partition, {.replicas = move.target()});
    state_.put_node(partition.topic, std::move(node));
  }
  if (moves.empty()) co_return;
  const Decide again = [&moves](const ControllerState& state, const TopicPartition& partition) {
    return end_move(state, partition, moves.at(partition).target());
  };
  co_await lead(std::move(due), again);
  if (!active_ || fenced_.lost()) co_return;

  std::set<TopicPartition> ended;
  std::set<std::string> topics;
  for (const auto& [partition, move] : moves) {
    const auto target = move.target();
    const auto& node = state_.find_leadership(partition)->node;
    const bool confined =
        std::ranges::all_of(node.isr, [&](base::BrokerId id) { return std::ranges::find(target, id) != target.end(); });
    if (!confined || std::ranges::find(target, node.leader) == target.end()) {
      // Somebody else's write was first, and nobody of the target can lead now.
      TopicNode back = state_.find_topic(partition.topic)->node;
      put_move(back, partition.partition, move);
      state_.put_node(partition.topic, std::move(back));
      continue;
    }
    log_.info("the move of {} to [{}] is complete", partition, fmt::join(target, ", "));
    for (const auto id : move.removing) remove_replica(id, partition);
    ended.insert(partition);
    topics.insert(partition.topic);
  }
  announcer_.send(state_);
  for (const auto& name : topics) {
    std::vector<Operation> change;
    change.push_back(Set{.path = paths::topic(name), .data = encode(state_.find_topic(name)->node)});
    const auto written = co_await fenced_.commit(std::move(change));
    if (!written.ok() && !fenced_.lost())
      log_.warn("{} still holds a reassignment that is over: {}", paths::topic(name), store_code_name(written.code));
  }
  watch_moves();
  co_await forget_moves(ended);
  co_await resume_deletions();
}

// Those under way when this broker became the controller, or when one of the brokers they wait for came.
Task<void> Controller::resume_moves(std::set<base::BrokerId> came) {
  if (!active_ || fenced_.lost()) co_return;
  watch_moves();
  std::vector<LeadershipChange> due;
  for (const auto& partition : moving_partitions(state_)) {
    const auto target = move_of(state_.find_topic(partition.topic)->node, partition.partition).target();
    const bool concerned =
        came.empty() || std::ranges::any_of(target, [&](base::BrokerId id) { return came.contains(id); });
    if (!concerned || state_.is_deleting(partition.topic) || is_complete(state_, partition)) continue;
    if (auto change = begin_move(state_, partition)) due.push_back(std::move(*change));
  }
  const Decide again = begin_move;
  co_await lead(std::move(due), again);
  if (!active_) co_return;
  announcer_.send(state_);
  co_await complete_moves();
}

}  // namespace replication
