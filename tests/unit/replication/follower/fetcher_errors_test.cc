#include <catch2/catch.hpp>

#include <vector>

#include "replication/follower/fetcher.h"
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

TEST_CASE("a partition in error is left out for a while, the others go on") {
  FetchBench bench;
  bench.lead(bench.told({.partition = 0}));
  bench.follow({.partition = 1});
  bench.advance(1s);
  auto [first, full] = bench.fetch();
  REQUIRE(bench.count(full) == 2);
  bench.answer(first, {{.partition = 0, .error = ErrorCode::kafka_storage_error}});
  auto [second, without] = bench.fetch();
  REQUIRE(bench.count_forgotten(without) == 1);
  CHECK(without.forgotten_topics_data[0].partitions == std::vector<std::int32_t>{0});
  bench.advance(999ms);
  bench.answer(second, {});
  auto [third, still] = bench.fetch();
  CHECK(bench.count(still) == 0);
  bench.advance(1ms);
  bench.advance(10s);
  CHECK(bench.network.open() == 0);  // nobody at rest is disturbed for it
  bench.answer(third, {});
  auto [fourth, back] = bench.fetch();
  REQUIRE(bench.count(back) == 1);
  CHECK(back.topics[0].partitions[0].partition == 0);
  CHECK(bench.manager->progress().failed == 0);
}

TEST_CASE("a leader that may not know its office yet is asked again soon, and not so soon when it stays so") {
  const auto code = GENERATE(ErrorCode::not_leader_or_follower, ErrorCode::unknown_leader_epoch,
                             ErrorCode::unknown_topic_or_partition, ErrorCode::unknown_topic_id);
  FetchBench bench;
  bench.follow({});
  for (const auto wait : {40ms, 80ms, 160ms, 320ms, 1000ms, 1000ms}) {
    auto [question, request] = bench.fetch();
    bench.answer(question, {{.error = code}});
    bench.advance(wait - 1ms);
    CHECK(bench.network.open() == 0);
    bench.advance(1ms);
    CHECK(bench.network.open() == 1);
  }
  // Once it was heard of under this epoch, another one must come.
  bench.follow({.epoch = 6});
  bench.advance(1s);
  auto [question, request] = bench.fetch();
  bench.answer(question, {{.high_watermark = 0}});
  bench.answer(bench.fetch().first, {{.error = code}});
  bench.advance(999ms);
  CHECK(bench.network.open() == 0);
}

TEST_CASE("who comes back soon does not wait behind a fetch that waits for others' records") {
  FetchBench bench;
  bench.lead(bench.told({.partition = 0}));
  bench.follow({.partition = 1});
  bench.advance(1s);
  auto [first, full] = bench.fetch();
  bench.answer(first, {{.partition = 0, .error = ErrorCode::unknown_leader_epoch}});
  bench.fetch();
  bench.advance(40ms);
  bench.advance(20ms);
  auto [again, both] = bench.fetch();
  CHECK(bench.count(both) == 2);
}

TEST_CASE("a fenced partition waits for the controller's word") {
  FetchBench bench;
  bench.follow({});
  auto [first, request] = bench.fetch();
  bench.answer(first, {{.error = ErrorCode::fenced_leader_epoch}});
  CHECK(bench.manager->progress().failed == 1);
  bench.advance(1h);
  CHECK(bench.network.open() == 0);
  bench.follow({.epoch = 6});
  CHECK(bench.manager->progress().failed == 0);
  auto [second, again] = bench.fetch();
  CHECK(bench.count(again) == 1);
}

TEST_CASE("out of the leader's range, ListOffsets tells what to do") {
  FetchBench bench;
  auto partition = bench.follow({});
  bench.fill(*partition, {5, 5, 5}, 2);
  bench.follow({.epoch = 6});
  bench.advance(1s);
  auto [first, request] = bench.fetch();
  bench.answer(first, {{.error = ErrorCode::offset_out_of_range}});
  const auto ask = [&](std::int64_t at) {
    auto next = bench.question();
    CHECK(next.header.api_version == 9);
    auto question = next.as<protocol::ListOffsetsRequest>();
    CHECK(question.replica_id == kSelf);
    CHECK(question.topics.at(0).partitions.at(0).timestamp == at);
    CHECK(question.topics[0].partitions[0].current_leader_epoch == LeaderEpoch{6});
    return next;
  };
  const auto tell = [&](const HandNetwork::Question& to, std::int64_t offset, ErrorCode code = ErrorCode::none) {
    protocol::ListOffsetsResponse response;
    response.topics.push_back(
        {.name = "orders",
         .partitions = {
             {.partition_index = 0, .error_code = code, .offset = Offset{offset}, .old_style_offsets = {}}}});
    to.answer(response);
    bench.run();
  };
  const auto fetched_from = [&] {
    auto [next, again] = bench.fetch();
    return again.topics.at(0).partitions.at(0).fetch_offset;
  };
  SECTION("the leader ends before us: cut") {
    tell(ask(-1), 2);
    CHECK(end_of(*partition) == Offset{2});
    CHECK(fetched_from() == Offset{2});
  }
  SECTION("the leader begins behind our end: start over there") {
    tell(ask(-1), 50);
    tell(ask(-2), 40);
    const auto at = partition->follower_position().value();
    CHECK(at.log_end == Offset{40});
    CHECK(at.log_start == Offset{40});
    CHECK(fetched_from() == Offset{40});
  }
  SECTION("it fits by now: go on, but not for ever") {
    tell(ask(-1), 50);
    tell(ask(-2), 1);
    auto [second, again] = bench.fetch();
    CHECK(again.topics.at(0).partitions.at(0).fetch_offset == Offset{3});
    bench.answer(second, {{.error = ErrorCode::offset_out_of_range}});
    tell(ask(-1), 50);
    tell(ask(-2), 1);
    CHECK(bench.network.open() == 0);
    bench.advance(1s);
    CHECK(fetched_from() == Offset{3});
  }
  SECTION("an error, no answer at all, and an answer that says nothing: later") {
    SECTION("an error") { tell(ask(-1), -1, ErrorCode::not_leader_or_follower); }
    SECTION("nothing") {
      ask(-1).answer(protocol::ListOffsetsResponse{});
      bench.run();
    }
    SECTION("no offset") { tell(ask(-1), -1); }
    CHECK(bench.network.open() == 0);
    bench.advance(1s);
    CHECK(fetched_from() == Offset{3});
  }
  SECTION("a lost connection: the same question once more") {
    ask(-1).fail();
    bench.run();
    CHECK(bench.network.open() == 0);
    bench.advance(1s);
    tell(ask(-1), 2);
    CHECK(fetched_from() == Offset{2});
  }
}

TEST_CASE("an answer that is no continuation is not taken, and asked for again after a while") {
  FetchBench bench;
  auto partition = bench.follow({});
  bench.fill(*partition, {5});
  bench.follow({.epoch = 6});
  bench.advance(1s);
  auto [first, request] = bench.fetch();
  auto records = led_batch(Offset{1}, LeaderEpoch{6}, {"a"});
  SECTION("corrupt") { records.bytes().back() ^= std::byte{1}; }
  SECTION("from elsewhere") { records = led_batch(Offset{0}, LeaderEpoch{6}, {"a"}); }
  SECTION("of another epoch") { records = led_batch(Offset{1}, LeaderEpoch{9}, {"a"}); }
  bench.answer(first, {{.high_watermark = 9, .records = records.bytes()}});
  CHECK(end_of(*partition) == Offset{1});
  CHECK(partition->follower_position()->high_watermark == Offset{0});
  CHECK(bench.network.open() == 0);
  bench.advance(1s);
  auto [second, again] = bench.fetch();
  const auto good = led_batch(Offset{1}, LeaderEpoch{6}, {"a"});
  bench.answer(second, {{.high_watermark = 9, .records = good.bytes()}});
  CHECK(end_of(*partition) == Offset{2});
}

TEST_CASE("a session the leader has forgotten begins anew at once, refused twice after a while") {
  FetchBench bench;
  bench.follow({});
  auto [first, request] = bench.fetch();
  bench.answer(first, {});
  auto [second, idle] = bench.fetch();
  const auto refuse = [&](const HandNetwork::Question& question, ErrorCode code) {
    protocol::FetchResponse response;
    response.error_code = code;
    question.answer(response);
    bench.run();
  };
  SECTION("it is not known") {
    refuse(second, ErrorCode::fetch_session_id_not_found);
    auto [third, full] = bench.fetch();
    CHECK(full.session_id == 0);
    CHECK(full.session_epoch == 0);
    CHECK(bench.count(full) == 1);
    refuse(third, ErrorCode::fetch_session_id_not_found);
    CHECK(bench.network.open() == 0);
    bench.advance(1s);
    CHECK(bench.count(bench.fetch().second) == 1);
  }
  SECTION("it is elsewhere: the old one is closed with the new one's first fetch") {
    refuse(second, ErrorCode::invalid_fetch_session_epoch);
    auto [third, full] = bench.fetch();
    CHECK(full.session_id == 7);
    CHECK(full.session_epoch == 0);
    CHECK(bench.count(full) == 1);
  }
  SECTION("the answer is of another one") {
    bench.answer(second, {}, 8);
    CHECK(bench.count(bench.fetch().second) == 1);
  }
  SECTION("something else is wrong") {
    refuse(second, ErrorCode::cluster_authorization_failed);
    CHECK(bench.network.open() == 0);
    bench.advance(1s);
    CHECK(bench.count(bench.fetch().second) == 1);
  }
}

TEST_CASE("a leader that cannot be reached is asked again after a while, with everything") {
  FetchBench bench;
  bench.follow({});
  auto [first, request] = bench.fetch();
  bench.answer(first, {});
  bench.fetch().first.fail();
  bench.run();
  CHECK(bench.network.open() == 0);
  bench.advance(999ms);
  CHECK(bench.network.open() == 0);
  bench.advance(1ms);
  auto [again, full] = bench.fetch();
  CHECK(full.session_id == 7);
  CHECK(full.session_epoch == 0);
  CHECK(bench.count(full) == 1);
}

TEST_CASE("what lies on a failed directory is followed no longer") {
  FetchBench bench;
  auto partition = bench.follow({.partition = 0});
  (void)bench.dirs->online().front()->watch(base::fail(ErrorCode::kafka_storage_error, "gone"));
  bench.replicas->directory_failed();
  bench.run();
  auto [first, request] = bench.fetch();
  const auto records = led_batch(Offset{0}, LeaderEpoch{5}, {"a"});
  bench.answer(first, {{.records = records.bytes()}});
  CHECK(bench.network.open() == 0);
  bench.advance(1h);
  CHECK(bench.network.open() == 0);
}

TEST_CASE("an answer that cannot be read, and partitions nobody asked for, do no harm") {
  FetchBench bench;
  auto partition = bench.follow({});
  auto [first, request] = bench.fetch();
  const auto records = led_batch(Offset{0}, LeaderEpoch{5}, {"a"});
  bench.answer(first, {{.id = 9, .records = records.bytes()},
                       {.partition = 5, .records = records.bytes()},
                       {.partition = -1, .records = records.bytes()}});
  CHECK(end_of(*partition) == Offset{0});
  auto [second, next] = bench.fetch();
  second.done(base::Buffer(3));
  bench.run();
  CHECK(bench.network.open() == 0);
  bench.advance(1s);
  CHECK(bench.count(bench.fetch().second) == 1);
}
