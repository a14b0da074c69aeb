#include "replication/controller/isr_requests.h"

#include <catch2/catch.hpp>

using namespace replication;
using base::BrokerId;
using base::ErrorCode;

namespace {

std::vector<BrokerId> ids(std::initializer_list<int> raw) {
  std::vector<BrokerId> out;
  for (const int id : raw) out.emplace_back(id);
  return out;
}

// Topic t, partition 0 on brokers 1, 2, 3, of which 3 is not in sync; led by 1 in leader epoch 4, partition epoch 9.
ControllerState cluster() {
  ControllerState state{.epoch = 7};
  for (const int id : {1, 2, 3}) state.brokers[BrokerId{id}] = {.id = BrokerId{id}, .epoch = 100 + id};
  auto& topic = state.put_node("t", {.topic_id = base::Uuid{{5}}, .replicas = {{0, ids({1, 2, 3})}}});
  topic.partitions[0] = {
      {.controller_epoch = 6, .leader = BrokerId{1}, .leader_epoch = base::LeaderEpoch{4}, .isr = ids({1, 2})}, 9};
  return state;
}

IsrChange wish(std::vector<BrokerId> isr) {
  return {.partition = {"t", 0}, .leader_epoch = base::LeaderEpoch{4}, .partition_epoch = 9, .isr = std::move(isr)};
}

ErrorCode refusal(const IsrVerdict& verdict) {
  const auto* error = std::get_if<base::Error>(&verdict);
  return error ? error->code : ErrorCode::none;
}

}  // namespace

TEST_CASE("the life of the broker that asks must be the one that is registered") {
  const auto state = cluster();
  CHECK(check_sender(state, {.broker = BrokerId{1}, .broker_epoch = 101}) == ErrorCode::none);
  for (const std::int64_t epoch : {-1, 100, 102})
    CHECK(check_sender(state, {.broker = BrokerId{1}, .broker_epoch = epoch}) == ErrorCode::stale_broker_epoch);
  CHECK(check_sender(state, {.broker = BrokerId{4}, .broker_epoch = 101}) == ErrorCode::stale_broker_epoch);
}

TEST_CASE("a set that may be is written under the same leader epoch, with the controller's") {
  const auto state = cluster();
  for (const auto& isr : {ids({1}), ids({1, 2, 3}), ids({3, 1})}) {
    const auto verdict = judge(state, BrokerId{1}, "t", wish(isr));
    const auto* change = std::get_if<LeadershipChange>(&verdict);
    REQUIRE(change != nullptr);
    CHECK(change->node.isr == isr);
    CHECK(change->node.leader == BrokerId{1});
    CHECK(change->node.leader_epoch == base::LeaderEpoch{4});
    CHECK(change->node.controller_epoch == 7);
    CHECK(change->version == 9);
    CHECK(change->tell.empty());
  }
}

TEST_CASE("a wish is checked in Kafka's order") {
  auto state = cluster();
  const auto refused = [&](const IsrChange& change, std::string_view topic = "t", int leader = 1) {
    return refusal(judge(state, BrokerId{leader}, topic, change));
  };
  auto change = wish(ids({1}));
  change.topic_id = base::Uuid{{6}};
  CHECK(refused(change, "") == ErrorCode::unknown_topic_id);
  CHECK(refused(wish(ids({1})), "") == ErrorCode::unknown_topic_or_partition);
  CHECK(refused(wish(ids({1})), "u") == ErrorCode::unknown_topic_or_partition);
  change = wish(ids({1}));
  change.partition.partition = 1;
  CHECK(refused(change) == ErrorCode::unknown_topic_or_partition);
  change = wish(ids({1}));
  change.leader_epoch = base::LeaderEpoch{5};
  CHECK(refused(change) == ErrorCode::not_controller);
  change = wish(ids({1}));
  change.partition_epoch = 10;
  CHECK(refused(change) == ErrorCode::not_controller);
  change = wish(ids({1}));
  change.leader_epoch = base::LeaderEpoch{3};
  CHECK(refused(change) == ErrorCode::fenced_leader_epoch);
  change = wish(ids({1}));
  change.partition_epoch = 8;
  CHECK(refused(change) == ErrorCode::invalid_update_version);
  change = wish(ids({1}));
  change.recovering = true;
  CHECK(refused(change) == ErrorCode::invalid_request);
  CHECK(refused(wish(ids({2})), "t", 2) == ErrorCode::invalid_request);
  for (const auto& isr : {ids({}), ids({2}), ids({1, 1}), ids({1, 4}), ids({1, -1})})
    CHECK(refused(wish(isr)) == ErrorCode::invalid_request);
  state.deleting.insert("t");
  CHECK(refused(wish(ids({1}))) == ErrorCode::unknown_topic_or_partition);
}

TEST_CASE("a leader that asks again for what was written is told so, whatever partition epoch it knows") {
  const auto state = cluster();
  auto change = wish(ids({1, 2}));
  change.partition_epoch = 3;
  const auto verdict = judge(state, BrokerId{1}, "t", change);
  const auto* outcome = std::get_if<IsrOutcome>(&verdict);
  REQUIRE(outcome != nullptr);
  CHECK(outcome->partition_epoch == 9);
  CHECK(outcome->isr == ids({1, 2}));
  CHECK(outcome->leader == BrokerId{1});
  CHECK(outcome->leader_epoch == base::LeaderEpoch{4});
}

TEST_CASE("a leader out of recovery may take others in, and does not fall back into it") {
  auto state = cluster();
  auto& node = state.topics["t"].partitions[0].node;
  node.recovering = true;
  node.isr = ids({1});
  auto change = wish(ids({1, 2}));
  change.recovering = true;
  CHECK(refusal(judge(state, BrokerId{1}, "t", change)) == ErrorCode::invalid_request);
  change = wish(ids({1}));
  const auto verdict = judge(state, BrokerId{1}, "t", change);
  REQUIRE(std::holds_alternative<LeadershipChange>(verdict));
  CHECK_FALSE(std::get<LeadershipChange>(verdict).node.recovering);
}

TEST_CASE("who is gone, shuts down, has lost its disk or is in another life cannot be in sync") {
  auto state = cluster();
  const auto refused = [&](std::vector<std::int64_t> epochs = {}) {
    auto change = wish(ids({1, 2, 3}));
    change.broker_epochs = std::move(epochs);
    return refusal(judge(state, BrokerId{1}, "t", change));
  };
  CHECK(refused() == ErrorCode::none);
  CHECK(refused({101, 102, -1}) == ErrorCode::none);
  CHECK(refused({101, 102, 99}) == ErrorCode::ineligible_replica);
  state.lost[BrokerId{3}].insert({"t", 0});
  CHECK(refused() == ErrorCode::ineligible_replica);
  state = cluster();
  state.shutting_down.insert(BrokerId{2});
  CHECK(refused() == ErrorCode::ineligible_replica);
  state = cluster();
  state.shutting_down.insert(BrokerId{1});
  CHECK(refused() == ErrorCode::none);
  state.brokers.erase(BrokerId{3});
  CHECK(refused() == ErrorCode::ineligible_replica);
}
