#include "storage/log/message_set.h"

#include <catch2/catch.hpp>

#include "protocol/records/legacy.h"
#include "storage/log/admission.h"
#include "tests/support/storage/batches.h"

using namespace storage;
using namespace storage::testing;
using base::ErrorCode;
using base::Offset;
using protocol::Codec;
using protocol::TimestampType;

namespace {

const auto kThen = base::timestamp_from_ms(1'700'000'000'000);

base::Buffer messages(protocol::LegacySpec spec, const std::vector<std::string>& values) {
  protocol::LegacyBuilder builder(spec);
  for (std::size_t i = 0; i < values.size(); ++i)
    builder.add(Offset{static_cast<std::int64_t>(i)}, kThen, std::nullopt, base::as_bytes(values[i]));
  return std::move(std::move(builder).build().value());
}

Admission admit_in(int record_version, base::Buffer& buffer, std::int16_t version,
                   TimestampType timestamps = TimestampType::create_time) {
  AdmissionRules rules;
  rules.record_version = record_version;
  rules.timestamps = timestamps;
  return admit(
      {.records = buffer.bytes(), .version = version, .now = kThen + std::chrono::seconds(9), .partition = "t-0"},
      rules);
}

struct Seen {
  Offset offset;
  std::string value;
  bool operator==(const Seen&) const = default;
};

std::vector<Seen> records_of(std::span<const std::byte> set, int magic) {
  std::vector<Seen> seen;
  protocol::EntryCursor cursor(set);
  while (const auto entry = cursor.next()) {
    CHECK(entry->magic() == magic);
    CHECK(entry->crc_ok());
    protocol::LegacyReader reader(*entry);
    protocol::LegacyRecordView record;
    while (reader.next(record)) seen.push_back({record.offset, std::string(base::as_text(*record.value))});
    CHECK(reader.status().ok());
  }
  CHECK(cursor.at_end());
  return seen;
}

}  // namespace

TEST_CASE("batches become messages of the topic's magic, numbered when the log knows their offsets") {
  const int magic = GENERATE(0, 1);
  const auto codec = GENERATE(Codec::none, Codec::gzip, Codec::snappy, Codec::lz4);
  auto buffer = make_batch({.values = {"a", "b", "c"}, .spec = {.codec = codec}});
  auto admission = admit_in(magic, buffer, 8);
  auto& set = std::get<MessageSet>(admission);
  CHECK(set.record_count == 3);
  const auto entries = number(set, Offset{70});
  REQUIRE(entries.ok());
  CHECK(records_of(*entries, magic) == std::vector<Seen>{{Offset{70}, "a"}, {Offset{71}, "b"}, {Offset{72}, "c"}});
  const auto first = protocol::EntryHeader::parse(*entries).value();
  CHECK(first->codec() == codec);
  CHECK(first->max_timestamp == (magic == 0 ? base::kNoTimestamp : base::timestamp_from_ms(1'700'000'000'000)));
}

TEST_CASE("messages of the topic's own magic and codec stay where they are") {
  const auto codec = GENERATE(Codec::none, Codec::gzip);
  const auto timestamps = GENERATE(TimestampType::create_time, TimestampType::log_append_time);
  auto buffer = messages({.magic = 1, .codec = codec}, {"a", "b"});
  auto admission = admit_in(1, buffer, 2, timestamps);
  auto& set = std::get<MessageSet>(admission);
  CHECK(set.rewritten.empty());
  const auto entries = number(set, Offset{5}).value();
  CHECK(entries.data() == buffer.data());
  CHECK(records_of(entries, 1) == std::vector<Seen>{{Offset{5}, "a"}, {Offset{6}, "b"}});
  const auto first = protocol::EntryHeader::parse(entries).value();
  CHECK(first->timestamp_type() == timestamps);
  CHECK(first->max_timestamp == (timestamps == TimestampType::create_time ? kThen : kThen + std::chrono::seconds(9)));
  CHECK(set.append_time.has_value() == (timestamps == TimestampType::log_append_time));
}

TEST_CASE("magic 0 inside a compressed message bears the offsets of the log") {
  auto buffer = messages({.magic = 0, .codec = Codec::gzip}, {"a", "b"});
  auto admission = admit_in(0, buffer, 1);
  const auto entries = number(std::get<MessageSet>(admission), Offset{1000}).value();
  CHECK(records_of(entries, 0) == std::vector<Seen>{{Offset{1000}, "a"}, {Offset{1001}, "b"}});
}

TEST_CASE("what old formats cannot hold is refused") {
  const int magic = GENERATE(0, 1);
  const auto code = [&](base::Buffer buffer) { return std::get<Rejection>(admit_in(magic, buffer, 8)).error.code; };
  CHECK(code(make_batch({.values = {"a"},
                         .spec = {.producer_id = base::ProducerId{1},
                                  .producer_epoch = base::ProducerEpoch{0},
                                  .base_sequence = 0}})) == ErrorCode::unsupported_for_message_format);
  CHECK(code(make_batch({.values = {"a"}, .spec = {.codec = Codec::zstd}})) == ErrorCode::unknown_server_error);
}

TEST_CASE("a log of old messages rolls, clears its epochs, and opens again after a broken stop") {
  LogBench bench;
  bench.settings.record_version = GENERATE(0, 1);
  REQUIRE(bench.create().ok());
  REQUIRE(bench.append({.values = {"new"}}, base::LeaderEpoch{3}).ok());
  CHECK(bench.log->latest_epoch() == base::LeaderEpoch{3});
  for (std::int64_t i = 1; i < 100; i += 2) {
    auto buffer = make_batch({.values = {"a", "b"}, .spec = {.codec = i % 4 == 1 ? Codec::gzip : Codec::none}});
    auto admission = admit_in(bench.settings.record_version, buffer, 8);
    const auto appended = bench.log->append_as_leader(std::get<MessageSet>(admission));
    REQUIRE(appended.ok());
    CHECK(appended->base_offset == Offset{i});
    CHECK(appended->last_offset == Offset{i + 1});
  }
  CHECK(bench.log->segments().size() > 2);
  CHECK_FALSE(bench.log->latest_epoch());
  REQUIRE(bench.log->begin_leader_epoch(base::LeaderEpoch{4}).ok());
  CHECK_FALSE(bench.log->latest_epoch());
  CHECK(bench.log->log_end_offset() == Offset{101});
  auto loaded = bench.load({});
  REQUIRE(loaded.ok());
  CHECK(bench.log->log_end_offset() == Offset{101});
  CHECK(loaded->dropped_bytes == 0);
}
