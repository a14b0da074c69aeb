// Whatever bytes come: an answer, no crash, and what is admitted is a batch that reads back.
#include <catch2/catch.hpp>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/random.h"
#include "protocol/records/legacy.h"
#include "protocol/records/record.h"
#include "storage/log/admission.h"
#include "tests/support/storage/golden.h"

using namespace storage;
using protocol::Codec;
using support::from_hex;

namespace {

using Bytes = std::vector<std::byte>;

std::vector<std::pair<Bytes, std::int16_t>> samples() {
  std::vector<std::pair<Bytes, std::int16_t>> samples;
  for (const auto& row : support::golden_table("admission-3.9.1.tsv"))
    if (const auto bytes = from_hex(row[3]); !bytes.empty())
      samples.emplace_back(bytes, static_cast<std::int16_t>(std::stoi(row[2])));
  return samples;
}

AdmissionRules some_rules(base::Random& random) {
  AdmissionRules rules;
  rules.compacted = random.below(4) == 0;
  if (random.below(3) == 0) rules.timestamps = protocol::TimestampType::log_append_time;
  if (random.below(3) == 0) rules.before_max = rules.after_max = std::chrono::hours{1};
  if (random.below(2) == 0) rules.codec = static_cast<Codec>(random.below(5));
  if (random.below(4) == 0) rules.max_batch_bytes = 100;
  if (random.below(4) == 0) rules.segment_bytes = 120;
  rules.unpacked_limit_bytes = random.below(4) == 0 ? 60 : 1 << 20;
  return rules;
}

// Bytes that hit the limits of lengths and counts more often than chance would.
void spoil(Bytes& bytes, base::Random& random) {
  for (auto n = random.below(4) + 1; n > 0; --n) {
    const auto at = random.below(bytes.size());
    switch (random.below(6)) {
      case 0:
        bytes[at] = std::byte{0xff};
        break;
      case 1:
        bytes[at] = std::byte{0};
        break;
      case 2:
        bytes[at] = std::byte{0x7f};
        break;
      case 3:
        bytes[at] ^= static_cast<std::byte>(1u << random.below(8));
        break;
      case 4:
        bytes.resize(bytes.size() - random.below(std::min<std::size_t>(bytes.size(), 20)));
        break;
      default:
        bytes[at] = static_cast<std::byte>(random.next());
    }
  }
}

// So that what lies behind the checksum is looked at.
void seal(Bytes& bytes) {
  if (bytes.size() < protocol::kBatchHeaderBytes || bytes[16] != std::byte{2}) return;
  base::store_big_endian(bytes.data() + 8, static_cast<std::int32_t>(bytes.size() - 12));
  base::store_big_endian(bytes.data() + 17, base::crc32c(std::span{bytes}.subspan(21)));
}

void check_messages(std::span<const std::byte> entries, std::int32_t record_count, const AdmissionRules& rules) {
  auto next = base::Offset{1000};
  protocol::EntryCursor cursor(entries);
  while (const auto entry = cursor.next()) {
    REQUIRE(entry->crc_ok());
    REQUIRE(entry->magic() == rules.record_version);
    REQUIRE(entry->size_bytes() <= rules.max_batch_bytes);
    protocol::LegacyReader reader(*entry);
    protocol::LegacyRecordView record;
    for (; reader.next(record); next += 1) REQUIRE(record.offset == next);
    REQUIRE(reader.status().ok());
  }
  REQUIRE(cursor.at_end());
  REQUIRE(next == base::Offset{1000} + record_count);
}

}  // namespace

TEST_CASE("spoiled payloads are refused, or admitted as batches that read back") {
  const auto good = samples();
  base::SeededRandom random{GENERATE(1u, 2u, 3u, 4u)};
  int admitted_count = 0;
  for (int i = 0; i < 30'000; ++i) {
    auto [bytes, version] = good[random.below(good.size())];
    spoil(bytes, random);
    if (random.below(4)) seal(bytes);
    auto rules = some_rules(random);
    rules.record_version = static_cast<int>(random.below(3));
    auto admission = admit({.records = bytes,
                            .version = version,
                            .origin = random.below(8) ? AppendOrigin::client : AppendOrigin::coordinator,
                            .now = base::timestamp_from_ms(1'700'000'000'000),
                            .partition = "t-0"},
                           rules);
    if (const auto* rejection = std::get_if<Rejection>(&admission)) {
      REQUIRE(rejection->error.code != base::ErrorCode::none);
      REQUIRE_FALSE(rejection->error.detail.empty());
      continue;
    }
    ++admitted_count;
    if (auto* messages = std::get_if<MessageSet>(&admission)) {
      const auto entries = number(*messages, base::Offset{1000});
      if (entries)
        check_messages(*entries, messages->record_count, rules);
      else
        REQUIRE(entries.error().code == base::ErrorCode::message_too_large);
      continue;
    }
    const auto& admitted = std::get<Admitted>(admission);
    REQUIRE(admitted.batch.crc_ok());
    REQUIRE(admitted.batch.size_bytes() <= std::min(rules.max_batch_bytes, rules.segment_bytes));
    REQUIRE(admitted.offset_count() > 0);
    protocol::RecordReader reader{admitted.batch};
    protocol::RecordView record;
    while (reader.next(record)) continue;
    REQUIRE(reader.status().ok());
    REQUIRE(reader.position() == admitted.record_count);
  }
  CHECK(admitted_count > 100);
}

TEST_CASE("random bytes are refused") {
  base::SeededRandom random{9};
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes(random.below(200));
    random.fill(bytes);
    if (bytes.size() > 17 && random.below(2)) bytes[16] = static_cast<std::byte>(random.below(3));
    if (random.below(2)) seal(bytes);
    const auto admission = admit({.records = bytes,
                                  .version = static_cast<std::int16_t>(random.below(12)),
                                  .now = base::timestamp_from_ms(1'700'000'000'000),
                                  .partition = "t-0"},
                                 some_rules(random));
    REQUIRE(std::holds_alternative<Rejection>(admission));
  }
}
