#include "protocol/records/batch.h"

#include <catch2/catch.hpp>

#include "base/bytes.h"
#include "protocol/records/builder.h"
#include "protocol/records/legacy.h"

using namespace protocol;
using base::Offset;
using base::timestamp_from_ms;

namespace {

base::Buffer batch_of(BatchSpec spec, int records) {
  BatchBuilder builder(spec);
  for (int i = 0; i < records; ++i)
    builder.add(
        {.timestamp = timestamp_from_ms(1000 + i), .key = base::as_bytes("key"), .value = base::as_bytes("value")});
  return std::move(builder).build().value();
}

BatchView view(const base::Buffer& buffer) { return BatchView::parse(buffer.bytes()).value().value(); }

}  // namespace

TEST_CASE("every header field of a batch is read back as it was written") {
  const auto bytes = batch_of({.base_offset = Offset{41},
                               .leader_epoch = base::LeaderEpoch{7},
                               .codec = Codec::zstd,
                               .producer_id = base::ProducerId{4000000000},
                               .producer_epoch = base::ProducerEpoch{5},
                               .base_sequence = 0x7ffffffe,
                               .transactional = true},
                              3);
  const auto batch = view(bytes);
  CHECK(batch.base_offset() == Offset{41});
  CHECK(batch.last_offset() == Offset{43});
  CHECK(batch.next_offset() == Offset{44});
  CHECK(batch.leader_epoch() == base::LeaderEpoch{7});
  CHECK(batch.magic() == 2);
  CHECK(batch.crc_ok());
  CHECK(batch.codec() == Codec::zstd);
  CHECK(batch.timestamp_type() == TimestampType::create_time);
  CHECK(batch.is_transactional());
  CHECK_FALSE(batch.is_control());
  CHECK_FALSE(batch.delete_horizon());
  CHECK(batch.last_offset_delta() == 2);
  CHECK(batch.base_timestamp() == timestamp_from_ms(1000));
  CHECK(batch.max_timestamp() == timestamp_from_ms(1002));
  CHECK(batch.producer_id() == base::ProducerId{4000000000});
  CHECK(batch.producer_epoch() == base::ProducerEpoch{5});
  CHECK(batch.has_producer());
  CHECK(batch.base_sequence() == 0x7ffffffe);
  CHECK(batch.last_sequence() == 0);  // 2^31 - 2, 2^31 - 1, 0
  CHECK(batch.record_count() == 3);
  CHECK(batch.size_bytes() == bytes.size());
}

TEST_CASE("a sequence number wraps from 2^31 - 1 to 0") {
  CHECK(sequence_after(5, 3) == 8);
  CHECK(sequence_after(0x7fffffff, 0) == 0x7fffffff);
  CHECK(sequence_after(0x7fffffff, 1) == 0);
  CHECK(sequence_after(0x7ffffff0, 0x20) == 0x10);
}

TEST_CASE("stamping offset and leader epoch leaves the checksum valid") {
  auto bytes = batch_of({}, 2);
  auto batch = Batch::parse(bytes.bytes()).value().value();
  const auto crc = batch.crc();
  batch.stamp(Offset{1'000'000'000'000}, base::LeaderEpoch{12});
  CHECK(batch.base_offset() == Offset{1'000'000'000'000});
  CHECK(batch.last_offset() == Offset{1'000'000'000'001});
  CHECK(batch.leader_epoch() == base::LeaderEpoch{12});
  CHECK(batch.crc() == crc);
  CHECK(batch.crc_ok());
}

TEST_CASE("setting log append time changes type, maximum and checksum, and nothing else") {
  auto bytes = batch_of({.transactional = true}, 2);
  auto batch = Batch::parse(bytes.bytes()).value().value();
  batch.set_max_timestamp(TimestampType::log_append_time, timestamp_from_ms(777));
  CHECK(batch.timestamp_type() == TimestampType::log_append_time);
  CHECK(batch.max_timestamp() == timestamp_from_ms(777));
  CHECK(batch.base_timestamp() == timestamp_from_ms(1000));
  CHECK(batch.is_transactional());
  CHECK(batch.crc_ok());
  batch.set_max_timestamp(TimestampType::create_time, timestamp_from_ms(1001));
  CHECK(view(batch_of({.transactional = true}, 2)).crc() == batch.crc());
}

TEST_CASE("a flipped bit anywhere under the checksum is noticed") {
  auto bytes = batch_of({}, 1);
  for (std::size_t i = 17; i < bytes.size(); ++i) {
    bytes.bytes()[i] ^= std::byte{0x10};
    CHECK_FALSE(view(bytes).crc_ok());
    bytes.bytes()[i] ^= std::byte{0x10};
  }
  CHECK(view(bytes).crc_ok());
}

TEST_CASE("each beginning of a batch is cut short, not corrupt") {
  const auto bytes = batch_of({}, 2);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto parsed = BatchView::parse(bytes.bytes().first(size));
    REQUIRE(parsed.ok());
    CHECK_FALSE(parsed->has_value());
    const auto header = EntryHeader::parse(bytes.bytes().first(size));
    REQUIRE(header.ok());
    CHECK(header->has_value() == (size >= kBatchHeaderBytes));
  }
}

TEST_CASE("impossible lengths and unknown magics are corrupt, however few bytes there are") {
  auto bytes = batch_of({}, 1);
  SECTION("a length shorter than any header") {
    base::store_big_endian(bytes.data() + 8, GENERATE(13, 0, -1, std::int32_t{-2147483647 - 1}));
    CHECK(EntryView::parse(bytes.bytes().first(12)).error().code == base::ErrorCode::corrupt_message);
  }
  SECTION("a length shorter than a batch header") {
    base::store_big_endian(bytes.data() + 8, std::int32_t{48});
    CHECK_FALSE(EntryView::parse(bytes.bytes()).ok());
  }
  SECTION("a magic that does not exist") {
    bytes.bytes()[16] = static_cast<std::byte>(GENERATE(3, 127, 128, 255));
    CHECK_FALSE(EntryView::parse(bytes.bytes()).ok());
  }
  SECTION("a message of an older magic is no batch") {
    bytes.bytes()[16] = std::byte{1};
    CHECK(EntryView::parse(bytes.bytes()).ok());
    CHECK_FALSE(BatchView::parse(bytes.bytes()).ok());
  }
}

TEST_CASE("a cursor walks entries of every magic and stops before a torn tail") {
  base::Buffer log;
  for (const std::int8_t magic : {0, 1}) {
    LegacyBuilder legacy({.magic = magic});
    legacy.add(Offset{magic}, timestamp_from_ms(50), std::nullopt, base::as_bytes("old"));
    log.append(std::move(legacy).build()->bytes());
  }
  log.append(batch_of({.base_offset = Offset{2}}, 3).bytes());
  const auto whole = log.size();
  log.append(std::span<const std::byte>(batch_of({.base_offset = Offset{5}}, 1).bytes()).first(70));

  EntryCursor cursor(log.bytes());
  std::vector<std::int64_t> last_offsets;
  std::vector<std::int64_t> max_timestamps;
  while (const auto entry = cursor.next()) {
    last_offsets.push_back(entry->last_offset().raw);
    max_timestamps.push_back(base::to_ms(entry->max_timestamp()));
    CHECK(entry->crc_ok());
  }
  CHECK(last_offsets == std::vector<std::int64_t>{0, 1, 4});
  CHECK(max_timestamps == std::vector<std::int64_t>{-1, 50, 1002});
  CHECK(cursor.status().ok());
  CHECK(cursor.position_bytes() == whole);
  CHECK_FALSE(cursor.at_end());
}

TEST_CASE("a cursor reports garbage behind good entries and where it begins") {
  auto log = batch_of({}, 1);
  const auto whole = log.size();
  log.append(base::as_bytes("garbage that is no entry at all"));
  EntryCursor cursor(log.bytes());
  CHECK(cursor.next());
  CHECK_FALSE(cursor.next());
  CHECK_FALSE(cursor.status().ok());
  CHECK(cursor.position_bytes() == whole);
  CHECK_FALSE(cursor.next());
}
