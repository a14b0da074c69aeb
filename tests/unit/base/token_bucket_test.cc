#include "base/token_bucket.h"

#include <catch2/catch.hpp>

using base::Instant;
using base::TokenBucket;

TEST_CASE("a bucket gives its burst, then its rate, and saves no more than its burst") {
  TokenBucket bucket({.per_second = 2, .burst = 3});
  const Instant start{std::chrono::seconds(100)};
  CHECK(bucket.take(start));
  CHECK(bucket.take(start));
  CHECK(bucket.take(start));
  CHECK_FALSE(bucket.take(start));
  CHECK_FALSE(bucket.take(start + std::chrono::milliseconds(400)));
  CHECK(bucket.take(start + std::chrono::milliseconds(500)));
  CHECK_FALSE(bucket.take(start + std::chrono::milliseconds(600)));
  const auto later = start + std::chrono::hours(1);
  for (int i = 0; i < 3; ++i) CHECK(bucket.take(later));
  CHECK_FALSE(bucket.take(later));
}

TEST_CASE("a bucket tells how long to wait, and is full enough then") {
  using namespace std::chrono_literals;
  TokenBucket bucket({.per_second = 3, .burst = 1});
  const Instant start{100s};
  CHECK(bucket.wait(start, 10s) == base::Duration::zero());
  CHECK(bucket.take(start));
  const auto wait = bucket.wait(start, 10s);
  CHECK(wait > 333ms);
  CHECK(wait < 334ms);
  CHECK(bucket.wait(start, 100ms) == 100ms);
  CHECK(bucket.wait(start + wait, 10s) == base::Duration::zero());
  CHECK(bucket.take(start + wait));
  TokenBucket never({.per_second = 0, .burst = 0});
  CHECK(never.wait(start, 1s) == 1s);
  CHECK_FALSE(never.take(start + 1h));
}
