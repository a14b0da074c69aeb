#include <catch2/catch.hpp>

#include "tests/support/broker/fetch_bench.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::BrokerId;
using base::ErrorCode;
using base::Offset;
using protocol::FetchRequest;
using protocol::FetchResponse;
using std::chrono::seconds;

namespace {

constexpr std::int16_t kByName = 12;
constexpr BrokerId kThird{3};

FetchRequest as_follower(BrokerId follower, const std::vector<From>& partitions, int max_wait_ms = 0) {
  auto out = fetch(partitions, max_wait_ms);
  out.replica_id = follower;
  return out;
}

}  // namespace

TEST_CASE("a follower serves consumers of version 11 and later, up to its own high watermark, and nobody else") {
  FetchBench bench;
  auto partition = bench.announce({});
  REQUIRE(append(*partition, {{"a", "b"}}).ok());
  bench.announce(
      {.leader_epoch = base::LeaderEpoch{1}, .leader = kOther, .replicas = {kOther, kSelf}, .is_new = false});
  const auto ask = [&](std::int16_t version, std::int32_t replica = -1) {
    auto wanted = fetch({{}});
    wanted.replica_id = base::BrokerId{replica};
    return only(bench.ask<FetchResponse>(bench.handler, wanted, version));
  };
  CHECK(ask(10).error_code == ErrorCode::not_leader_or_follower);
  CHECK(ask(12).error_code == ErrorCode::none);
  CHECK(ask(12).high_watermark == Offset{2});
  CHECK(ask(12).records.view.size() > 0);
  CHECK(ask(12, -2).error_code == ErrorCode::none);  // a debugging consumer
  CHECK(ask(12, 2).error_code == ErrorCode::not_leader_or_follower);
}

TEST_CASE("a follower's fetch moves the high watermark, and tells it of the one that it has moved") {
  FetchBench bench;
  auto partition = bench.announce({.replicas = {kSelf, kOther}});
  REQUIRE(append(*partition, {{"a", "b"}}, replication::Acks::leader).ok());
  const auto ask = [&](std::int64_t from) {
    return only(bench.ask<FetchResponse>(bench.handler, as_follower(kOther, {{.offset = from}}), kByName));
  };
  const auto first = ask(0);
  CHECK(first.high_watermark == Offset{0});
  CHECK(first.records.view.size() > 0);
  CHECK(ask(2).high_watermark == Offset{2});
  CHECK(partition->latest({})->offset == Offset{2});
}

TEST_CASE("a replica that is not assigned is refused, differently when it names a leader epoch") {
  FetchBench bench;
  bench.announce({.replicas = {kSelf, kOther}});
  auto wanted = as_follower(kThird, {{}});
  CHECK(only(bench.ask<FetchResponse>(bench.handler, wanted, kByName)).error_code == ErrorCode::not_leader_or_follower);
  wanted.topics[0].partitions[0].current_leader_epoch = base::LeaderEpoch{0};
  CHECK(only(bench.ask<FetchResponse>(bench.handler, wanted, kByName)).error_code == ErrorCode::unknown_leader_epoch);
}

TEST_CASE("the life a broker fetches in comes from version 15 on, and an earlier one is refused") {
  FetchBench bench;
  const base::Uuid id{1, 2};
  bench.announce({.replicas = {kSelf, kOther}, .topic_id = id});
  const auto ask = [&](std::int64_t epoch) {
    auto wanted = fetch({{}});
    wanted.topics[0].topic_id = id;
    wanted.replica_state = FetchRequest::ReplicaState{kOther, epoch};
    return only(bench.ask<FetchResponse>(bench.handler, wanted, 17)).error_code;
  };
  CHECK(ask(7) == ErrorCode::none);
  CHECK(ask(6) == ErrorCode::not_leader_or_follower);
  CHECK(ask(7) == ErrorCode::none);
}

TEST_CASE("a follower that has registered anew is known as such by every replica of its session, idle ones too") {
  FetchBench bench;
  const base::Uuid id{1, 2};
  bench.announce({.replicas = {kSelf, kOther}, .topic_id = id});
  std::int32_t session = 0;
  const auto ask = [&](std::int64_t life, std::int32_t epoch, bool names_it) {
    auto wanted = names_it ? fetch({{}}) : fetch({});
    if (names_it) wanted.topics[0].topic_id = id;
    wanted.replica_state = FetchRequest::ReplicaState{kOther, life};
    wanted.session_id = session;
    wanted.session_epoch = epoch;
    return bench.ask<FetchResponse>(bench.handler, wanted, 17);
  };
  session = ask(7, 0, true).session_id;
  CHECK(ask(7, 1, false).responses.empty());
  CHECK(ask(8, 2, false).responses.empty());
  session = 0;
  CHECK(only(ask(7, -1, true)).error_code == ErrorCode::not_leader_or_follower);
}

TEST_CASE("a follower whose idle session goes on asking stays in sync when records come") {
  FetchBench bench;
  bench.let_live({kSelf, kOther, kThird});
  auto partition = bench.announce({.replicas = {kSelf, kOther, kThird}});
  SessionOf alive{bench}, dead{bench};
  alive.ask(as_follower(kOther, {{}}));
  dead.ask(as_follower(kThird, {{}}));
  for (int i = 0; i < 10; ++i) {
    bench.clock.advance(seconds(20));
    alive.ask(as_follower(kOther, {}));
  }
  bench.clock.advance(seconds(20));
  REQUIRE(append(*partition, {{"a"}}, replication::Acks::leader).ok());
  partition->look_at_followers();
  REQUIRE(bench.isr_changes.size() == 1);
  CHECK(bench.isr_changes.change().isr == std::vector{kSelf, kOther});
}

TEST_CASE("a parked follower is woken by records, not by the high watermark, which it is told when its time is up") {
  FetchBench bench;
  auto partition = bench.announce({.replicas = {kSelf, kOther, kThird}});
  REQUIRE(append(*partition, {{"a"}}, replication::Acks::leader).ok());
  SessionOf first{bench}, second{bench};
  first.ask(as_follower(kOther, {{.offset = 1}}));
  second.ask(as_follower(kThird, {{.offset = 0}}));
  const auto parked = bench.send(bench.handler, first.next(as_follower(kOther, {}, 300)), kByName);
  // This one moves the high watermark to 1.
  second.ask(as_follower(kThird, {{.offset = 1}}));
  bench.run_on_loop([] {});
  CHECK_FALSE(parked->is_there());
  const auto answer = only(bench.decode<FetchResponse>(parked->get(), kByName));
  CHECK(answer.high_watermark == Offset{1});
  CHECK(answer.records.view.empty());

  const auto waiting = bench.send(bench.handler, first.next(as_follower(kOther, {}, 2'000'000'000)), kByName);
  REQUIRE(append(*partition, {{"b"}}, replication::Acks::leader).ok());
  CHECK(only(bench.decode<FetchResponse>(waiting->get(), kByName)).records.view.size() > 0);
}

TEST_CASE("a parked follower is woken by the record that follows a move of the high watermark") {
  FetchBench bench;
  auto partition = bench.announce({.replicas = {kSelf, kOther, kThird}});
  REQUIRE(append(*partition, {{"a"}}, replication::Acks::leader).ok());
  SessionOf first{bench}, second{bench};
  first.ask(as_follower(kOther, {{.offset = 1}}));
  second.ask(as_follower(kThird, {{.offset = 0}}));
  const auto parked = bench.send(bench.handler, first.next(as_follower(kOther, {}, 2'000'000'000)), kByName);
  second.ask(as_follower(kThird, {{.offset = 1}}));  // all have it: the high watermark moves, and wakes nobody
  bench.run_on_loop([] {});
  CHECK_FALSE(parked->is_there());
  REQUIRE(append(*partition, {{"b"}}, replication::Acks::leader).ok());
  const auto answer = only(bench.decode<FetchResponse>(parked->get(), kByName));
  CHECK(answer.records.view.size() > 0);
  CHECK(answer.high_watermark == Offset{1});
}

TEST_CASE("a consumer is sent to the in-sync replica in its rack that holds what it asks for") {
  FetchBench bench;
  bench.services.prefers_rack = true;
  bench.brokers = {bench.broker(kSelf), bench.broker(kOther), bench.broker(kThird)};
  bench.brokers[0].rack = std::string("a");
  bench.brokers[1].rack = std::string("b");
  bench.brokers[2].rack = std::string("b");
  auto partition = bench.announce({.replicas = {kSelf, kOther, kThird}});
  REQUIRE(append(*partition, {{"1"}}, replication::Acks::leader).ok());
  REQUIRE(append(*partition, {{"2"}}, replication::Acks::leader).ok());
  const auto follow = [&](BrokerId follower, std::int64_t from) {
    auto wanted = as_follower(follower, {{.offset = from}});
    wanted.topics[0].partitions[0].log_start_offset = Offset{0};
    CHECK(only(bench.ask<FetchResponse>(bench.handler, wanted, kByName)).error_code == ErrorCode::none);
  };
  follow(kOther, 1);
  follow(kThird, 2);
  struct Asking {
    std::string rack = "b";
    std::int64_t from = 1;
    std::int16_t version = kByName;
  };
  const auto ask = [&](const Asking& how) {
    auto wanted = fetch({{.offset = how.from}}, 60'000);
    wanted.rack_id = how.rack;
    if (how.from > 1) wanted.max_wait_ms = 0;
    return only(bench.ask<FetchResponse>(bench.handler, wanted, how.version));
  };
  const auto sent_on = ask({});                     // at once, although it may wait a minute
  CHECK(sent_on.preferred_read_replica == kThird);  // who holds most
  CHECK(sent_on.records.view.empty());
  CHECK(sent_on.high_watermark == Offset{1});
  CHECK(ask({.from = 2}).preferred_read_replica == kThird);
  CHECK(ask({.rack = "a", .from = 2}).preferred_read_replica == base::kNoBroker);
  CHECK(ask({.rack = "elsewhere", .from = 2}).preferred_read_replica == base::kNoBroker);
  CHECK(ask({.rack = "", .from = 2}).preferred_read_replica == base::kNoBroker);
  CHECK(ask({.from = 2, .version = 10}).preferred_read_replica == base::kNoBroker);
  bench.services.prefers_rack = false;
  CHECK(ask({.from = 2}).preferred_read_replica == base::kNoBroker);
}

TEST_CASE(
    "over the limit a throttled leader sends nothing to followers that are not in sync, and goes on with others") {
  FetchBench bench;
  replication::ReplicationThrottle throttle(bench.clock);
  throttle.limit(1);
  bench.services.throttle = &throttle;
  bench.overrides["orders"] = {{"leader.replication.throttled.replicas", "0:1"}};
  auto partition = bench.announce({.replicas = {kSelf, kOther, kThird}, .isr = {kSelf, kOther}});
  auto free = bench.announce({.partition = 1, .replicas = {kSelf, kThird}, .isr = {kSelf}});
  REQUIRE(append(*partition, {{"a"}}, replication::Acks::leader).ok());
  REQUIRE(append(*free, {{"a"}}, replication::Acks::leader).ok());
  const auto bytes = [&](BrokerId follower, std::int32_t index = 0, int wait_ms = 0) {
    const auto wanted = as_follower(follower, {{.partition = index}}, wait_ms);
    return only(bench.ask<FetchResponse>(bench.handler, wanted, kByName)).records.view.size();
  };
  CHECK(bytes(kThird) > 0);  // paid for afterwards
  CHECK(throttle.wait() > seconds(1));
  CHECK(bytes(kThird) == 0);
  CHECK(bytes(kThird, 0, 50) == 0);  // nor is it woken before its time is up
  CHECK(bytes(kOther) > 0);
  CHECK(bytes(kThird, 1) > 0);
  bench.clock.advance(std::chrono::hours(2));
  CHECK(bytes(kThird) > 0);
}
