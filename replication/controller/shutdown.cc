// A broker that is about to stop hands over what it leads, and leaves the sets it is in.
#include <algorithm>

#include "replication/controller/controller.h"

namespace replication {

using base::ErrorCode;
using base::TopicPartition;

void Controller::shut_down(base::BrokerId broker, std::int64_t epoch, std::function<void(ShutdownReply)> done) {
  request(
      "controlled shutdown", [this, broker, epoch, done] { return hand_over_all(broker, epoch, done); },
      [done] { done({.code = ErrorCode::not_controller}); });
}

Task<void> Controller::hand_over_all(base::BrokerId broker, std::int64_t epoch,
                                     std::function<void(ShutdownReply)> done) {
  const auto known = state_.brokers.find(broker);
  ErrorCode refused = ErrorCode::none;
  if (!active_)
    refused = ErrorCode::not_controller;
  else if (known == state_.brokers.end())
    refused = ErrorCode::unknown_server_error;  // what Kafka answers
  else if (epoch != -1 && epoch < known->second.epoch)
    refused = ErrorCode::stale_broker_epoch;
  if (refused != ErrorCode::none) {
    done({.code = refused});
    co_return;
  }
  if (state_.shutting_down.insert(broker).second) log_.info("broker {} shuts down", broker);
  // Where it has the only replica there is nobody to hand over to.
  auto partitions = partitions_on(state_, {broker});
  std::erase_if(partitions, [&](const TopicPartition& partition) {
    return state_.find_topic(partition.topic)->replicas(partition.partition).size() < 2;
  });

  std::vector<LeadershipChange> due;
  for (const auto& partition : partitions)
    if (auto change = hand_over(state_, partition, broker)) due.push_back(std::move(*change));
  const Decide hand = [broker](const ControllerState& state, const TopicPartition& partition) {
    return hand_over(state, partition, broker);
  };
  co_await lead(std::move(due), hand);
  if (!active_ || fenced_.lost()) {
    done({.code = ErrorCode::not_controller});
    co_return;
  }
  announcer_.send(state_);

  // It follows no more, and then leaves the in-sync sets.
  due.clear();
  for (const auto& partition : partitions) {
    const auto& node = state_.find_leadership(partition)->node;
    if (node.leader == broker) continue;
    announcer_.tell_stop(broker, {.partition = partition, .leader_epoch = node.leader_epoch, .remove = false});
    if (auto change = leave(state_, partition, broker)) due.push_back(std::move(*change));
  }
  announcer_.send(state_);
  const Decide go = [broker](const ControllerState& state, const TopicPartition& partition) {
    return leave(state, partition, broker);
  };
  co_await lead(std::move(due), go);
  if (!active_ || fenced_.lost()) {
    done({.code = ErrorCode::not_controller});
    co_return;
  }
  announcer_.send(state_);
  ShutdownReply reply;
  for (auto& partition : partitions)
    if (state_.find_leadership(partition)->node.leader == broker) reply.remaining.push_back(std::move(partition));
  if (!reply.remaining.empty())
    log_.info("broker {} still leads {} partitions that nobody else can lead", broker, reply.remaining.size());
  done(std::move(reply));
}

}  // namespace replication
