// Replicas held against each other, batch by batch.
#include <catch2/catch.hpp>

#include "protocol/records/builder.h"
#include "tools/replica_verification/comparison.h"

using base::BrokerId;
using base::Offset;
using base::TopicPartition;
using namespace tools;

namespace {

using Bytes = std::vector<std::byte>;

// A batch of two records, so that it ends one offset behind where it begins.
Bytes batch_at(std::int64_t offset, std::string_view value) {
  protocol::BatchBuilder builder({.base_offset = Offset{offset}});
  const auto bytes = std::as_bytes(std::span(value));
  for (int i = 0; i < 2; ++i) builder.add({.timestamp = base::timestamp_from_ms(1), .key = bytes, .value = bytes});
  auto built = std::move(builder).build();
  REQUIRE(built);
  return {built->data(), built->data() + built->size()};
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Comparison compare(const Bytes& a, std::int64_t high_a, const Bytes& b, std::int64_t high_b) {
  return compare_replicas(TopicPartition{"t", 3}, Offset{10},
                          {{BrokerId{1}, {Offset{high_a}, a}}, {BrokerId{2}, {Offset{high_b}, b}}});
}

}  // namespace

TEST_CASE("equal replicas are verified to the lowest high watermark") {
  const auto data = batch_at(10, "x") + batch_at(12, "y") + batch_at(14, "z");
  auto found = compare(data, 16, data, 16);
  CHECK(found.verified_to == Offset{16});
  CHECK(found.lag == 0);
  found = compare(data, 16, data, 14);
  CHECK(found.verified_to == Offset{14});
  CHECK(found.lag == 2);
  found = compare(data, 16, batch_at(10, "x"), 16);
  CHECK(found.verified_to == Offset{12});
  CHECK(found.lag == 4);
  CHECK(found.mismatches.empty());
  CHECK(!found.misaligned);
}

TEST_CASE("an entry that is cut short is compared in the next round") {
  const auto data = batch_at(10, "x") + batch_at(12, "y");
  auto cut = data;
  cut.resize(cut.size() - 5);
  CHECK(compare(data, 14, cut, 14).verified_to == Offset{12});
  cut.resize(7);
  const auto found = compare(data, 14, cut, 14);
  CHECK(found.verified_to == Offset{10});
  CHECK(!found.misaligned);
}

TEST_CASE("a replica that does not answer holds its partition up") {
  const auto data = batch_at(10, "x");
  const auto found = compare(data, 12, {}, -1);
  CHECK(found.verified_to == Offset{10});
  CHECK(found.lag == 2);
  CHECK(found.mismatches.empty());
}

TEST_CASE("another checksum is reported, and the comparison goes on") {
  const auto found = compare(batch_at(10, "x") + batch_at(12, "y"), 14, batch_at(10, "X") + batch_at(12, "y"), 14);
  REQUIRE(found.mismatches.size() == 1);
  CHECK_THAT(found.mismatches[0],
             Catch::Matchers::StartsWith("partition t-3 has unmatched checksum at offset 11; replica 1's checksum "));
  CHECK(found.verified_to == Offset{14});
}

TEST_CASE("replicas whose offsets differ cannot be compared further") {
  const auto found = compare(batch_at(10, "x"), 20, batch_at(11, "x"), 20);
  REQUIRE(found.misaligned);
  CHECK(*found.misaligned == "partition t-3: replica 1's offset 11 doesn't match replica 2's offset 12");
  CHECK(found.verified_to == Offset{10});
}

TEST_CASE("bytes that are no batch are a finding too") {
  Bytes nonsense(200, std::byte{0xff});
  const auto found = compare(batch_at(10, "x"), 20, nonsense, 20);
  REQUIRE(found.misaligned);
  CHECK_THAT(*found.misaligned,
             Catch::Matchers::StartsWith("partition t-3: what replica 2 holds at offset 10 is no batch"));
}
