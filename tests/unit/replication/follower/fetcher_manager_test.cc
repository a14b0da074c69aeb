#include "replication/follower/fetcher_manager.h"

#include <catch2/catch.hpp>

#include <set>

#include "tests/support/replication/fetch_bench.h"

using namespace replication;
using namespace test_support;
using namespace std::chrono_literals;
using base::LeaderEpoch;
using base::Offset;

TEST_CASE("a leader that is not in the metadata is not asked until it is") {
  FetchBench bench;
  bench.alive.erase(kOther);
  bench.follow({});
  CHECK(bench.network.open() == 0);
  CHECK(bench.manager->followed() == 1);
  CHECK(bench.manager->fetchers() == 0);
  bench.manager->brokers_changed();
  bench.run();
  CHECK(bench.network.open() == 0);
  bench.alive[kOther] = FetchBench::address(kOther, 9093);
  bench.manager->brokers_changed();
  bench.run();
  CHECK(bench.fetch().first.to == kOther);
  CHECK(bench.network.connected_to.back().endpoint.port == 9093);
}

TEST_CASE("a partition without a leader is followed when it has one") {
  FetchBench bench;
  bench.follow({.leader = base::kNoBroker});
  CHECK(bench.network.open() == 0);
  bench.follow({.epoch = 6, .leader = kThird});
  CHECK(bench.fetch().first.to == kThird);
  bench.follow({.epoch = 7, .leader = base::kNoBroker});
  CHECK(bench.manager->fetchers() == 0);
  CHECK(bench.network.connections() == 0);
}

TEST_CASE("a leader that came back elsewhere is asked there") {
  FetchBench bench;
  bench.follow({.partition = 0});
  bench.lead(bench.told({.partition = 1}));
  bench.run();
  auto [old, request] = bench.fetch();
  bench.alive[kOther] = FetchBench::address(kOther, 9999);
  bench.manager->brokers_changed();
  bench.run();
  CHECK_FALSE(bench.network.is_connected(old));
  auto [fresh, full] = bench.fetch();
  CHECK(bench.network.connected_to.back().endpoint.port == 9999);
  CHECK(bench.count(full) == 2);
  CHECK(bench.network.connections() == 1);
  // A broker that is not there right now is not given up: the controller decides.
  bench.alive.erase(kOther);
  bench.manager->brokers_changed();
  bench.run();
  CHECK(bench.network.connections() == 1);
}

TEST_CASE("partitions are spread over num.replica.fetchers connections to each leader, also when that changes") {
  FetchBench bench;
  for (int i = 0; i < 8; ++i) bench.lead(bench.told({.partition = i}));
  for (int i = 8; i < 12; ++i) bench.lead(bench.told({.partition = i, .leader = kThird}));
  bench.run();
  CHECK(bench.manager->fetchers() == 2);
  bench.manager->set_fetchers_per_broker(4);
  bench.run();
  CHECK(bench.manager->fetchers() == 8);
  bench.advance(1s);
  std::set<std::pair<std::int32_t, std::int32_t>> named;
  while (bench.network.open() > 0) {
    auto [question, request] = bench.fetch();
    for (const auto& topic : request.topics)
      for (const auto& partition : topic.partitions) named.emplace(question.to.raw, partition.partition);
  }
  CHECK(named.size() == 12);
  bench.manager->set_fetchers_per_broker(1);
  bench.run();
  CHECK(bench.manager->fetchers() == 2);
  CHECK(bench.network.connections() == 2);
}

TEST_CASE("after the stop nothing is asked, and nothing that was is answered") {
  FetchBench bench;
  auto partition = bench.follow({});
  auto [question, request] = bench.fetch();
  bench.manager->stop();
  CHECK_FALSE(bench.network.is_connected(question));
  bench.follow({.epoch = 6});
  bench.advance(1h);
  CHECK(bench.network.open() == 0);
  CHECK(bench.manager->followed() == 0);
}

TEST_CASE("a topic that was deleted and made again is another one") {
  FetchBench bench;
  bench.follow({.id = 1});
  auto [first, request] = bench.fetch();
  bench.answer(first, {});
  auto [second, idle] = bench.fetch();
  bench.stop_replica({.partition = {"orders", 0}, .leader_epoch = kEpochDuringDelete, .remove = true});
  auto fresh = bench.follow({.epoch = 0, .id = 2});
  const auto records = led_batch(Offset{0}, LeaderEpoch{0}, {"a"});
  if (bench.network.is_connected(second)) {
    bench.answer(second, {{.id = 1, .records = records.bytes()}, {.id = 2, .records = records.bytes()}});
    CHECK(fresh->follower_position()->log_end == Offset{0});
  }
  auto [third, next] = bench.fetch();
  REQUIRE(bench.count(next) == 1);
  CHECK(next.topics[0].topic_id == topic_id(2));
}
