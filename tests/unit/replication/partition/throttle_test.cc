#include "replication/partition/throttle.h"

#include <catch2/catch.hpp>

using base::BrokerId;
using replication::ReplicationThrottle;
using replication::ThrottledReplicas;
using namespace std::chrono_literals;

TEST_CASE("without a limit nobody waits") {
  base::ManualClock clock;
  ReplicationThrottle throttle(clock);
  throttle.record(std::size_t{1} << 40);
  CHECK(throttle.wait() == base::Duration::zero());
}

TEST_CASE("what was transferred is paid for before more is asked for, and the rate holds in the long run") {
  base::ManualClock clock;
  ReplicationThrottle throttle(clock);
  throttle.limit(1000);
  CHECK(throttle.wait() == base::Duration::zero());
  throttle.record(500);
  CHECK(throttle.wait() == 500ms);
  throttle.record(1500);
  CHECK(throttle.wait() == 2s);
  clock.advance(1999ms);
  CHECK(throttle.wait() == 1ms);
  clock.advance(10s);
  CHECK(throttle.wait() == base::Duration::zero());
  throttle.record(1000);  // nothing was saved up
  CHECK(throttle.wait() == 1s);
}

TEST_CASE("another limit holds at once, and an old debt is forgotten with the old one") {
  base::ManualClock clock;
  ReplicationThrottle throttle(clock);
  throttle.limit(1);
  throttle.record(1'000'000);
  CHECK(throttle.wait() == 1h);
  throttle.limit(1000);
  CHECK(throttle.wait() == base::Duration::zero());
  throttle.record(100);
  CHECK(throttle.wait() == 100ms);
  throttle.limit(ReplicationThrottle::kUnlimited);
  CHECK(throttle.wait() == base::Duration::zero());
}

TEST_CASE("a limit of nothing lets through what is under way and then holds") {
  base::ManualClock clock;
  ReplicationThrottle throttle(clock);
  throttle.limit(0);
  throttle.record(1 << 20);
  CHECK(throttle.wait() == 1h);
}

TEST_CASE("topics name throttled replicas one by one or all at once") {
  CHECK(ThrottledReplicas().empty());
  CHECK_FALSE(ThrottledReplicas().contains(0, BrokerId{1}));
  const ThrottledReplicas some({"0:1", "0:2", "11:1", "none", "x:y", ":"});
  CHECK(some.contains(0, BrokerId{2}));
  CHECK(some.contains(11, BrokerId{1}));
  CHECK_FALSE(some.contains(11, BrokerId{2}));
  CHECK_FALSE(some.contains(1, BrokerId{11}));
  CHECK(ThrottledReplicas({"*"}).contains(5, BrokerId{7}));
  CHECK(ThrottledReplicas({"none"}).empty());
}
