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
