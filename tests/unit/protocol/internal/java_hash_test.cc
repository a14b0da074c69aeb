#include "protocol/internal/java_hash.h"

#include <catch2/catch.hpp>

#include <limits>

using protocol::internal_partition;
using protocol::java_hash;

TEST_CASE("a key's hash code is Java's, over UTF-16 units") {
  CHECK(java_hash("") == 0);
  CHECK(java_hash("abc") == 96354);
  CHECK(java_hash("é") == 0xe9);
  CHECK(java_hash("😀") == 0xd83d * 31 + 0xde00);
}

TEST_CASE("a key's partition is the absolute value of its hash, and 0 where there is none") {
  CHECK(internal_partition("abc", 50) == 96354 % 50);
  CHECK(internal_partition("", 50) == 0);
  CHECK(java_hash("polygenelubricants") == std::numeric_limits<std::int32_t>::min());
  CHECK(internal_partition("polygenelubricants", 50) == 0);
  REQUIRE(java_hash("my-group") == -1'906'497'762);
  CHECK(internal_partition("my-group", 50) == 12);
}
