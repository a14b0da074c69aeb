#include <catch2/catch.hpp>

#include "base/base64.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/random.h"
#include "base/uuid.h"
#include "base/varint.h"

using namespace base;

TEST_CASE("crc32c of the standard check string is the published value") {
  CHECK(crc32c(as_bytes("123456789")) == 0xe3069283u);
  CHECK(crc32c({}) == 0u);
}

TEST_CASE("an error is named as Kafka names it") {
  CHECK(error_name(ErrorCode::unknown_topic_or_partition) == "UNKNOWN_TOPIC_OR_PARTITION");
  CHECK(error_name(ErrorCode::kafka_storage_error) == "KAFKA_STORAGE_ERROR");
  CHECK(error_name(static_cast<ErrorCode>(999)) == "ERROR_999");
}

TEST_CASE("a topic id keeps its value through its text") {
  SeededRandom random{1};
  for (int i = 0; i < 100; ++i) {
    const auto id = Uuid::generate(random);
    CHECK(id.text().size() == 22);
    CHECK(Uuid::from_text(id.text()) == id);
  }
  CHECK(Uuid{}.text() == "AAAAAAAAAAAAAAAAAAAAAA");
  CHECK_FALSE(Uuid::from_text("short"));
}

TEST_CASE("a varint survives writing and reading, and a cut one is refused") {
  const std::uint64_t x = GENERATE(0ull, 1ull, 127ull, 128ull, 300ull, 0xffffffffull, 0xffffffffffffffffull);
  std::byte room[10];
  const auto n = write_varuint(room, x);
  CHECK(n == varuint_size(x));
  std::span<const std::byte> in{room, n};
  std::uint64_t back = 0;
  REQUIRE(read_varuint(in, back));
  CHECK(back == x);
  CHECK(in.empty());
  std::span<const std::byte> cut{room, n - 1};
  CHECK_FALSE(read_varuint(cut, back));
}

TEST_CASE("zig-zag keeps the extremes") {
  for (std::int64_t x : {std::int64_t{0}, std::int64_t{-1}, INT64_MIN, INT64_MAX}) CHECK(unzigzag(zigzag(x)) == x);
  for (std::int32_t x : {0, -1, INT32_MIN, INT32_MAX}) CHECK(unzigzag(zigzag(x)) == x);
}
