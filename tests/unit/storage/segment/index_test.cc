#include <catch2/catch.hpp>

#include "storage/segment/offset_index.h"
#include "storage/segment/time_index.h"
#include "storage/segment/txn_index.h"
#include "tests/support/storage/faulty_files.h"

using namespace storage;
using namespace storage::testing;
using base::timestamp_from_ms;

namespace {
constexpr const char* kPath = "/d/index";
}

TEST_CASE("an offset index answers alike from memory, from its file, and after it was opened again") {
  FaultyFiles files;
  REQUIRE(files.create_directories("/d").ok());
  OffsetIndex index(files, kPath, Offset{1000}, 8 * 5000);
  REQUIRE(index.load().ok());
  CHECK_FALSE(index.find(Offset{5000}).value().below);
  CHECK_FALSE(index.find(Offset{5000}).value().above);
  for (int i = 0; i < 3000; ++i)
    REQUIRE(index.append(Offset{1000 + 10 * i + 5}, static_cast<std::uint64_t>(i) * 100).ok());
  const auto check = [](const OffsetIndex& one) {
    CHECK_FALSE(one.find(Offset{1004}).value().below);
    CHECK(one.find(Offset{1004}).value().above->offset == Offset{1005});
    for (int i = 0; i < 3000; i += 37) {
      const OffsetIndex::Entry expected{Offset{1000 + 10 * i + 5}, static_cast<std::uint64_t>(i) * 100};
      REQUIRE(one.find(expected.offset).value().below == expected);
      REQUIRE(one.find(expected.offset + 9).value().below == expected);
      const auto above = one.find(expected.offset + 9).value().above;
      REQUIRE(above.has_value() == (i + 1 < 3000));
      if (above) REQUIRE(*above == OffsetIndex::Entry{expected.offset + 10, expected.position + 100});
    }
    CHECK(one.last().value()->offset == Offset{1000 + 29990 + 5});
  };
  check(index);
  CHECK(files.contents(kPath).size() == 8 * 5000);
  REQUIRE(index.trim().ok());
  CHECK(files.contents(kPath).size() == 8 * 3000);
  OffsetIndex again(files, kPath, Offset{1000}, 8 * 5000);
  REQUIRE(again.load().ok());
  check(again);
  REQUIRE(again.append(Offset{900'000}, 7).ok());
  CHECK(again.count() == 3001);
}

TEST_CASE("an index that was not trimmed is read without the zeros at its end") {
  FaultyFiles files;
  REQUIRE(files.create_directories("/d").ok());
  {
    OffsetIndex index(files, kPath, Offset{0}, 8 * 2000);
    for (int i = 1; i <= 700; ++i) REQUIRE(index.append(Offset{i}, static_cast<std::uint64_t>(i)).ok());
  }
  OffsetIndex index(files, kPath, Offset{0}, 8 * 2000);
  REQUIRE(index.load().ok());
  CHECK(index.count() == 512);  // the rest had not reached the file: recovery rebuilds it
  CHECK(index.last().value()->offset == Offset{512});
}

TEST_CASE("an index is cut at any entry and goes on from there") {
  for (int keep = 0; keep <= 1200; keep += 97) {
    FaultyFiles files;
    REQUIRE(files.create_directories("/d").ok());
    OffsetIndex index(files, kPath, Offset{0}, 8 * 2000);
    for (int i = 1; i <= 1200; ++i) REQUIRE(index.append(Offset{i}, static_cast<std::uint64_t>(i)).ok());
    REQUIRE(index.truncate_to(Offset{keep + 1}).ok());
    REQUIRE(index.count() == static_cast<std::size_t>(keep));
    REQUIRE(index.append(Offset{5000}, 9).ok());
    REQUIRE(index.trim().ok());
    OffsetIndex again(files, kPath, Offset{0}, 8 * 2000);
    REQUIRE(again.load().ok());
    REQUIRE(again.count() == static_cast<std::size_t>(keep) + 1);
    REQUIRE(again.last().value()->offset == Offset{5000});
    if (keep > 0) REQUIRE(again.find(Offset{keep}).value().below->offset == Offset{keep});
  }
}

TEST_CASE("what an index kept of an earlier search never outlives the entries") {
  FaultyFiles files;
  REQUIRE(files.create_directories("/d").ok());
  OffsetIndex index(files, kPath, Offset{0}, 8 * 5000);
  const auto fill = [&](int from, std::uint64_t stamp) {
    for (int i = from; i < 3000; ++i) REQUIRE(index.append(Offset{i}, stamp + static_cast<std::uint64_t>(i)).ok());
  };
  const auto position = [&](int offset) { return index.find(Offset{offset}).value().below->position; };
  fill(0, 10'000);
  for (int round = 1; round <= 4; ++round) {
    const int cut = 700 * round - 600;
    // Forward from a place before the cut, over it: the part kept is replaced again and again.
    for (int i = cut - 90; i < 2400; ++i) REQUIRE(position(i) % 10'000 == static_cast<std::uint64_t>(i));
    REQUIRE(position(cut + 1) == static_cast<std::uint64_t>(10'000 * round + cut + 1));
    REQUIRE(index.truncate_to(Offset{cut}).ok());
    REQUIRE(position(cut + 1) == static_cast<std::uint64_t>(10'000 * round + cut - 1));
    fill(cut, static_cast<std::uint64_t>(10'000 * (round + 1)));
    REQUIRE(position(cut - 1) % 10'000 == static_cast<std::uint64_t>(cut - 1));
    REQUIRE(position(cut + 1) == static_cast<std::uint64_t>(10'000 * (round + 1) + cut + 1));
  }
  index.restart();
  CHECK_FALSE(index.find(Offset{1000}).value().below);
}

TEST_CASE("an offset index takes rising offsets only and stops when it is full") {
  FaultyFiles files;
  REQUIRE(files.create_directories("/d").ok());
  OffsetIndex index(files, kPath, Offset{0}, 8 * 3 + 7);
  for (const auto offset : {5, 5, 4, 6, 7}) REQUIRE(index.append(Offset{offset}, 1).ok());
  CHECK(index.count() == 3);
  CHECK(index.is_full());
  REQUIRE(index.append(Offset{8}, 1).ok());
  CHECK(index.count() == 3);
}

TEST_CASE("a time index takes rising timestamps only and keeps one slot for the closing entry") {
  FaultyFiles files;
  REQUIRE(files.create_directories("/d").ok());
  TimeIndex index(files, kPath, Offset{100}, 12 * 4);
  for (const auto ms : {10, 10, 9, 20, 30, 40}) REQUIRE(index.append(timestamp_from_ms(ms), Offset{100 + ms}).ok());
  CHECK(index.count() == 3);
  CHECK(index.is_full());
  REQUIRE(index.append(timestamp_from_ms(50), Offset{150}, TimeIndex::Slot::closing).ok());
  CHECK(index.count() == 4);
  CHECK_FALSE(index.find(timestamp_from_ms(9)).value());
  CHECK(index.find(timestamp_from_ms(29)).value() == TimeIndex::Entry{timestamp_from_ms(20), Offset{120}});
  CHECK(index.last().value()->timestamp == timestamp_from_ms(50));
  REQUIRE(index.truncate_to(Offset{121}).ok());
  CHECK(index.count() == 2);
}

TEST_CASE("a transaction index exists only while it has entries, and a damaged one is recognised") {
  FaultyFiles files;
  REQUIRE(files.create_directories("/d").ok());
  TxnIndex index(files, kPath);
  CHECK(index.entries().value()->empty());
  CHECK_FALSE(files.exists(kPath).value());
  const AbortedTxn first{base::ProducerId{1}, Offset{5}, Offset{9}, Offset{10}};
  const AbortedTxn second{base::ProducerId{2}, Offset{7}, Offset{12}, Offset{13}};
  REQUIRE(index.append(first).ok());
  REQUIRE(index.append(second).ok());
  CHECK_FALSE(index.append(first).ok());
  CHECK_FALSE(files.exists(kPath).value());
  REQUIRE(index.write().ok());
  CHECK(files.contents(kPath).size() == 68);
  {
    TxnIndex again(files, kPath);
    CHECK(*again.entries().value() == std::vector<AbortedTxn>{first, second});
  }
  files.put("/d/bad", files.contents(kPath) + "x");
  CHECK(TxnIndex(files, "/d/bad").entries().error().code == base::ErrorCode::corrupt_message);
  REQUIRE(index.truncate_to(Offset{12}).ok());
  CHECK(*index.entries().value() == std::vector<AbortedTxn>{first});
  REQUIRE(index.truncate_to(Offset{0}).ok());
  CHECK_FALSE(files.exists(kPath).value());
}
