#include "replication/partition/partition.h"

#include <catch2/catch.hpp>

#include <thread>

#include "tests/support/replication/replica_bench.h"

using namespace replication;
using namespace test_support;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;
using std::chrono::milliseconds;

namespace {

constexpr storage::ReadLimits kPlenty{.max_bytes = 1 << 20};

template <class T>
ErrorCode code_of(const base::Result<T>& result) {
  return result ? ErrorCode::none : result.error().code;
}

// What a read of everything from `from` may show.
std::size_t readable_bytes(Partition& partition, Isolation isolation, Offset from = Offset{0}) {
  auto read = partition.read({.from = from, .isolation = isolation, .limits = kPlenty});
  REQUIRE(read.ok());
  return read->slice.records.size_bytes;
}

protocol::BatchSpec transactional(std::int64_t producer, std::int32_t sequence = 0) {
  return {.producer_id = base::ProducerId{producer},
          .producer_epoch = base::ProducerEpoch{0},
          .base_sequence = sequence,
          .transactional = true};
}

}  // namespace

TEST_CASE("a replica that follows serves nobody who wants its leader, and one that was stopped serves nobody") {
  ReplicaBench bench;
  auto partition = bench.lead({.leader = kOther, .replicas = {kSelf, kOther}});
  CHECK_FALSE(partition->is_leader());
  CHECK(code_of(partition->read({.from = Offset{0}, .limits = kPlenty})) == ErrorCode::not_leader_or_follower);
  CHECK(code_of(partition->ready_to_append(Acks::leader)) == ErrorCode::not_leader_or_follower);
  CHECK(code_of(partition->latest({})) == ErrorCode::not_leader_or_follower);
  CHECK(code_of(partition->end_offset_for_epoch(LeaderEpoch{0}, base::kNoLeaderEpoch)) ==
        ErrorCode::not_leader_or_follower);
  // But consumers that do not insist on the leader.
  CHECK(partition->read({.from = Offset{0}, .limits = kPlenty, .also_from_follower = true}).ok());
  CHECK(partition->park(Isolation::high_watermark, Offset{0}, std::make_shared<CountingWaiter>()));

  auto led = bench.lead({.partition = 1});
  REQUIRE(append(*led, {{"a"}}).ok());
  led->stop();
  CHECK(code_of(led->read({.from = Offset{0}, .limits = kPlenty})) == ErrorCode::not_leader_or_follower);
  CHECK(code_of(append(*led, {{"b"}})) == ErrorCode::not_leader_or_follower);
  CHECK(led->acknowledged(Offset{1}, Acks::all) == ErrorCode::not_leader_or_follower);
  CHECK(code_of(led->lead_or_follow(ReplicaBench::state({.partition = 1, .leader_epoch = LeaderEpoch{5}}))) ==
        ErrorCode::unknown_topic_or_partition);
  // Also when the log is gone from under it.
  const auto log = led->release_log();
  REQUIRE(log);
  CHECK(led->log_start_offset() == base::kNoOffset);
  CHECK(led->remove_expired_producers(kNoon, milliseconds(1)) == 0);
  CHECK(code_of(led->offset_for_time({.at = kNoon})) == ErrorCode::not_leader_or_follower);
  led->change_settings(PartitionSettings{});
}

TEST_CASE("a leader epoch is taken once, and only a later one after it") {
  ReplicaBench bench;
  auto partition = bench.lead({.leader_epoch = LeaderEpoch{3}});
  CHECK(partition->leader_epoch() == LeaderEpoch{3});
  for (const int epoch : {3, 2})
    CHECK(code_of(partition->lead_or_follow(ReplicaBench::state({.leader_epoch = LeaderEpoch{epoch}}))) ==
          ErrorCode::stale_controller_epoch);
  CHECK(partition->lead_or_follow(ReplicaBench::state({.leader_epoch = LeaderEpoch{4}})).ok());
  CHECK(partition->leader_epoch() == LeaderEpoch{4});
}

TEST_CASE("a first topic id is taken even with a leader epoch known already, another one never") {
  ReplicaBench bench;
  const base::Uuid id{{1}};
  auto partition = bench.lead({});
  CHECK(partition->lead_or_follow(ReplicaBench::state({.topic_id = id})).ok());
  CHECK(code_of(partition->lead_or_follow(ReplicaBench::state({.topic_id = id}))) == ErrorCode::stale_controller_epoch);
  CHECK(code_of(partition->lead_or_follow(ReplicaBench::state(
            {.leader_epoch = LeaderEpoch{1}, .topic_id = base::Uuid{{2}}}))) == ErrorCode::inconsistent_topic_id);
  CHECK(partition->leader_epoch() == LeaderEpoch{0});
}

TEST_CASE("a reader with an older leader epoch is fenced, one with a newer told to wait") {
  ReplicaBench bench;
  auto partition = bench.lead({.leader_epoch = LeaderEpoch{3}});
  const auto read = [&](int epoch) {
    return code_of(partition->read({.from = Offset{0}, .current_leader_epoch = LeaderEpoch{epoch}, .limits = kPlenty}));
  };
  CHECK(read(2) == ErrorCode::fenced_leader_epoch);
  CHECK(read(3) == ErrorCode::none);
  CHECK(read(4) == ErrorCode::unknown_leader_epoch);
  CHECK(read(-1) == ErrorCode::none);
  CHECK(code_of(partition->latest({.current_leader_epoch = LeaderEpoch{2}})) == ErrorCode::fenced_leader_epoch);
  CHECK(code_of(partition->end_offset_for_epoch(LeaderEpoch{0}, LeaderEpoch{4})) == ErrorCode::unknown_leader_epoch);
}

TEST_CASE("acks=all wants as many in sync as min.insync.replicas, but never more than there are replicas") {
  ReplicaBench bench;
  bench.overrides["orders"] = {{"min.insync.replicas", "2"}};
  auto alone = bench.lead({.partition = 0});
  CHECK(alone->settings()->min_insync_replicas == 2);
  CHECK(append(*alone, {{"a"}}).ok());

  auto one_of_two = bench.lead({.partition = 1, .replicas = {kSelf, kOther}, .isr = {kSelf}});
  CHECK(code_of(one_of_two->ready_to_append(Acks::all)) == ErrorCode::not_enough_replicas);
  CHECK(code_of(append(*one_of_two, {{"a"}})) == ErrorCode::not_enough_replicas);
  CHECK(one_of_two->latest({})->offset == Offset{0});
  // Appended, but not committed as long as so few are in sync.
  CHECK(append(*one_of_two, {{"a"}}, Acks::leader).ok());
  CHECK(one_of_two->acknowledged(Offset{1}, Acks::all) == std::nullopt);
  CHECK(one_of_two->latest({})->offset == Offset{0});
  // One is enough from now on.
  auto settings = *one_of_two->settings();
  settings.min_insync_replicas = 1;
  one_of_two->change_settings(settings);
  CHECK(one_of_two->acknowledged(Offset{1}, Acks::all) == ErrorCode::none);
  // And too few again: what was committed stays committed, but nobody may count on two copies.
  settings.min_insync_replicas = 2;
  one_of_two->change_settings(settings);
  CHECK(one_of_two->acknowledged(Offset{1}, Acks::all) == ErrorCode::not_enough_replicas_after_append);
  CHECK(one_of_two->latest({})->offset == Offset{1});
}

TEST_CASE("alone in sync a leader commits what it appends, else it waits for the others") {
  ReplicaBench bench;
  auto alone = bench.lead({});
  const auto appended = append(*alone, {{"a", "b"}});
  REQUIRE(appended.ok());
  CHECK(appended->replicated);
  CHECK(appended->info.base_offset == Offset{0});
  CHECK(appended->info.next_offset() == Offset{2});
  CHECK(alone->acknowledged(Offset{2}, Acks::all) == ErrorCode::none);

  auto shared = bench.lead({.partition = 1, .replicas = {kSelf, kOther}});
  CHECK_FALSE(append(*shared, {{"a"}})->replicated);
  CHECK(shared->acknowledged(Offset{1}, Acks::all) == std::nullopt);
  CHECK(readable_bytes(*shared, Isolation::high_watermark) == 0);
  CHECK(readable_bytes(*shared, Isolation::log_end) > 0);
  // The other one leaves the in-sync replicas.
  REQUIRE(shared
              ->lead_or_follow(ReplicaBench::state(
                  {.partition = 1, .leader_epoch = LeaderEpoch{1}, .replicas = {kSelf, kOther}, .isr = {kSelf}}))
              .ok());
  CHECK(shared->acknowledged(Offset{1}, Acks::all) == ErrorCode::none);
  CHECK(readable_bytes(*shared, Isolation::high_watermark) > 0);
}

TEST_CASE("reads begin between the log's start and its end") {
  ReplicaBench bench;
  auto partition = bench.lead({});
  REQUIRE(append(*partition, {{"a", "b", "c"}}).ok());
  const auto read = [&](std::int64_t from) { return partition->read({.from = Offset{from}, .limits = kPlenty}); };
  CHECK(code_of(read(-1)) == ErrorCode::offset_out_of_range);
  CHECK(code_of(read(4)) == ErrorCode::offset_out_of_range);
  const auto at_end = read(3);
  REQUIRE(at_end.ok());
  CHECK(at_end->slice.records.size_bytes == 0);
  CHECK(at_end->high_watermark == Offset{3});
  CHECK(at_end->bound == Offset{3});
  CHECK_FALSE(at_end->catching_up);
}

TEST_CASE("an offset above the high watermark but not above the log end is empty, not out of range") {
  ReplicaBench bench;
  auto partition = bench.lead({.replicas = {kSelf, kOther}});
  REQUIRE(append(*partition, {{"a", "b", "c"}}).ok());
  for (const int from : {0, 1, 3}) {
    const auto read = partition->read({.from = Offset{from}, .limits = kPlenty});
    REQUIRE(read.ok());
    CHECK(read->slice.records.size_bytes == 0);
    CHECK(read->high_watermark == Offset{0});
  }
}

TEST_CASE("readers of committed data stop at the first open transaction, others do not") {
  ReplicaBench bench;
  auto partition = bench.lead({});
  REQUIRE(append(*partition, {{"plain"}}).ok());
  REQUIRE(append(*partition, {.values = {"open"}, .spec = transactional(9)}).ok());
  REQUIRE(append(*partition, {{"behind"}}).ok());
  const auto committed = partition->read({.from = Offset{0}, .isolation = Isolation::last_stable, .limits = kPlenty});
  REQUIRE(committed.ok());
  CHECK(committed->bound == Offset{1});
  CHECK(committed->last_stable == Offset{1});
  CHECK(committed->high_watermark == Offset{3});
  CHECK(committed->slice.records.size_bytes < readable_bytes(*partition, Isolation::high_watermark));
  CHECK(partition->latest({.isolation = Isolation::last_stable})->offset == Offset{1});
  CHECK(partition->latest({.isolation = Isolation::high_watermark})->offset == Offset{3});
}

TEST_CASE("whoever waits below an open transaction sleeps until the partition moves") {
  ReplicaBench bench;
  auto partition = bench.lead({});
  REQUIRE(append(*partition, {.values = {"open"}, .spec = transactional(9)}).ok());
  const auto waiter = std::make_shared<CountingWaiter>();
  REQUIRE(partition->park(Isolation::last_stable, Offset{0}, waiter));
  CHECK(waiter->woken == 0);
  REQUIRE(append(*partition, {{"more"}}).ok());
  CHECK(waiter->woken == 1);
  CHECK(partition->waiting() == 0);
}

TEST_CASE("parking is refused when there is more to see already") {
  ReplicaBench bench;
  auto partition = bench.lead({});
  REQUIRE(append(*partition, {{"a"}}).ok());
  const auto waiter = std::make_shared<CountingWaiter>();
  CHECK_FALSE(partition->park(Isolation::high_watermark, Offset{0}, waiter));
  CHECK_FALSE(partition->park(Isolation::log_end, Offset{0}, waiter));
  const auto parked = partition->park(Isolation::high_watermark, Offset{1}, waiter);
  REQUIRE(parked);
  CHECK(partition->waiting() == 1);
  partition->unpark(*parked);
  partition->unpark(*parked);
  CHECK(partition->waiting() == 0);
  REQUIRE(append(*partition, {{"b"}}).ok());
  CHECK(waiter->woken == 0);
  CHECK(waiter.use_count() == 1);
}

TEST_CASE("a reader to the log end is woken by an append that is not committed, others are not") {
  ReplicaBench bench;
  auto partition = bench.lead({.replicas = {kSelf, kOther}});
  const auto follower = std::make_shared<CountingWaiter>();
  const auto consumer = std::make_shared<CountingWaiter>();
  REQUIRE(partition->park(Isolation::log_end, Offset{0}, follower));
  REQUIRE(partition->park(Isolation::high_watermark, Offset{0}, consumer));
  REQUIRE(append(*partition, {{"a"}}).ok());
  CHECK(follower->woken == 1);
  CHECK(consumer->woken == 0);
  CHECK(partition->waiting() == 1);
}

TEST_CASE("a new role and a stop wake everybody, once each") {
  ReplicaBench bench;
  auto partition = bench.lead({});
  const auto waiter = std::make_shared<CountingWaiter>();
  REQUIRE(partition->park(Isolation::high_watermark, Offset{0}, waiter));
  REQUIRE(partition->park(Isolation::log_end, Offset{0}, waiter));
  REQUIRE(partition->lead_or_follow(ReplicaBench::state({.leader_epoch = LeaderEpoch{1}})).ok());
  CHECK(waiter->woken == 1);
  REQUIRE(partition->park(Isolation::high_watermark, Offset{0}, waiter));
  partition->stop();
  CHECK(waiter->woken == 2);
  CHECK(partition->waiting() == 0);
}

TEST_CASE("however parking and appending meet, nobody who sees less than there is sleeps on") {
  ReplicaBench bench;
  auto partition = bench.lead({});
  constexpr int kRounds = 300;
  std::thread producer([&] {
    for (int i = 0; i < kRounds; ++i) (void)append(*partition, {{"x"}});
  });
  Offset seen{0};
  while (seen < Offset{kRounds}) {
    const auto waiter = std::make_shared<CountingWaiter>();
    const auto parked = partition->park(Isolation::high_watermark, seen, waiter);
    // Were a wake-up lost, this would spin until the test's time is over.
    while (parked && waiter->woken == 0) std::this_thread::yield();
    const auto now = partition->latest({})->offset;
    REQUIRE(now > seen);
    seen = now;
  }
  producer.join();
  CHECK(partition->waiting() == 0);
}

TEST_CASE("the offset of a time is that of the first record as young, and special times have their own") {
  ReplicaBench bench;
  auto partition = bench.lead({.leader_epoch = LeaderEpoch{2}});
  const auto empty = partition->earliest({});
  CHECK(empty->offset == Offset{0});
  CHECK(empty->leader_epoch == LeaderEpoch{2});
  CHECK(partition->offset_of_largest_timestamp({})->offset == base::kNoOffset);
  REQUIRE(append(*partition, {{"a"}, kNoon}).ok());
  REQUIRE(append(*partition, {{"b"}, kNoon + milliseconds(20)}).ok());
  REQUIRE(append(*partition, {{"c"}, kNoon + milliseconds(10)}).ok());

  const auto at = [&](int ms) { return partition->offset_for_time({.at = kNoon + milliseconds(ms)}).value(); };
  CHECK(at(-5).offset == Offset{0});
  CHECK(at(1).offset == Offset{1});
  CHECK(at(1).timestamp == kNoon + milliseconds(20));
  CHECK(at(1).leader_epoch == LeaderEpoch{2});
  CHECK(at(21).offset == base::kNoOffset);
  CHECK(at(21).timestamp == base::kNoTimestamp);
  const auto latest = partition->latest({});
  CHECK(latest->offset == Offset{3});
  CHECK(latest->timestamp == base::kNoTimestamp);
  CHECK(latest->leader_epoch == LeaderEpoch{2});
  CHECK(partition->offset_of_largest_timestamp({})->offset == Offset{1});
}

TEST_CASE("a leader that has not caught up with its own epoch knows no latest offset") {
  ReplicaBench bench;
  auto partition = bench.lead({.replicas = {kSelf, kOther}});
  REQUIRE(append(*partition, {{"a"}}).ok());
  REQUIRE(partition->lead_or_follow(ReplicaBench::state({.leader_epoch = LeaderEpoch{1}, .replicas = {kSelf, kOther}}))
              .ok());
  CHECK(code_of(partition->latest({})) == ErrorCode::offset_not_available);
  CHECK(code_of(partition->offset_for_time({.at = kNoon})) == ErrorCode::offset_not_available);
  CHECK(partition->latest({.isolation = Isolation::log_end})->offset == Offset{1});
  CHECK(partition->earliest({})->offset == Offset{0});
}

TEST_CASE("the first clients are told segments, newest first, below the high watermark that leads them") {
  ReplicaBench bench;
  auto partition = bench.lead({});
  const auto offsets = [&](std::int64_t time, int most = 10) {
    const auto segments = partition->segment_offsets(base::timestamp_from_ms(time), most);
    REQUIRE(segments.ok());
    std::vector<std::int64_t> raw;
    for (const auto offset : *segments) raw.push_back(offset.raw);
    return raw;
  };
  CHECK(offsets(-1) == std::vector<std::int64_t>{0});
  REQUIRE(append(*partition, {{"a", "b"}}).ok());
  CHECK(offsets(-1) == std::vector<std::int64_t>{2, 0});
  CHECK(offsets(-1, 1) == std::vector<std::int64_t>{2});
  CHECK(offsets(-1, 0).empty());
  CHECK(offsets(-2) == std::vector<std::int64_t>{0});
  CHECK(offsets(0).empty());  // no segment is as old
}

TEST_CASE("where a leader epoch ends is told, also to those who fetched what we never had") {
  ReplicaBench bench;
  auto partition = bench.lead({});
  REQUIRE(append(*partition, {{"a", "b"}}).ok());
  REQUIRE(partition->lead_or_follow(ReplicaBench::state({.leader_epoch = LeaderEpoch{4}})).ok());
  REQUIRE(append(*partition, {{"c"}}).ok());
  const auto end = [&](int epoch) {
    return partition->end_offset_for_epoch(LeaderEpoch{epoch}, base::kNoLeaderEpoch).value();
  };
  CHECK(end(0).end == Offset{2});
  CHECK(end(2).epoch == LeaderEpoch{0});
  CHECK(end(4).end == Offset{3});
  CHECK(end(5).epoch == base::kNoLeaderEpoch);

  const auto fetch = [&](int from, int last_epoch) {
    return partition->read({.from = Offset{from}, .last_fetched_epoch = LeaderEpoch{last_epoch}, .limits = kPlenty});
  };
  CHECK_FALSE(fetch(2, 0)->diverging_epoch);
  CHECK(fetch(2, 0)->slice.records.size_bytes > 0);
  const auto diverged = fetch(3, 0);  // their epoch 0 went further than ours
  REQUIRE(diverged->diverging_epoch);
  CHECK(diverged->diverging_epoch->end == Offset{2});
  CHECK(diverged->slice.records.size_bytes == 0);
  CHECK(fetch(2, 3)->diverging_epoch->epoch == LeaderEpoch{0});
  CHECK(code_of(fetch(2, 7)) == ErrorCode::offset_out_of_range);
}

TEST_CASE("idempotent batches come once, and their producer is forgotten when it was silent for long") {
  ReplicaBench bench;
  auto partition = bench.lead({});
  protocol::BatchSpec spec{
      .producer_id = base::ProducerId{7}, .producer_epoch = base::ProducerEpoch{0}, .base_sequence = 0};
  REQUIRE(append(*partition, {.values = {"a"}, .spec = spec}).ok());
  const auto again = append(*partition, {.values = {"a"}, .spec = spec});
  CHECK(again->info.duplicate);
  CHECK(again->info.base_offset == Offset{0});
  spec.base_sequence = 5;
  CHECK(code_of(append(*partition, {.values = {"f"}, .spec = spec})) == ErrorCode::out_of_order_sequence_number);

  CHECK(partition->remove_expired_producers(kNoon + milliseconds(999), milliseconds(1000)) == 0);
  CHECK(partition->remove_expired_producers(kNoon + milliseconds(1000), milliseconds(1000)) == 1);
  CHECK(append(*partition, {.values = {"f"}, .spec = spec}).ok());
}
