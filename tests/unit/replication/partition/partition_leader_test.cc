#include <catch2/catch.hpp>

#include "replication/partition/partition.h"
#include "tests/support/replication/replica_bench.h"

using namespace replication;
using namespace test_support;
using base::BrokerId;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;
using std::chrono::seconds;
using Set = std::vector<BrokerId>;

namespace {

constexpr BrokerId kThird{3};
constexpr storage::ReadLimits kPlenty{.max_bytes = 1 << 20};

struct Fetching {
  std::int64_t log_start = 0;
  std::int64_t broker_epoch = -1;
  LeaderEpoch leader_epoch = base::kNoLeaderEpoch;
  const Watch* session = nullptr;
};

struct LeaderBench : ReplicaBench {
  // Led here with two followers; only who leads is in sync unless said otherwise.
  explicit LeaderBench(Set isr = {kSelf, kOther, kThird}) : LeaderBench(Told{.isr = std::move(isr)}) {}
  explicit LeaderBench(Told told) {
    let_live({kSelf, kOther, kThird});
    told.replicas = {kSelf, kOther, kThird};
    partition = lead(told);
  }

  base::Result<ReadOutcome> fetch(BrokerId follower, std::int64_t from, const Fetching& how = {}) const {
    return partition->read({.from = Offset{from},
                            .current_leader_epoch = how.leader_epoch,
                            .isolation = Isolation::log_end,
                            .limits = kPlenty,
                            .follower = FollowerFetch{.replica = follower,
                                                      .broker_epoch = how.broker_epoch,
                                                      .log_start = Offset{how.log_start},
                                                      .session = how.session}});
  }
  void produce(int count) const {
    for (int i = 0; i < count; ++i) REQUIRE(append(*partition, {{"v"}}, Acks::leader).ok());
  }
  std::int64_t high_watermark() const { return partition->latest({})->offset.raw; }
  ReplicationHealth health() const { return partition->replication_health().value(); }

  std::shared_ptr<Partition> partition;
};

// A session with nothing new, as far as a replica can see it.
struct QuietSession final : Watch {
  void changed(Of what) override { heard.push_back(what); }
  std::optional<base::Instant> last_asked() const override { return asked; }
  std::optional<base::Instant> asked{};
  std::vector<Of> heard{};
};

}  // namespace

TEST_CASE("the high watermark follows the slowest in-sync follower's fetches, and tells who waits for it") {
  LeaderBench bench;
  bench.produce(3);
  CHECK(bench.high_watermark() == 0);
  const auto waiter = std::make_shared<CountingWaiter>();
  REQUIRE(bench.partition->park_append(Offset{3}, Acks::all, waiter));
  REQUIRE(bench.fetch(kOther, 3).ok());
  CHECK(bench.high_watermark() == 0);
  REQUIRE(bench.fetch(kThird, 2).ok());
  CHECK(bench.high_watermark() == 2);
  CHECK(waiter->woken == 0);
  CHECK(bench.partition->acknowledged(Offset{3}, Acks::all) == std::nullopt);
  const auto last = bench.fetch(kThird, 3);
  REQUIRE(last.ok());
  CHECK(last->high_watermark == Offset{3});  // the one it has just brought about
  CHECK(waiter->woken == 1);
  CHECK(bench.partition->acknowledged(Offset{3}, Acks::all) == ErrorCode::none);
}

TEST_CASE("a follower reads to the log end, and a fetch that is refused says nothing of its log") {
  LeaderBench bench;
  bench.produce(2);
  const auto read = bench.fetch(kOther, 0);
  REQUIRE(read.ok());
  CHECK(read->slice.records.size_bytes > 0);
  CHECK(read->bound == Offset{2});
  REQUIRE(bench.fetch(kThird, 2).ok());
  CHECK(bench.fetch(kOther, 3).error().code == ErrorCode::offset_out_of_range);
  CHECK(bench.high_watermark() == 0);
  // Its log has parted from ours: that it fetches from 2 does not mean that it holds our records.
  const auto diverged = bench.partition->read({.from = Offset{2},
                                               .last_fetched_epoch = LeaderEpoch{0},
                                               .isolation = Isolation::log_end,
                                               .limits = kPlenty,
                                               .follower = FollowerFetch{.replica = kOther}});
  REQUIRE(diverged.ok());
  CHECK_FALSE(diverged->diverging_epoch);
  CHECK(bench.high_watermark() == 2);
}

TEST_CASE("a log that has parted from the leader's counts for nothing") {
  LeaderBench bench;
  bench.produce(2);
  REQUIRE(bench.fetch(kThird, 2).ok());
  // The next epoch begins at 2: who fetched 2 records of it from 4 on has them from somebody else.
  REQUIRE(bench.tell({.leader_epoch = LeaderEpoch{4}, .replicas = {kSelf, kOther, kThird}}).partitions.empty());
  bench.produce(2);
  REQUIRE(bench.fetch(kThird, 4).ok());
  const auto read = bench.partition->read({.from = Offset{4},
                                           .last_fetched_epoch = LeaderEpoch{0},
                                           .isolation = Isolation::log_end,
                                           .limits = kPlenty,
                                           .follower = FollowerFetch{.replica = kOther}});
  REQUIRE(read.ok());
  REQUIRE(read->diverging_epoch);
  CHECK(read->diverging_epoch->end == Offset{2});
  CHECK(bench.partition->latest({}).error().code == ErrorCode::offset_not_available);
}

TEST_CASE("who has no replica, or speaks of a former life, is refused") {
  LeaderBench bench;
  const BrokerId stranger{9};
  CHECK(bench.fetch(stranger, 0).error().code == ErrorCode::not_leader_or_follower);
  CHECK(bench.fetch(stranger, 0, {.leader_epoch = LeaderEpoch{0}}).error().code == ErrorCode::unknown_leader_epoch);
  CHECK(bench.fetch(kSelf, 0).error().code == ErrorCode::not_leader_or_follower);
  REQUIRE(bench.fetch(kOther, 0, {.broker_epoch = 7}).ok());
  CHECK(bench.fetch(kOther, 0, {.broker_epoch = 6}).error().code == ErrorCode::not_leader_or_follower);
  CHECK(bench.fetch(kOther, 0, {.broker_epoch = 7}).ok());
}

TEST_CASE(
    "a follower that has caught up is asked for, counts at once for the high watermark, and for acks=all when "
    "it is granted") {
  LeaderBench bench({kSelf});
  bench.produce(2);
  REQUIRE(bench.fetch(kOther, 1).ok());
  CHECK(bench.isr_changes.size() == 0);
  REQUIRE(bench.fetch(kOther, 2).ok());
  REQUIRE(bench.isr_changes.size() == 1);
  const auto asked = bench.isr_changes.change();
  CHECK(asked.partition == base::TopicPartition{"orders", 0});
  CHECK(asked.isr == Set{kSelf, kOther});
  CHECK(asked.broker_epochs == std::vector<std::int64_t>{-1, -1});
  CHECK(asked.leader_epoch == LeaderEpoch{0});
  CHECK(asked.partition_epoch == 0);
  bench.produce(1);
  CHECK(bench.high_watermark() == 2);
  CHECK(bench.health().under_replicated);
  bench.isr_changes.grant();
  CHECK(bench.high_watermark() == 2);
  REQUIRE(bench.fetch(kOther, 3).ok());
  CHECK(bench.high_watermark() == 3);
  CHECK(bench.leading.expands().get() == 1);
  // The next question starts from the state that was granted.
  REQUIRE(bench.fetch(kThird, 3, {.broker_epoch = 5}).ok());
  REQUIRE(bench.isr_changes.size() == 1);
  CHECK(bench.isr_changes.change().partition_epoch == 1);
  CHECK(bench.isr_changes.change().isr == Set{kSelf, kOther, kThird});
  CHECK(bench.isr_changes.change().broker_epochs == std::vector<std::int64_t>{-1, -1, 5});
  bench.isr_changes.grant();
  CHECK_FALSE(bench.health().under_replicated);
}

TEST_CASE("one change is asked for at a time; who came meanwhile has its turn when it is answered") {
  LeaderBench bench({kSelf});
  REQUIRE(bench.fetch(kOther, 0).ok());
  REQUIRE(bench.fetch(kThird, 0).ok());  // an idle partition: nobody will look at it again
  REQUIRE(bench.isr_changes.size() == 1);
  SECTION("granted") {
    bench.isr_changes.grant();
    REQUIRE(bench.isr_changes.size() == 1);
    CHECK(bench.isr_changes.change().isr == Set{kSelf, kOther, kThird});
  }
  SECTION("refused for the member's sake") {
    bench.isr_changes.refuse(ErrorCode::ineligible_replica);
    REQUIRE(bench.isr_changes.size() == 1);
    CHECK(bench.isr_changes.change().isr == Set{kSelf, kOther});
    CHECK(bench.leading.failures().get() == 1);
  }
  SECTION("refused for good") {
    bench.isr_changes.refuse(ErrorCode::invalid_update_version);
    CHECK(bench.isr_changes.size() == 0);
    REQUIRE(bench.fetch(kThird, 0).ok());
    bench.partition->look_at_followers();
    CHECK(bench.isr_changes.size() == 0);
    // Until the controller says what holds.
    REQUIRE(bench.tell({.leader_epoch = LeaderEpoch{1}, .replicas = {kSelf, kOther, kThird}, .isr = {kSelf}})
                .partitions.empty());
    REQUIRE(bench.fetch(kThird, 0).ok());
    CHECK(bench.isr_changes.size() == 1);
  }
  SECTION("answered after the next leader epoch has begun") {
    REQUIRE(bench.tell({.leader_epoch = LeaderEpoch{1}, .replicas = {kSelf, kOther, kThird}, .isr = {kSelf}})
                .partitions.empty());
    bench.isr_changes.grant();
    CHECK(bench.health().under_replicated);
    CHECK(bench.leading.expands().get() == 0);
  }
}

TEST_CASE("nobody is asked for who is not alive, or comes in another life than it is registered with") {
  LeaderBench bench({kSelf});
  bench.let_live({kSelf, kThird}, 8);
  REQUIRE(bench.fetch(kOther, 0).ok());
  REQUIRE(bench.fetch(kThird, 0, {.broker_epoch = 7}).ok());
  CHECK(bench.isr_changes.size() == 0);
  REQUIRE(bench.fetch(kThird, 0, {.broker_epoch = 8}).ok());
  CHECK(bench.isr_changes.size() == 1);
  bench.isr_changes.grant();
  // It comes to life after its last fetch: whoever looks when brokers came or went finds it.
  CHECK(bench.isr_changes.size() == 0);
  bench.let_live({kSelf, kOther, kThird});
  bench.partition->look_at_followers();
  REQUIRE(bench.isr_changes.size() == 1);
  CHECK(bench.isr_changes.change().isr == Set{kSelf, kThird, kOther});
}

TEST_CASE("a follower that does not fetch any more leaves, and the high watermark goes on without it") {
  LeaderBench bench;
  bench.produce(1);
  REQUIRE(bench.fetch(kOther, 1).ok());
  REQUIRE(bench.fetch(kThird, 1).ok());
  bench.produce(1);
  bench.clock.advance(seconds(30));
  REQUIRE(bench.fetch(kOther, 2).ok());
  bench.partition->look_at_followers();
  CHECK(bench.isr_changes.size() == 0);  // thirty seconds are not more than thirty
  bench.clock.advance(seconds(1));
  bench.partition->look_at_followers();
  REQUIRE(bench.isr_changes.size() == 1);
  CHECK(bench.isr_changes.change().isr == Set{kSelf, kOther});
  CHECK(bench.high_watermark() == 1);
  bench.partition->look_at_followers();
  CHECK(bench.isr_changes.size() == 1);
  const auto waiter = std::make_shared<CountingWaiter>();
  REQUIRE(bench.partition->park_append(Offset{2}, Acks::all, waiter));
  bench.isr_changes.grant();
  CHECK(bench.high_watermark() == 2);
  CHECK(waiter->woken == 1);
  CHECK(bench.leading.shrinks().get() == 1);
  // It is not taken back for where it once stood.
  CHECK(bench.isr_changes.size() == 0);
}

TEST_CASE("a follower that never came after leadership began leaves when its time is up") {
  LeaderBench bench;
  bench.produce(1);
  bench.clock.advance(seconds(31));
  bench.partition->look_at_followers();
  REQUIRE(bench.isr_changes.size() == 1);
  CHECK(bench.isr_changes.change().isr == Set{kSelf});
}

TEST_CASE("who has left is not taken back on the word of a fetch of long ago") {
  LeaderBench bench;
  REQUIRE(bench.fetch(kOther, 0).ok());
  REQUIRE(bench.fetch(kThird, 0).ok());
  bench.produce(1);
  REQUIRE(bench.fetch(kOther, 0).ok());
  bench.clock.advance(seconds(31));
  bench.partition->look_at_followers();  // both are behind; both stand at the high watermark
  REQUIRE(bench.isr_changes.size() == 1);
  bench.isr_changes.grant();
  bench.partition->look_at_followers();
  CHECK(bench.isr_changes.size() == 0);
}

TEST_CASE(
    "an idle partition keeps its followers, and a follower whose session still asks is in sync when records come") {
  LeaderBench bench;
  const auto session = std::make_shared<QuietSession>();
  bench.partition->watch(session);
  REQUIRE(bench.fetch(kOther, 0, {.session = session.get()}).ok());
  REQUIRE(bench.fetch(kThird, 0).ok());
  bench.clock.advance(seconds(3600));
  bench.partition->look_at_followers();
  CHECK(bench.isr_changes.size() == 0);  // both stand at the log end, dead or alive
  session->asked = bench.clock.now();
  bench.clock.advance(seconds(1));
  bench.produce(1);
  bench.partition->look_at_followers();
  REQUIRE(bench.isr_changes.size() == 1);
  CHECK(bench.isr_changes.change().isr == Set{kSelf, kOther});  // nobody has heard of the third for an hour
  bench.isr_changes.grant();
  // That the session goes on asking says nothing any more: there is something to fetch.
  bench.clock.advance(seconds(20));
  session->asked = bench.clock.now();
  bench.clock.advance(seconds(20));
  bench.partition->look_at_followers();
  REQUIRE(bench.isr_changes.size() == 1);
  CHECK(bench.isr_changes.change().isr == Set{kSelf});
}

TEST_CASE("a session that ends leaves behind when it asked last") {
  LeaderBench bench;
  auto session = std::make_shared<QuietSession>();
  bench.partition->watch(session);
  REQUIRE(bench.fetch(kOther, 0, {.session = session.get()}).ok());
  REQUIRE(bench.fetch(kThird, 0, {.session = session.get()}).ok());
  bench.clock.advance(seconds(100));
  session->asked = bench.clock.now();
  bench.partition->unwatch(*session);
  session.reset();
  bench.clock.advance(seconds(20));
  bench.produce(1);
  bench.partition->look_at_followers();
  CHECK(bench.isr_changes.size() == 0);
  bench.clock.advance(seconds(11));
  bench.partition->look_at_followers();
  REQUIRE(bench.isr_changes.size() == 1);
  CHECK(bench.isr_changes.change().isr == Set{kSelf});
}

TEST_CASE("a session that does not watch is not asked later") {
  LeaderBench bench;
  {
    QuietSession closed;
    REQUIRE(bench.fetch(kOther, 0, {.session = &closed}).ok());
  }
  bench.produce(1);
  SUCCEED("nobody looked at what is gone");
}

TEST_CASE("sessions are told what concerns them, and not what they bring about themselves") {
  LeaderBench bench({kSelf, kOther});
  const auto follower = std::make_shared<QuietSession>();
  const auto other = std::make_shared<QuietSession>();
  bench.partition->watch(follower);
  bench.partition->watch(other);
  bench.produce(1);
  CHECK(other->heard == std::vector{Watch::Of::log_end});
  follower->heard.clear();
  REQUIRE(bench.fetch(kOther, 1, {.session = follower.get()}).ok());
  CHECK(follower->heard.empty());
  CHECK(other->heard == std::vector{Watch::Of::log_end, Watch::Of::high_watermark});

  auto alone = bench.lead({.partition = 1});
  const auto reader = std::make_shared<QuietSession>();
  alone->watch(reader);
  REQUIRE(append(*alone, {{"v"}}).ok());
  CHECK(reader->heard == std::vector{Watch::Of::anything});
}

TEST_CASE("a leader that was followed elsewhere in between does not acknowledge what it appended before") {
  LeaderBench bench;
  const auto appended = append(*bench.partition, {{"v"}});
  REQUIRE(appended.ok());
  CHECK(appended->led_since == LeaderEpoch{0});
  const auto verdict = [&] {
    return bench.partition->acknowledged(Offset{1}, Acks::all, base::kNoLeaderEpoch, appended->led_since);
  };
  CHECK(verdict() == std::nullopt);
  const auto tell = [&](std::int32_t epoch, BrokerId leader) {
    REQUIRE(bench.tell({.leader_epoch = LeaderEpoch{epoch}, .leader = leader, .replicas = {kSelf, kOther, kThird}})
                .partitions.empty());
  };
  SECTION("the same leader under a new epoch does, once it is committed") {
    tell(1, kSelf);
    CHECK(verdict() == std::nullopt);
    REQUIRE(bench.fetch(kOther, 1).ok());
    REQUIRE(bench.fetch(kThird, 1).ok());
    CHECK(verdict() == ErrorCode::none);
  }
  SECTION("not after another has led") {
    const auto waiter = std::make_shared<CountingWaiter>();
    REQUIRE(bench.partition->park_append(Offset{1}, Acks::all, waiter));
    tell(1, kOther);
    CHECK(waiter->woken == 1);
    CHECK(verdict() == ErrorCode::not_leader_or_follower);
    tell(2, kSelf);
    CHECK(verdict() == ErrorCode::not_leader_or_follower);
  }
}

TEST_CASE("a new leader tells no client how far it is before it knows how far its predecessor had committed") {
  ReplicaBench bench;
  auto partition = bench.lead({.replicas = {kSelf, kOther}});
  REQUIRE(append(*partition, {{"a", "b"}}, Acks::leader).ok());
  REQUIRE(
      bench.tell({.leader_epoch = LeaderEpoch{1}, .leader = kOther, .replicas = {kSelf, kOther}}).partitions.empty());
  REQUIRE(bench.tell({.leader_epoch = LeaderEpoch{2}, .replicas = {kSelf, kOther}}).partitions.empty());
  const auto code = [&](Isolation isolation) {
    const auto latest = partition->latest({.isolation = isolation});
    return latest ? ErrorCode::none : latest.error().code;
  };
  CHECK(code(Isolation::high_watermark) == ErrorCode::offset_not_available);
  CHECK(code(Isolation::last_stable) == ErrorCode::offset_not_available);
  CHECK(code(Isolation::log_end) == ErrorCode::none);
  REQUIRE(
      partition->read({.from = Offset{2}, .isolation = Isolation::log_end, .follower = FollowerFetch{kOther}}).ok());
  CHECK(code(Isolation::high_watermark) == ErrorCode::none);
  CHECK(partition->latest({})->offset == Offset{2});
}

TEST_CASE("records are deleted when no live replica holds them") {
  LeaderBench bench;
  bench.produce(5);
  REQUIRE(bench.fetch(kOther, 5).ok());
  REQUIRE(bench.fetch(kThird, 5).ok());
  const auto deletion = bench.partition->delete_records(Offset{3});
  REQUIRE(deletion.ok());
  CHECK(deletion->requested == Offset{3});
  CHECK(deletion->low_watermark == Offset{0});
  const auto waiter = std::make_shared<CountingWaiter>();
  const auto park = [&] { return bench.partition->park_deletion(Offset{3}, waiter).has_value(); };
  REQUIRE(park());
  REQUIRE(bench.fetch(kOther, 5, {.log_start = 3}).ok());
  CHECK(bench.partition->low_watermark().value() == Offset{0});
  CHECK(waiter->woken == 0);
  SECTION("the last of them follows") {
    REQUIRE(bench.fetch(kThird, 5, {.log_start = 4}).ok());
    CHECK(waiter->woken == 1);
    CHECK(bench.partition->low_watermark().value() == Offset{3});
    CHECK_FALSE(park());
  }
  SECTION("the last of them dies") {
    bench.let_live({kSelf, kOther});
    bench.partition->look_at_followers();
    CHECK(waiter->woken == 1);
    CHECK(bench.partition->low_watermark().value() == Offset{3});
  }
  SECTION("another leads") {
    REQUIRE(bench.tell({.leader_epoch = LeaderEpoch{1}, .leader = kOther, .replicas = {kSelf, kOther, kThird}})
                .partitions.empty());
    CHECK(waiter->woken == 1);
    CHECK(bench.partition->low_watermark().error().code == ErrorCode::not_leader_or_follower);
    CHECK_FALSE(park());
  }
}

TEST_CASE("a partition is under-replicated, at or under min.insync.replicas by its committed set") {
  LeaderBench bench({kSelf, kOther});
  CHECK(bench.health().under_replicated);
  CHECK_FALSE(bench.health().under_min_isr);
  CHECK_FALSE(bench.health().at_min_isr);
  auto settings = *bench.partition->settings();
  settings.min_insync_replicas = 2;
  bench.partition->change_settings(settings);
  CHECK(bench.health().at_min_isr);
  settings.min_insync_replicas = 3;
  bench.partition->change_settings(settings);
  CHECK(bench.health().under_min_isr);
  CHECK_FALSE(bench.health().at_min_isr);

  auto state = ReplicaBench::state(
      {.leader_epoch = LeaderEpoch{1}, .replicas = {kSelf, kOther, kThird}, .isr = {kSelf, kOther}});
  state.adding = {kThird};  // on its way: not missed yet
  REQUIRE(bench.partition->lead_or_follow(state).ok());
  CHECK_FALSE(bench.health().under_replicated);

  REQUIRE(
      bench.tell({.leader_epoch = LeaderEpoch{2}, .leader = kOther, .replicas = {kSelf, kOther}}).partitions.empty());
  CHECK_FALSE(bench.partition->replication_health());
}

TEST_CASE("a replica named twice in an announcement is one follower") {
  ReplicaBench bench;
  auto partition = bench.lead({.replicas = {kSelf, kOther, kOther}, .isr = {kSelf, kOther}});
  REQUIRE(append(*partition, {{"a"}}, Acks::leader).ok());
  REQUIRE(
      partition->read({.from = Offset{1}, .isolation = Isolation::log_end, .follower = FollowerFetch{kOther}}).ok());
  CHECK(partition->latest({})->offset == Offset{1});
}
