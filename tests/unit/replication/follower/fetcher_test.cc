#include "replication/follower/fetcher.h"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "tests/support/replication/fetch_bench.h"

using namespace replication;
using namespace test_support;
using namespace std::chrono_literals;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;

namespace {

Offset end_of(Partition& partition) { return partition.follower_position().value().log_end; }

}  // namespace

TEST_CASE("a follower fetches from its log end, and the next fetch tells what it has appended") {
  FetchBench bench;
  auto partition = bench.follow({});
  bench.fill(*partition, {4, 4});
  bench.follow({.epoch = 6});
  bench.advance(1s);  // the first request is given up for the newcomer
  auto [first, request] = bench.fetch();
  CHECK(first.to == kOther);
  CHECK(first.header.api_version == 17);
  CHECK(first.header.client_id == "broker-1-fetcher-0");
  CHECK(request.session_id == 0);
  CHECK(request.session_epoch == 0);
  CHECK(request.max_wait_ms == 500);
  CHECK(request.min_bytes == 1);
  CHECK(request.max_bytes == 10 << 20);
  REQUIRE(request.replica_state);
  CHECK(request.replica_state->replica_id == kSelf);
  CHECK(request.replica_state->replica_epoch == 77);
  REQUIRE(bench.count(request) == 1);
  CHECK(request.topics[0].topic_id == topic_id(1));
  const auto asked = request.topics[0].partitions[0];
  CHECK(asked.current_leader_epoch == LeaderEpoch{6});
  CHECK(asked.fetch_offset == Offset{2});
  CHECK(asked.last_fetched_epoch == LeaderEpoch{4});
  CHECK(asked.log_start_offset == Offset{0});
  CHECK(asked.partition_max_bytes == 1 << 20);

  const auto records = led_batch(Offset{2}, LeaderEpoch{4}, {"a", "b"});
  bench.answer(first, {{.high_watermark = 3, .records = records.bytes()}});
  CHECK(end_of(*partition) == Offset{4});
  CHECK(partition->follower_position()->high_watermark == Offset{3});
  auto [second, next] = bench.fetch();
  CHECK(next.session_id == 7);
  CHECK(next.session_epoch == 1);
  REQUIRE(bench.count(next) == 1);
  CHECK(next.topics[0].partitions[0].fetch_offset == Offset{4});
  CHECK(bench.manager->progress().bytes.get() == records.size());
  // What comes next names nothing, for nothing has changed; the watermark may.
  bench.answer(second, {{.high_watermark = 4}});
  CHECK(partition->follower_position()->high_watermark == Offset{4});
  auto [third, last] = bench.fetch();
  CHECK(last.session_epoch == 2);
  CHECK(last.topics.empty());
}

TEST_CASE("a thousand partitions at rest are named once, and then only those that move") {
  FetchBench bench;
  for (int i = 0; i < 1000; ++i) bench.lead(bench.told({.partition = i}));
  bench.advance(1s);
  auto [first, full] = bench.fetch();
  CHECK(full.topics.size() == 1);
  CHECK(bench.count(full) == 1000);
  bench.answer(first, {});
  auto [second, idle] = bench.fetch();
  CHECK(idle.topics.empty());
  CHECK(second.frame->size() < 100);
  const auto records = led_batch(Offset{0}, LeaderEpoch{5}, {"a"});
  bench.answer(second, {{.partition = 17, .records = records.bytes()}});
  auto [third, moved] = bench.fetch();
  REQUIRE(bench.count(moved) + bench.count_forgotten(moved) == 1);
}

TEST_CASE("who is not followed any more is forgotten by the leader, and with the last the connection goes") {
  FetchBench bench;
  bench.follow({.partition = 0});
  bench.lead(bench.told({.partition = 1}));
  bench.advance(1s);
  auto [first, full] = bench.fetch();
  CHECK(bench.count(full) == 2);
  bench.stop_replica({.partition = {"orders", 1}, .leader_epoch = LeaderEpoch{5}});
  bench.run();
  const auto records = led_batch(Offset{0}, LeaderEpoch{5}, {"a"});
  bench.answer(first, {{.partition = 1, .records = records.bytes()}});
  CHECK(end_of(*bench.table.find("orders", 1)) == Offset{0});
  auto [second, next] = bench.fetch();
  REQUIRE(bench.count_forgotten(next) == 1);
  CHECK(next.forgotten_topics_data[0].topic_id == topic_id(1));
  CHECK(next.forgotten_topics_data[0].partitions == std::vector<std::int32_t>{1});
  bench.lead({.leader_epoch = LeaderEpoch{6}, .replicas = {kSelf}, .topic_id = topic_id(1)});
  bench.run();
  CHECK(bench.network.connections() == 0);
  CHECK(bench.manager->fetchers() == 0);
  CHECK(bench.network.open() == 0);
}

TEST_CASE("a new leader is asked in place of the old one, whose late answer means nothing") {
  FetchBench bench;
  auto partition = bench.follow({});
  bench.lead(bench.told({.partition = 1}));  // so that the first fetcher stays
  bench.advance(1s);
  auto [old, request] = bench.fetch();
  bench.follow({.epoch = 6, .leader = kThird});
  auto [fresh, now] = bench.fetch();
  CHECK(fresh.to == kThird);
  CHECK(now.topics[0].partitions[0].current_leader_epoch == LeaderEpoch{6});
  const auto records = led_batch(Offset{0}, LeaderEpoch{5}, {"a"});
  bench.answer(old, {{.records = records.bytes()}});
  CHECK(end_of(*partition) == Offset{0});
  bench.answer(fresh, {{.records = records.bytes()}});
  CHECK(end_of(*partition) == Offset{1});
}

TEST_CASE("the same leader under a new epoch is asked again, and the answer to what was asked before means nothing") {
  FetchBench bench;
  auto partition = bench.follow({});
  auto [old, request] = bench.fetch();
  bench.follow({.epoch = 6});
  const auto records = led_batch(Offset{0}, LeaderEpoch{5}, {"a"});
  bench.answer(old, {{.records = records.bytes()}});
  CHECK(end_of(*partition) == Offset{0});
  auto [next, again] = bench.fetch();
  REQUIRE(bench.count(again) == 1);
  CHECK(again.session_epoch == 1);
  CHECK(again.topics[0].partitions[0].current_leader_epoch == LeaderEpoch{6});
}

TEST_CASE("a log that has parted from its leader's is cut, and fetching goes on from there") {
  FetchBench bench;
  auto partition = bench.follow({});
  bench.fill(*partition, {1, 1, 3, 4}, 1);
  bench.follow({.epoch = 7});
  bench.advance(1s);
  auto [first, request] = bench.fetch();
  CHECK(request.topics[0].partitions[0].last_fetched_epoch == LeaderEpoch{4});
  const auto records = led_batch(Offset{4}, LeaderEpoch{7}, {"of another history"});
  bench.answer(first,
               {{.high_watermark = 4, .log_start = 1, .records = records.bytes(), .diverging = std::pair{2, 3}}});
  const auto at = partition->follower_position().value();
  CHECK(at.log_end == Offset{2});
  CHECK(at.high_watermark == Offset{1});
  CHECK(at.log_start == Offset{0});
  auto [second, next] = bench.fetch();
  if (bench.count(next) == 0) {  // it left before the disk was done
    bench.answer(second, {});
    std::tie(second, next) = bench.fetch();
  }
  REQUIRE(bench.count(next) == 1);
  CHECK(next.topics[0].partitions[0].fetch_offset == Offset{2});
  CHECK(next.topics[0].partitions[0].last_fetched_epoch == LeaderEpoch{1});
}

TEST_CASE("before 2.7-IV1 epochs are compared before the first fetch, as often as it takes") {
  FetchBench bench("2.6");
  auto partition = bench.follow({.id = 0});
  bench.fill(*partition, {1, 1, 3, 4}, 1);
  bench.follow({.epoch = 7, .id = 0});
  bench.advance(1s);
  const auto ask = [&](int version) {
    auto next = bench.question();
    CHECK(next.header.api_version == version);
    auto request = next.as<protocol::OffsetForLeaderEpochRequest>();
    CHECK(request.replica_id == kSelf);
    REQUIRE(request.topics.size() == 1);
    CHECK(request.topics[0].topic == "orders");
    CHECK(request.topics[0].partitions.at(0).current_leader_epoch == LeaderEpoch{7});
    return std::pair(std::move(next), request.topics[0].partitions[0].leader_epoch);
  };
  const auto tell = [&](const HandNetwork::Question& to, int epoch, int end, ErrorCode code = ErrorCode::none) {
    protocol::OffsetForLeaderEpochResponse response;
    response.topics.push_back(
        {.topic = "orders",
         .partitions = {
             {.error_code = code, .partition = 0, .leader_epoch = LeaderEpoch{epoch}, .end_offset = Offset{end}}}});
    to.answer(response);
    bench.run();
  };
  auto [first, asked] = ask(3);
  CHECK(asked == LeaderEpoch{4});
  tell(first, -1, -1, ErrorCode::unknown_leader_epoch);
  CHECK(bench.network.open() == 0);
  bench.advance(1s);
  auto [again, still] = ask(3);
  CHECK(still == LeaderEpoch{4});
  tell(again, 2, 3);
  CHECK(end_of(*partition) == Offset{2});
  auto [second, older] = ask(3);
  CHECK(older == LeaderEpoch{1});
  tell(second, 1, 1);
  CHECK(end_of(*partition) == Offset{1});
  auto [third, request] = bench.fetch();
  CHECK(third.header.api_version == 11);
  CHECK(request.replica_id == kSelf);
  CHECK_FALSE(request.replica_state);
  CHECK(request.topics.at(0).topic == "orders");
  CHECK(request.topics[0].partitions.at(0).fetch_offset == Offset{1});
  // An error later on does not begin all of it anew.
  bench.answer(third, {{.id = 0, .error = ErrorCode::not_leader_or_follower}});
  bench.advance(1s);
  auto [fourth, back] = bench.fetch();
  CHECK(bench.count(back) == 1);
}

TEST_CASE("a log without epochs is cut to its high watermark, once") {
  FetchBench bench;
  auto partition = bench.follow({});
  bench.fill(*partition, {-1, -1, -1}, 1);
  REQUIRE(partition->follower_position()->last_epoch == base::kNoLeaderEpoch);
  bench.follow({.epoch = 7});
  CHECK(end_of(*partition) == Offset{1});
  bench.advance(1s);
  auto [first, request] = bench.fetch();
  CHECK(request.topics.at(0).partitions.at(0).fetch_offset == Offset{1});
  bench.fill(*partition, {-1});
  bench.answer(first, {{.error = ErrorCode::not_leader_or_follower}});
  bench.advance(1s);
  CHECK(end_of(*partition) == Offset{2});
}

TEST_CASE("the first records of a leader epoch wait for the disk, and nothing else waits for them") {
  FetchBench bench;
  auto partition = bench.follow({.partition = 0});
  auto other = bench.lead(bench.told({.partition = 1}));
  bench.fill(*other, {5});
  bench.lead(bench.told({.partition = 1, .epoch = 6}));
  bench.advance(1s);
  auto [first, request] = bench.fetch();
  const auto records = led_batch(Offset{0}, LeaderEpoch{5}, {"a"});
  const auto more = led_batch(Offset{1}, LeaderEpoch{5}, {"b"});
  first.answer(bench.response({{.partition = 0, .high_watermark = 1, .records = records.bytes()},
                               {.partition = 1, .high_watermark = 2, .records = more.bytes()}}));
  while (bench.loop.step()) continue;
  CHECK(bench.disk.waiting() == 1);
  CHECK(end_of(*partition) == Offset{0});
  CHECK(end_of(*other) == Offset{2});
  auto [second, next] = bench.fetch();
  CHECK(bench.count_forgotten(next) == 1);
  REQUIRE(bench.count(next) == 1);
  CHECK(next.topics[0].partitions[0].partition == 1);
  bench.run();
  CHECK(end_of(*partition) == Offset{1});
  CHECK(partition->follower_position()->high_watermark == Offset{1});
  bench.answer(second, {});
  auto [third, back] = bench.fetch();
  REQUIRE(bench.count(back) == 1);
  CHECK(back.topics[0].partitions[0].partition == 0);
  CHECK(back.topics[0].partitions[0].fetch_offset == Offset{1});
}

TEST_CASE("a leader without room for sessions is told of everything every time") {
  FetchBench bench;
  bench.follow({});
  for (int i = 0; i < 3; ++i) {
    auto [question, request] = bench.fetch();
    CHECK(request.session_id == 0);
    CHECK(request.session_epoch == 0);
    CHECK(bench.count(request) == 1);
    bench.answer(question, {}, 0);
  }
}

TEST_CASE("partitions are named by id once every topic has one, by name before") {
  FetchBench bench;
  bench.follow({.topic = "orders", .id = 1});
  bench.lead(bench.told({.topic = "bills", .id = 0}));
  bench.advance(1s);
  auto [first, by_name] = bench.fetch();
  CHECK(first.header.api_version == 12);
  REQUIRE(by_name.topics.size() == 2);
  CHECK(by_name.topics[0].topic == "bills");
  const auto records = led_batch(Offset{0}, LeaderEpoch{5}, {"a"});
  bench.answer(first, {{.topic = "bills", .records = records.bytes()}});
  CHECK(end_of(*bench.table.find("bills", 0)) == Offset{1});
  auto [second, still] = bench.fetch();
  CHECK(second.header.api_version == 12);
  bench.follow({.topic = "bills", .id = 2});
  bench.answer(second, {});
  auto [third, by_id] = bench.fetch();
  CHECK(third.header.api_version == 17);
  CHECK(by_id.session_id == 7);
  CHECK(by_id.session_epoch == 0);
  CHECK(bench.count(by_id) == 2);
}

TEST_CASE("a newcomer does not wait until a fetch has waited for records in vain") {
  FetchBench bench;
  bench.follow({.partition = 0});
  auto [first, request] = bench.fetch();
  bench.answer(first, {});
  auto [waiting, idle] = bench.fetch();
  bench.follow({.partition = 1});
  CHECK(bench.network.open() == 0);  // it may be answered this very moment
  bench.advance(600ms);
  auto [second, full] = bench.fetch();
  CHECK(bench.count(full) == 2);
  CHECK(full.session_id == 7);
  CHECK(full.session_epoch == 0);
  // Not again and again in a short time.
  for (int i = 2; i < 5; ++i) {
    bench.follow({.partition = i});
    bench.advance(20ms);
    std::tie(second, full) = bench.fetch();
    CHECK(bench.count(full) == static_cast<std::size_t>(i + 1));
  }
  bench.follow({.partition = 5});
  bench.advance(100ms);
  CHECK(bench.network.open() == 0);
  bench.answer(second, {});
  CHECK(bench.count(bench.fetch().second) == 1);
  bench.advance(10s);
  CHECK(bench.network.open() == 0);
}

TEST_CASE("throttled replicas that are behind are left out while the rate is exceeded, those in sync never") {
  FetchBench bench;
  bench.overrides["orders"] = {{"follower.replication.throttled.replicas", "0:1,1:1,2:3"}};
  for (int i = 0; i < 3; ++i) bench.lead(bench.told({.partition = i}));
  bench.advance(1s);
  bench.throttle.limit(1000);
  auto [first, request] = bench.fetch();
  REQUIRE(bench.count(request) == 3);
  const auto records = led_batch(Offset{0}, LeaderEpoch{5}, {std::string(932, 'x')});
  REQUIRE(records.size() > 1000);
  bench.answer(first, {{.partition = 0, .high_watermark = 1, .records = records.bytes()},
                       {.partition = 1, .high_watermark = 100, .records = records.bytes()},
                       {.partition = 2, .high_watermark = 100, .records = records.bytes()}});
  CHECK(bench.manager->progress().max_lag() == 99);
  // Paid for in two seconds and a bit. The first two fetches may find the disk still at work.
  auto [second, next] = bench.fetch();
  bench.answer(second, {});
  auto [third, held] = bench.fetch();
  bench.answer(third, {});
  auto [fourth, idle] = bench.fetch();
  CHECK(bench.count(idle) == 0);
  std::set<std::int32_t> back;
  for (const auto* request_of : {&next, &held})
    for (const auto& topic : request_of->topics)
      for (const auto& partition : topic.partitions) back.insert(partition.partition);
  CHECK(back == std::set<std::int32_t>{0, 2});
  bench.advance(5s);
  bench.answer(fourth, {});
  auto [fifth, paid] = bench.fetch();
  REQUIRE(bench.count(paid) == 1);
  CHECK(paid.topics[0].partitions[0].partition == 1);
  CHECK(paid.topics[0].partitions[0].fetch_offset == Offset{1});
}

TEST_CASE(
    "when all that is left is throttled, the fetcher rests until it is paid for, or the topic names them no more") {
  FetchBench bench;
  bench.overrides["orders"] = {{"follower.replication.throttled.replicas", "*"}};
  bench.follow({});
  bench.throttle.limit(100);
  auto [first, request] = bench.fetch();
  const auto records = led_batch(Offset{0}, LeaderEpoch{5}, {"x"});
  bench.answer(first, {{.high_watermark = 100, .records = records.bytes()}});
  CHECK(bench.network.open() == 0);
  SECTION("paid for") { bench.advance(5s); }
  SECTION("named no more") {
    bench.settings.set_topic_overrides("orders", {});
    bench.run();
  }
  auto [second, again] = bench.fetch();
  CHECK(again.topics.at(0).partitions.at(0).fetch_offset == Offset{1});
}

TEST_CASE("a large answer is taken in several turns of the loop") {
  FetchBench bench;
  std::vector<base::Buffer> records;
  std::vector<FetchBench::Part> parts;
  for (int i = 0; i < 3; ++i) {
    auto partition = bench.lead(bench.told({.partition = i}));
    bench.fill(*partition, {5});
    bench.lead(bench.told({.partition = i, .epoch = 6}));
    records.push_back(led_batch(Offset{1}, LeaderEpoch{5}, {std::string(1 << 20, 'x')}));
  }
  for (int i = 0; i < 3; ++i)
    parts.push_back({.partition = i, .records = records[static_cast<std::size_t>(i)].bytes()});
  bench.advance(1s);
  auto [first, request] = bench.fetch();
  first.answer(bench.response(parts));
  CHECK(end_of(*bench.table.find("orders", 0)) == Offset{2});
  CHECK(end_of(*bench.table.find("orders", 1)) == Offset{1});
  CHECK(bench.network.open() == 0);
  bench.run();
  CHECK(end_of(*bench.table.find("orders", 2)) == Offset{2});
  CHECK(bench.count(bench.fetch().second) == 3);
}
