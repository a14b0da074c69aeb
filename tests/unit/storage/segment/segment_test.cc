#include "storage/segment/segment.h"

#include <catch2/catch.hpp>

#include "base/random.h"
#include "tests/support/storage/batches.h"

using namespace storage;
using namespace storage::testing;
using base::Offset;
using base::timestamp_from_ms;

namespace {

constexpr const char* kDirectory = "/d";
constexpr IndexSettings kIndex{.max_bytes = 8 << 10, .interval_bytes = 4096};

struct Written {
  Offset base, last;
  std::uint64_t position = 0;
};

// Batches of one to four records, some longer than the index interval, appended one to five at a time. `per_append`
// indexes as Apache Kafka 2.7 does: the last offset of an append at the place of its first byte.
std::vector<Written> write_segment(FaultyFiles& files, base::Random& random, bool per_append) {
  std::vector<Written> written;
  auto segment = Segment::create(files, kDirectory, Offset{100}, kIndex, timestamp_from_ms(1));
  REQUIRE(segment.ok());
  OffsetIndex by_append(files, "/d/by-append", Offset{100}, kIndex.max_bytes);
  REQUIRE(by_append.load().ok());
  Offset next{100};
  for (int append = 0; append < 60; ++append) {
    std::vector<base::Buffer> buffers;
    std::vector<SegmentBatch> batches;
    const auto first_byte = (*segment)->size_bytes();
    auto position = first_byte;
    for (std::uint64_t n = random.next() % 5 + 1; n > 0; --n) {
      std::vector<std::string> values(random.next() % 4 + 1, std::string(random.next() % 9000, 'v'));
      const Offset last = next + static_cast<std::int64_t>(values.size()) - 1;
      auto& bytes = buffers.emplace_back(make_batch({.values = std::move(values)}));
      protocol::Batch::parse(bytes.bytes()).value()->stamp(next, base::LeaderEpoch{0});
      batches.push_back({bytes.bytes(), next, last, timestamp_from_ms(append)});
      written.push_back({next, last, position});
      position += bytes.size();
      next = last + 1 + static_cast<std::int64_t>(random.next() % 3);  // compaction leaves gaps
    }
    REQUIRE((*segment)->append(batches).ok());
    REQUIRE(by_append.append(batches.back().last_offset, first_byte).ok());
  }
  REQUIRE((*segment)->seal().ok());
  REQUIRE(by_append.trim().ok());
  if (per_append)
    files.put(std::string(kDirectory) + "/" + file_name(Offset{100}, FileKind::offset_index),
              files.contents("/d/by-append"));
  return written;
}

}  // namespace

TEST_CASE("a segment finds the batch of every offset, whether its index names batches or whole appends") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const bool per_append = seed % 2 == 1;
    CAPTURE(seed, per_append);
    FaultyFiles files;
    REQUIRE(files.create_directories(kDirectory).ok());
    base::SeededRandom random{seed};
    const auto written = write_segment(files, random, per_append);
    auto segment = Segment::open(files, kDirectory, Offset{100}, kIndex, timestamp_from_ms(1));
    REQUIRE(segment.ok());
    std::size_t holder = 0;  // the first batch that reaches the offset
    for (auto offset = Offset{100}; offset <= written.back().last; offset = offset + 1) {
      while (written[holder].last < offset) ++holder;
      const auto slice = (*segment)->read(offset, std::nullopt, {.max_bytes = 1});
      REQUIRE(slice.ok());
      REQUIRE(slice.value().has_value());
      REQUIRE((*slice.value()).first_offset == written[holder].base);
      REQUIRE((*slice.value()).records.position == written[holder].position);
    }
    CHECK_FALSE((*segment)->read(written.back().last + 1, std::nullopt, {.max_bytes = 1}).value());
  }
}

TEST_CASE("an index that names a place where no batch begins is rebuilt, and the right batch is found") {
  FaultyFiles files;
  REQUIRE(files.create_directories(kDirectory).ok());
  base::SeededRandom random{3};
  const auto written = write_segment(files, random, false);
  const auto index = std::string(kDirectory) + "/" + file_name(Offset{100}, FileKind::offset_index);
  auto bytes = files.contents(index);
  REQUIRE(bytes.size() > 16);
  for (std::size_t entry = 7; entry < bytes.size(); entry += 8) bytes[entry] = static_cast<char>(bytes[entry] ^ 1);
  files.put(index, bytes);
  auto segment = Segment::open(files, kDirectory, Offset{100}, kIndex, timestamp_from_ms(1));
  for (const auto& batch : written) {
    const auto slice = (*segment)->read(batch.base, std::nullopt, {.max_bytes = 1});
    REQUIRE(slice.ok());
    REQUIRE((*slice.value()).first_offset == batch.base);
  }
}
