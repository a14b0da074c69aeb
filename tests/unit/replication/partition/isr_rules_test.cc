#include "replication/partition/isr_rules.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>

using namespace replication;
using base::BrokerId;
using base::ErrorCode;
using base::Instant;
using base::LeaderEpoch;
using base::Offset;
using Set = std::vector<BrokerId>;

namespace {

constexpr BrokerId kLeader{1};
constexpr BrokerId kA{2};
constexpr BrokerId kB{3};
constexpr auto kMaxLag = std::chrono::seconds(30);

Instant at(int seconds) { return Instant{std::chrono::seconds(seconds)}; }

struct World {
  std::int64_t log_end = 100;
  std::int64_t high_watermark = 50;
  std::int64_t epoch_start = 40;
  int seconds = 1000;
  std::set<BrokerId> dead{};

  const std::function<Instant()> now = [this] { return at(seconds); };
  const std::function<bool(const Follower&)> alive = [this](const Follower& f) { return !dead.contains(f.id); };

  LeaderView view() const {
    return {.log_end = Offset{log_end},
            .high_watermark = Offset{high_watermark},
            .epoch_start = Offset{epoch_start},
            .max_lag = kMaxLag,
            .now = now,
            .may_be_in_sync = alive};
  }
};

struct At {
  std::int64_t log_end = -1;
  std::optional<int> caught_up{};
};
Follower follower(BrokerId id, At where) {
  Follower f{.id = id};
  f.progress.log_end = Offset{where.log_end};
  if (where.caught_up) f.progress.last_caught_up = at(*where.caught_up);
  return f;
}

IsrState isr_of(Set committed) { return {.committed = std::move(committed), .partition_epoch = 5}; }
IsrState expanding(Set committed, BrokerId joining) {
  auto isr = isr_of(std::move(committed));
  propose(isr, Expanding{joining});
  return isr;
}
IsrState shrinking(Set committed, Set leaving) {
  auto isr = isr_of(std::move(committed));
  propose(isr, Shrinking{std::move(leaving)});
  return isr;
}

IsrOutcome granted(Set isr, std::int32_t partition_epoch = 6, std::int32_t leader_epoch = 3) {
  return {.leader_epoch = LeaderEpoch{leader_epoch},
          .partition_epoch = partition_epoch,
          .leader = kLeader,
          .isr = std::move(isr)};
}

}  // namespace

TEST_CASE("while a change is under way the maximal set holds both who joins and who leaves") {
  const auto settled = isr_of({kLeader, kA});
  CHECK(settled.is_settled());
  CHECK(settled.maximal_size() == 2);
  CHECK(settled.proposed() == Set{kLeader, kA});

  const auto grows = expanding({kLeader, kA}, kB);
  CHECK_FALSE(grows.is_settled());
  CHECK(grows.in_maximal(kB));
  CHECK_FALSE(grows.in_committed(kB));
  CHECK(grows.maximal_size() == 3);
  CHECK(grows.proposed() == Set{kLeader, kA, kB});

  const auto shrinks = shrinking({kLeader, kA, kB}, {kA});
  CHECK(shrinks.in_maximal(kA));
  CHECK(shrinks.maximal_size() == 3);
  CHECK(shrinks.proposed() == Set{kLeader, kB});
}

TEST_CASE("caught up is who holds everything, or held everything replica.lag.time.max.ms ago at the earliest") {
  World world;
  const auto caught_up = [&](At where) { return is_caught_up(follower(kA, where).progress, world.view()); };
  CHECK(caught_up({.log_end = 100}));  // dead or alive: an idle partition loses nobody
  CHECK_FALSE(caught_up({.log_end = 99}));
  CHECK(caught_up({.log_end = 99, .caught_up = 1000}));
  CHECK(caught_up({.log_end = 99, .caught_up = 970}));
  CHECK_FALSE(caught_up({.log_end = 99, .caught_up = 969}));
  CHECK_FALSE(caught_up({.log_end = -1}));
}

TEST_CASE(
    "in-sync followers that are not caught up should leave, all at once, and nobody while a change is under way") {
  World world;
  const std::vector<Follower> followers = {follower(kA, {.log_end = 90, .caught_up = 900}),
                                           follower(kB, {.log_end = 100, .caught_up = 100})};
  CHECK(who_should_leave(followers, isr_of({kLeader, kA, kB}), world.view()) == Set{kA});
  CHECK(who_should_leave(followers, isr_of({kLeader, kB}), world.view()).empty());
  CHECK(who_should_leave(followers, expanding({kLeader, kA}, kB), world.view()).empty());
  CHECK(who_should_leave(followers, shrinking({kLeader, kA, kB}, {kB}), world.view()).empty());
  world.log_end = 101;
  CHECK(who_should_leave(followers, isr_of({kLeader, kA, kB}), world.view()) == Set{kA, kB});
}

TEST_CASE("a follower should join from the high watermark and the start of the leader's epoch on, if it is alive") {
  World world;
  const auto joins = [&](std::int64_t log_end, const IsrState& isr) {
    return should_join(follower(kA, {.log_end = log_end}), isr, world.view());
  };
  CHECK(joins(50, isr_of({kLeader})));
  CHECK(joins(100, isr_of({kLeader})));
  CHECK_FALSE(joins(49, isr_of({kLeader})));
  CHECK_FALSE(joins(-1, isr_of({kLeader})));
  // What lies between the high watermark and the epoch's start may yet be cut off the follower's log.
  world.epoch_start = 60;
  CHECK_FALSE(joins(59, isr_of({kLeader})));
  CHECK(joins(60, isr_of({kLeader})));

  CHECK_FALSE(joins(100, isr_of({kLeader, kA})));
  CHECK_FALSE(joins(100, expanding({kLeader}, kA)));
  CHECK_FALSE(joins(100, expanding({kLeader}, kB)));
  CHECK_FALSE(joins(100, shrinking({kLeader, kB}, {kB})));
  world.dead.insert(kA);
  CHECK_FALSE(joins(100, isr_of({kLeader})));
}

TEST_CASE("the high watermark is the lowest log end of the leader and all who count") {
  World world;
  const auto moved = [&](const IsrState& isr, std::vector<Follower> followers, std::int32_t min_isr = 1) {
    return high_watermark_of(followers, isr, world.view(), min_isr).raw;
  };
  CHECK(moved(isr_of({kLeader}), {}) == 100);
  CHECK(moved(isr_of({kLeader, kA}), {follower(kA, {.log_end = 80})}) == 80);
  CHECK(moved(isr_of({kLeader, kA, kB}), {follower(kA, {.log_end = 80}), follower(kB, {.log_end = 70})}) == 70);
  // Out of sync and long behind: not waited for.
  CHECK(moved(isr_of({kLeader}), {follower(kA, {.log_end = 80, .caught_up = 900})}) == 100);
  SECTION("it never goes back") {
    CHECK(moved(isr_of({kLeader, kA}), {follower(kA, {.log_end = 20})}) == 50);
    CHECK(moved(isr_of({kLeader, kA}), {follower(kA, {.log_end = -1})}) == 50);
  }
  SECTION("who is asked for to join is waited for, and who is asked for to leave still is") {
    CHECK(moved(expanding({kLeader}, kA), {follower(kA, {.log_end = 80, .caught_up = 900})}) == 80);
    CHECK(moved(shrinking({kLeader, kA}, {kA}), {follower(kA, {.log_end = 80, .caught_up = 900})}) == 80);
  }
  SECTION("who is caught up and alive is about to join, and waited for") {
    CHECK(moved(isr_of({kLeader}), {follower(kA, {.log_end = 80, .caught_up = 990})}) == 80);
    world.dead.insert(kA);
    CHECK(moved(isr_of({kLeader}), {follower(kA, {.log_end = 80, .caught_up = 990})}) == 100);
  }
  SECTION("it stands while fewer are in sync than there must be, whoever is about to join") {
    CHECK(moved(isr_of({kLeader}), {follower(kA, {.log_end = 80, .caught_up = 900})}, 2) == 50);
    CHECK(moved(expanding({kLeader}, kA), {follower(kA, {.log_end = 80})}, 2) == 50);
    CHECK(moved(isr_of({kLeader, kA}), {follower(kA, {.log_end = 80})}, 2) == 80);
  }
}

TEST_CASE("the clock and the list of brokers are not asked where all replicas are in sync") {
  const std::function<Instant()> now = []() -> Instant { throw std::logic_error("asked the time"); };
  const std::function<bool(const Follower&)> alive = [](const Follower&) -> bool { throw std::logic_error("asked"); };
  const LeaderView view{.log_end = Offset{9}, .max_lag = kMaxLag, .now = now, .may_be_in_sync = alive};
  const std::vector<Follower> followers = {follower(kA, {.log_end = 9}), follower(kB, {.log_end = 8})};
  CHECK(high_watermark_of(followers, isr_of({kLeader, kA, kB}), view, 1) == Offset{8});
}

TEST_CASE("min.insync.replicas never asks for more than there are replicas") {
  CHECK(effective_min_isr(2, 3) == 2);
  CHECK(effective_min_isr(3, 2) == 2);
  CHECK(effective_min_isr(2, 1) == 1);
  CHECK(effective_min_isr(1, 3) == 1);
}

TEST_CASE("acks=all is done when the high watermark has passed, by the maximal set's size") {
  const auto verdict = [](std::int64_t next, std::int64_t high_watermark, const IsrState& isr, std::int32_t min_isr) {
    return verdict_on_append(Offset{next}, Offset{high_watermark}, isr, min_isr);
  };
  CHECK(verdict(51, 50, isr_of({kLeader, kA}), 2) == std::nullopt);
  CHECK(verdict(50, 50, isr_of({kLeader, kA}), 2) == ErrorCode::none);
  CHECK(verdict(49, 50, isr_of({kLeader, kA}), 2) == ErrorCode::none);
  CHECK(verdict(50, 50, isr_of({kLeader}), 2) == ErrorCode::not_enough_replicas_after_append);
  CHECK(verdict(50, 50, expanding({kLeader}, kA), 2) == ErrorCode::none);
  CHECK(verdict(50, 50, shrinking({kLeader, kA}, {kA}), 2) == ErrorCode::none);
}

TEST_CASE("an answer in its time settles the question with whatever set it names") {
  auto isr = expanding({kLeader}, kA);
  CHECK(take_answer(isr, isr.question, LeaderEpoch{3}, granted({kLeader, kA})) == AnswerEffect::committed);
  CHECK(isr.is_settled());
  CHECK(isr.committed == Set{kLeader, kA});
  CHECK(isr.partition_epoch == 6);

  isr = shrinking({kLeader, kA, kB}, {kA});
  CHECK(take_answer(isr, isr.question, LeaderEpoch{3}, granted({kLeader}, 5)) == AnswerEffect::committed);
  CHECK(isr.committed == Set{kLeader});  // the controller knew better
}

TEST_CASE("an answer of another leader epoch, of an older state, or to an older question is ignored") {
  auto isr = expanding({kLeader}, kA);
  const auto question = isr.question;
  CHECK(take_answer(isr, question, LeaderEpoch{4}, granted({kLeader, kA})) == AnswerEffect::ignored);
  CHECK(take_answer(isr, question, LeaderEpoch{2}, granted({kLeader, kA})) == AnswerEffect::ignored);
  CHECK(take_answer(isr, question, LeaderEpoch{3}, granted({kLeader, kA}, 4)) == AnswerEffect::ignored);
  CHECK(take_answer(isr, question - 1, LeaderEpoch{3}, granted({kLeader, kA})) == AnswerEffect::ignored);
  CHECK_FALSE(isr.is_settled());
  CHECK(take_answer(isr, question, LeaderEpoch{3}, granted({kLeader, kA})) == AnswerEffect::committed);
  CHECK(take_answer(isr, question, LeaderEpoch{3}, granted({kLeader}, 7)) == AnswerEffect::ignored);
  CHECK(isr.committed == Set{kLeader, kA});
}

TEST_CASE("a refused member is given up, and any other refusal leaves the change under way for the next leader epoch") {
  for (const auto code : {ErrorCode::ineligible_replica, ErrorCode::operation_not_attempted}) {
    auto isr = expanding({kLeader}, kA);
    CHECK(take_answer(isr, isr.question, LeaderEpoch{3}, base::Error{code, ""}) == AnswerEffect::taken_back);
    CHECK(isr.is_settled());
    CHECK(isr.committed == Set{kLeader});
    CHECK(isr.partition_epoch == 5);
  }
  for (const auto code :
       {ErrorCode::unknown_topic_id, ErrorCode::unknown_topic_or_partition, ErrorCode::fenced_leader_epoch,
        ErrorCode::invalid_update_version, ErrorCode::invalid_request}) {
    auto isr = expanding({kLeader}, kA);
    CHECK(take_answer(isr, isr.question, LeaderEpoch{3}, base::Error{code, ""}) == AnswerEffect::ignored);
    CHECK_FALSE(isr.is_settled());
    CHECK(isr.in_maximal(kA));
  }
}

// One leader, up to four followers and a controller, moved at random by the rules alone. What must hold after each step
// is written down without them.
TEST_CASE("whatever happens, what is committed is on every in-sync replica, and nobody is in sync who is not") {
  struct Asked {
    std::uint64_t question;
    Set isr;
    std::optional<base::Result<IsrOutcome>> answer{};
  };
  const auto seed = GENERATE(range(0, 200));
  CAPTURE(seed);
  std::mt19937 random(static_cast<unsigned>(seed));
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % static_cast<unsigned>(n)); };

  World world{.log_end = below(20), .high_watermark = 0, .epoch_start = 0};
  world.epoch_start = world.log_end;
  world.high_watermark = below(world.log_end + 1);
  const auto count = 1 + below(4);
  const auto min_isr = static_cast<std::int32_t>(1 + below(count + 1));
  std::vector<Follower> followers;
  std::map<BrokerId, std::int64_t> really;  // how far their logs are
  IsrState isr = isr_of({kLeader});
  for (int i = 0; i < count; ++i) {
    const BrokerId id{2 + i};
    const bool in_sync = below(2) == 0;
    if (in_sync) isr.committed.push_back(id);
    followers.push_back({id, progress_at_begin(in_sync, world.now())});
    // Who is in sync holds at least what is committed.
    really[id] =
        in_sync ? world.high_watermark + below(world.log_end - world.high_watermark + 1) : below(world.log_end + 1);
  }
  std::optional<Asked> asked;
  auto truth = isr.committed;  // what the controller has granted
  std::int32_t truth_epoch = isr.partition_epoch;

  for (int step = 0; step < 300; ++step) {
    const auto committed_before = world.high_watermark;
    auto& one = followers[static_cast<std::size_t>(below(count))];
    switch (below(9)) {
      case 0:
        world.log_end += 1 + below(5);
        break;
      case 1:
      case 2:
      case 3: {  // it fetches from where it is, and gets some of it
        one.progress = after_fetch(
            one.progress, {.from = Offset{really[one.id]}, .leader_end = Offset{world.log_end}, .at = world.now()});
        if (should_join(one, isr, world.view())) {
          CHECK(really[one.id] >= world.high_watermark);
          propose(isr, Expanding{one.id});
          asked = Asked{isr.question, isr.proposed()};
        }
        really[one.id] += below(world.log_end - really[one.id] + 1);
        break;
      }
      case 4:
        world.seconds += static_cast<int>(below(40));
        break;
      case 5: {
        const auto leaving = who_should_leave(followers, isr, world.view());
        for (const auto id : leaving) {
          CHECK(isr.in_committed(id));
          CHECK(really[id] <= world.log_end);
        }
        if (leaving.empty()) break;
        propose(isr, Shrinking{leaving});
        asked = Asked{isr.question, isr.proposed()};
        break;
      }
      case 6:  // the controller decides; the answer may be long under way
        if (!asked || asked->answer) break;
        if (below(4) == 0) {
          asked->answer = base::Error{ErrorCode::ineligible_replica, ""};
        } else {
          truth = asked->isr;
          asked->answer = granted(truth, ++truth_epoch);
        }
        break;
      case 7:
        if (!asked || !asked->answer) break;
        take_answer(isr, asked->question, LeaderEpoch{3}, *asked->answer);
        asked.reset();
        CHECK(isr.is_settled());
        CHECK(isr.committed == truth);
        break;
      default:
        if (below(2) == 0)
          world.dead.insert(one.id);
        else
          world.dead.erase(one.id);
    }
    world.high_watermark = high_watermark_of(followers, isr, world.view(), min_isr).raw;

    CHECK(world.high_watermark >= committed_before);
    CHECK(world.high_watermark <= world.log_end);
    if (world.high_watermark > committed_before) CHECK(static_cast<std::int32_t>(isr.committed.size()) >= min_isr);
    // Whichever way an unanswered question goes, its members hold what is committed.
    for (const auto& [id, log_end] : really)
      if (isr.in_maximal(id) || std::count(truth.begin(), truth.end(), id) > 0) CHECK(log_end >= world.high_watermark);
    CHECK(isr.maximal_size() >= isr.committed.size());
    CHECK(isr.in_committed(kLeader));
    CHECK(std::set<BrokerId>(isr.committed.begin(), isr.committed.end()).size() == isr.committed.size());
  }
}
