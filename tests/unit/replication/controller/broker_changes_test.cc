#include "replication/controller/broker_changes.h"

#include <catch2/catch.hpp>

namespace {

using namespace replication;
using base::BrokerId;

std::vector<BrokerId> ids(std::initializer_list<std::int32_t> raw) {
  std::vector<BrokerId> out;
  for (const auto id : raw) out.push_back(BrokerId{id});
  return out;
}

// Partition t-0, whose state was written by change 100, and brokers that registered with the changes given.
ControllerState state(const std::map<std::int32_t, std::int64_t>& registered, std::vector<BrokerId> isr) {
  ControllerState out;
  for (const auto& [id, epoch] : registered) out.brokers[BrokerId{id}] = {.id = BrokerId{id}, .epoch = epoch};
  auto& topic = out.topics["t"];
  topic.node.replicas[0] = ids({1, 2, 3});
  topic.partitions[0] = {.node = {.leader = isr.front(), .isr = std::move(isr)}, .version = 4, .found_zxid = 100};
  return out;
}

}  // namespace

TEST_CASE("a replica in sync whose broker registered after that was written has returned unnoticed") {
  const auto returned = unnoticed_returns(state({{1, 150}, {2, 20}, {3, 30}}, ids({1, 2, 3})));
  REQUIRE(returned.size() == 1);
  CHECK(returned.at(BrokerId{1}) == std::set<base::TopicPartition>{{"t", 0}});
}

TEST_CASE("nobody has returned unnoticed where all lived when the state was written, or all came later") {
  CHECK(unnoticed_returns(state({{1, 10}, {2, 20}, {3, 30}}, ids({1, 2, 3}))).empty());
  CHECK(unnoticed_returns(state({{1, 110}, {2, 120}, {3, 130}}, ids({1, 2, 3}))).empty());
}

TEST_CASE("who is out of sync, gone, or alone in sync is not looked at") {
  CHECK(unnoticed_returns(state({{1, 150}, {2, 20}, {3, 30}}, ids({2, 3}))).empty());
  CHECK(unnoticed_returns(state({{2, 20}, {3, 30}}, ids({1, 2, 3}))).empty());
  CHECK(unnoticed_returns(state({{1, 150}, {2, 20}}, ids({1}))).empty());
  CHECK(unnoticed_returns(state({{1, 150}}, ids({1, 2, 3}))).empty());
}

TEST_CASE("a state that this controller wrote itself is not looked at") {
  auto written = state({{1, 150}, {2, 20}}, ids({1, 2}));
  written.topics["t"].partitions[0].found_zxid = 0;
  CHECK(unnoticed_returns(written).empty());
}
