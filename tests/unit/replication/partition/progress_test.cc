#include "replication/partition/progress.h"

#include <catch2/catch.hpp>

using namespace replication;
using base::Instant;
using base::Offset;

namespace {

Instant at(int seconds) { return Instant{std::chrono::seconds(seconds)}; }

FollowerFetched fetch(std::int64_t from, std::int64_t leader_end, int seconds) {
  return {.from = Offset{from}, .log_start = Offset{0}, .leader_end = Offset{leader_end}, .at = at(seconds)};
}

}  // namespace

TEST_CASE("a follower has not fetched when leadership begins; who is in sync counts as caught up until then") {
  const auto member = progress_at_begin(true, at(5));
  CHECK(member.log_end == base::kNoOffset);
  CHECK(member.log_start == base::kNoOffset);
  CHECK(member.last_caught_up == at(5));
  CHECK_FALSE(member.last_fetch);
  CHECK_FALSE(progress_at_begin(false, at(5)).last_caught_up);
}

TEST_CASE("a fetch at the leader's log end means caught up now") {
  const auto follower = after_fetch(progress_at_begin(false, at(0)), fetch(10, 10, 7));
  CHECK(follower.last_caught_up == at(7));
  CHECK(follower.log_end == Offset{10});
  CHECK(follower.log_start == Offset{0});
  CHECK(follower.leader_end_then == Offset{10});
  CHECK(follower.last_fetch == at(7));
}

TEST_CASE("a fetch of what the leader ended at one fetch ago means caught up then") {
  auto follower = after_fetch(progress_at_begin(false, at(0)), fetch(0, 10, 1));
  CHECK_FALSE(follower.last_caught_up);
  follower = after_fetch(follower, fetch(10, 20, 2));
  CHECK(follower.last_caught_up == at(1));
  follower = after_fetch(follower, fetch(20, 30, 3));
  CHECK(follower.last_caught_up == at(2));
  SECTION("less than that does not") { CHECK(after_fetch(follower, fetch(29, 40, 4)).last_caught_up == at(2)); }
  SECTION("and more than that does") { CHECK(after_fetch(follower, fetch(35, 40, 4)).last_caught_up == at(3)); }
}

TEST_CASE("a fetch that falls back takes nothing of what was caught up before") {
  auto follower = after_fetch(progress_at_begin(true, at(0)), fetch(10, 10, 1));
  follower = after_fetch(follower, fetch(3, 12, 2));
  CHECK(follower.log_end == Offset{3});
  CHECK(follower.last_caught_up == at(1));
}

TEST_CASE("the first fetch of a follower far behind is not mistaken for one that has caught up") {
  // -1 is what the leader's log end is taken for before the first fetch.
  const auto member = after_fetch(progress_at_begin(true, at(5)), fetch(0, 100, 9));
  CHECK(member.last_caught_up == at(5));
  CHECK_FALSE(after_fetch(progress_at_begin(false, at(5)), fetch(0, 100, 9)).last_caught_up);
}

TEST_CASE("who stands at the log end and asks again is caught up as of then") {
  auto follower = after_fetch(progress_at_begin(true, at(0)), fetch(10, 10, 1));
  follower = after_asking_again(follower, at(50));
  CHECK(follower.last_caught_up == at(50));
  CHECK(follower.last_fetch == at(50));
  CHECK(after_asking_again(follower, at(40)) == follower);  // time known already
  // What it asks for once there is more says the same as if each fetch had been looked at.
  CHECK(after_fetch(follower, fetch(10, 20, 51)).last_caught_up == at(50));
}

TEST_CASE("the life of a broker only grows, and a fetch of an earlier one is known as such") {
  auto follower = after_fetch({}, {.from = Offset{1}, .at = at(1), .broker_epoch = 7});
  CHECK(follower.broker_epoch == 7);
  follower = after_fetch(follower, {.from = Offset{1}, .at = at(2)});
  CHECK(follower.broker_epoch == 7);
  CHECK(is_of_earlier_life(6, follower.broker_epoch));
  CHECK_FALSE(is_of_earlier_life(7, follower.broker_epoch));
  CHECK_FALSE(is_of_earlier_life(8, follower.broker_epoch));
  CHECK_FALSE(is_of_earlier_life(-1, follower.broker_epoch));
  CHECK_FALSE(is_of_earlier_life(0, -1));
}
