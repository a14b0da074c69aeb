#include "storage/log/producer_snapshot.h"

#include <catch2/catch.hpp>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/posix_files.h"
#include "base/random.h"
#include "tests/support/storage/golden.h"
#include "tests/support/storage/temporary_directory.h"

using namespace storage;
using base::as_bytes;
using base::ErrorCode;
using base::Offset;
using base::ProducerEpoch;
using base::ProducerId;
using base::timestamp_from_ms;
using support::golden;

namespace {

std::vector<ProducerEntry> parsed(const std::string& bytes) {
  auto entries = parse_producer_snapshot(as_bytes(bytes));
  REQUIRE(entries.ok());
  return *entries;
}

ProducerEntry entry(std::int64_t id, std::int32_t last_sequence, std::int64_t last_offset, std::int32_t delta,
                    std::int64_t ms) {
  return {.id = ProducerId{id},
          .epoch = ProducerEpoch{0},
          .last_batch = ProducedBatch{last_sequence, delta, Offset{last_offset}, timestamp_from_ms(ms)},
          .last_timestamp = timestamp_from_ms(ms)};
}

// A checksum that fits, so that what lies behind it is looked at.
std::string sealed(std::string bytes) {
  base::store_big_endian(reinterpret_cast<std::byte*>(bytes.data()) + 2, base::crc32c(as_bytes(bytes).subspan(6)));
  return bytes;
}

}  // namespace

TEST_CASE("snapshots of Apache Kafka are read, and written byte for byte alike") {
  const auto two = golden("kafka-3.9.1/two-producers.snapshot");
  CHECK(parsed(two) == std::vector{entry(0, 6, 6, 0, 1'700'000'000'006), entry(1, 3, 10, 0, 1'700'000'000'003)});
  CHECK(format_producer_snapshot(parsed(two)) == two);

  // One producer whose last append was the abort marker of its second transaction, one with a transaction open.
  const auto open = golden("kafka-3.9.1/open-transaction.snapshot");
  auto going_on = entry(3, 1, 8, 0, 1'700'000'000'001);
  going_on.open_transaction = Offset{7};
  const auto entries = parsed(open);
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].id == ProducerId{2});
  CHECK(entries[0].last_batch->last_sequence == 4);
  CHECK(entries[0].coordinator_epoch == 0);
  CHECK(entries[0].last_batch->last_offset == Offset{5});
  CHECK(entries[1] == going_on);
  CHECK(format_producer_snapshot(entries) == open);

  CHECK(parsed(golden("kafka-3.9.1/empty.snapshot")).empty());
  CHECK(format_producer_snapshot({}) == golden("kafka-3.9.1/empty.snapshot"));
}

TEST_CASE("a producer known from a marker alone survives its snapshot") {
  const ProducerEntry marked{.id = ProducerId{5},
                             .epoch = ProducerEpoch{3},
                             .last_batch = std::nullopt,
                             .last_timestamp = timestamp_from_ms(17),
                             .coordinator_epoch = 2,
                             .open_transaction = std::nullopt};
  CHECK(parsed(format_producer_snapshot(std::vector{marked})) == std::vector{marked});
}

TEST_CASE("a snapshot that is cut, grown or changed anywhere is refused") {
  const auto good = golden("kafka-3.9.1/two-producers.snapshot");
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK_FALSE(parse_producer_snapshot(as_bytes(good).first(size)).ok());
  CHECK_FALSE(parse_producer_snapshot(as_bytes(good + "x")).ok());
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    const auto refused = parse_producer_snapshot(as_bytes(bad));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::corrupt_message);
  }
}

TEST_CASE("a snapshot with a fitting checksum and lying contents is refused or harmless") {
  auto lying = golden("kafka-3.9.1/two-producers.snapshot");
  lying[9] = 3;
  CHECK_FALSE(parse_producer_snapshot(as_bytes(sealed(lying))).ok());
  lying[6] = static_cast<char>(0xff);
  CHECK_FALSE(parse_producer_snapshot(as_bytes(sealed(lying))).ok());

  base::SeededRandom random{5};
  for (int i = 0; i < 20'000; ++i) {
    auto bytes = golden("kafka-3.9.1/open-transaction.snapshot");
    for (auto n = random.below(6) + 1; n > 0; --n)
      bytes[10 + random.below(bytes.size() - 10)] = static_cast<char>(random.below(3) ? random.next() : 0xff);
    const auto entries = parse_producer_snapshot(as_bytes(sealed(bytes)));
    if (!entries) continue;
    Producers producers;
    producers.restore(*entries);
    (void)producers.first_unstable_offset();
    (void)producers.check({.id = ProducerId{2}, .epoch = ProducerEpoch{0}, .first_sequence = 5, .last_sequence = 6},
                          AppendOrigin::client);
    (void)producers.remove_expired(timestamp_from_ms(1'700'000'000'000), std::chrono::hours{24});
  }
}

TEST_CASE("a snapshot file is stored and loaded, and a broken one is told apart from a failing disk") {
  base::PosixFiles files;
  const support::TemporaryDirectory directory;
  const auto path = directory.file("00000000000000000011.snapshot");
  const auto entries = parsed(golden("kafka-3.9.1/two-producers.snapshot"));
  REQUIRE(store_producer_snapshot(files, path, entries).ok());
  CHECK(*load_producer_snapshot(files, path) == entries);
  CHECK(load_producer_snapshot(files, path + "x").error().code == ErrorCode::kafka_storage_error);
  REQUIRE(base::write_file_atomically(files, path, "short").ok());
  CHECK(load_producer_snapshot(files, path).error().code == ErrorCode::corrupt_message);
}
