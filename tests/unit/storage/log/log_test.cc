#include "storage/log/log.h"

#include <catch2/catch.hpp>

#include "storage/log/producer_replay.h"
#include "tests/support/storage/batches.h"

using namespace storage;
using namespace storage::testing;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;
using base::timestamp_from_ms;

namespace {

// `count` batches of one record "r<offset>"; about 150 bytes each.
void append_many(LogBench& bench, int count) {
  for (int i = 0; i < count; ++i) {
    const auto offset = bench.log->log_end_offset();
    REQUIRE(bench.append({.values = {"r" + std::to_string(offset.raw) + std::string(80, '.')}}).ok());
  }
}

void require_rising(Log& log, std::int64_t from, std::int64_t to) {
  const auto seen = read_all(log, Offset{from});
  REQUIRE(seen.size() == static_cast<std::size_t>(to - from));
  for (std::size_t i = 0; i < seen.size(); ++i) {
    REQUIRE(seen[i].offset.raw == from + static_cast<std::int64_t>(i));
    REQUIRE(seen[i].value.starts_with("r" + std::to_string(seen[i].offset.raw) + "."));
  }
}

std::vector<std::string> names_in(LogBench& bench) {
  std::vector<std::string> names;
  const auto entries = bench.files.list(bench.directory);
  for (const auto& entry : entries.value()) names.push_back(entry.name);
  return names;
}

bool has_file(LogBench& bench, const std::string& name) {
  const auto names = names_in(bench);
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

TEST_CASE("appended records come back at the offsets they were given") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  auto first = bench.append({.values = {"a", "b", "c"}});
  REQUIRE(first.ok());
  CHECK(first->base_offset == Offset{0});
  CHECK(first->last_offset == Offset{2});
  CHECK(first->log_append_time == base::kNoTimestamp);
  auto second = bench.append({.values = {"d"}}, LeaderEpoch{4});
  CHECK(second->base_offset == Offset{3});
  CHECK(bench.log->log_end_offset() == Offset{4});
  CHECK(read_all(*bench.log, Offset{0}) ==
        std::vector<SeenRecord>{{Offset{0}, "a"}, {Offset{1}, "b"}, {Offset{2}, "c"}, {Offset{3}, "d"}});
  CHECK(bench.log->end_offset_for_epoch(LeaderEpoch{0}) == EpochEnd{LeaderEpoch{0}, Offset{3}});
  CHECK(bench.log->end_offset_for_epoch(LeaderEpoch{4}) == EpochEnd{LeaderEpoch{4}, Offset{4}});
}

TEST_CASE("an append of one batch is one write to the data file") {
  LogBench bench;
  bench.settings.index.interval_bytes = 4096;
  REQUIRE(bench.create().ok());
  append_many(bench, 1);
  const auto before = bench.files.changes();
  append_many(bench, 1);
  CHECK(bench.files.changes() - before == 1);
}

TEST_CASE("a read stops at its bound, at its size, and gives one batch whole however large") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  append_many(bench, 30);
  auto& log = *bench.log;
  CHECK(records_in(log.read(Offset{3}, Offset{5}, {.max_bytes = 100'000}).value().records).size() == 2);
  CHECK(records_in(log.read(Offset{3}, Offset{3}, {.max_bytes = 100'000}).value().records).empty());
  CHECK(records_in(log.read(Offset{3}, Offset{30}, {.max_bytes = 1}).value().records).size() == 1);
  CHECK(log.read(Offset{3}, Offset{30}, {.max_bytes = 1, .at_least_one_batch = false}).value().records.size_bytes == 1);
  CHECK(log.read(Offset{3}, Offset{30}, {.max_bytes = 0, .at_least_one_batch = false}).value().records.size_bytes == 0);
  CHECK(log.read(Offset{30}, Offset{30}, {.max_bytes = 1}).value().records.size_bytes == 0);
  CHECK(log.read(Offset{31}, Offset{31}, {.max_bytes = 1}).error().code == ErrorCode::offset_out_of_range);
  CHECK(log.read(Offset{-1}, Offset{31}, {.max_bytes = 1}).error().code == ErrorCode::offset_out_of_range);
  for (std::int64_t from = 0; from < 30; ++from) {
    for (std::int64_t to = from; to <= 30; ++to) {
      const auto seen = records_in(log.read(Offset{from}, Offset{to}, {.max_bytes = 100'000}).value().records);
      if (from == to) {
        REQUIRE(seen.empty());
        continue;
      }
      REQUIRE(seen.front().offset == Offset{from});
      REQUIRE(seen.back().offset < Offset{to});
    }
  }
}

TEST_CASE("a full segment is followed by one that begins at the next offset") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  append_many(bench, 50);
  CHECK(bench.log->segments().size() > 5);
  require_rising(*bench.log, 0, 50);
  for (std::size_t i = 0; i < bench.log->segments().size(); ++i)
    CHECK(bench.log->segments().at(i).size_bytes() <= bench.settings.segment_bytes);
  CHECK(bench.log->recovery_point() == Offset{0});
  bench.run_background();
  const auto active = bench.log->segments().active().base_offset();
  CHECK(bench.log->recovery_point() == active);
  CHECK(has_file(bench, file_name(active, FileKind::snapshot)));
  CHECK(bench.log->segment_base_of(Offset{0}) == Offset{0});
  CHECK(bench.log->segment_base_of(Offset{50}) == active);
}

TEST_CASE("an append larger than a segment is refused and leaves nothing behind") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  CHECK(bench.append({.values = {std::string(2000, 'x')}}).error().code == ErrorCode::record_list_too_large);
  CHECK(bench.log->log_end_offset() == Offset{0});
  CHECK(bench.retired.empty());
}

TEST_CASE("a segment rolls by the time of its records, and by the clock when they have none") {
  LogBench bench;
  bench.settings.roll_after = std::chrono::minutes(10);
  REQUIRE(bench.create().ok());
  REQUIRE(bench.append({.values = {"a"}, .timestamp = timestamp_from_ms(1'000'000)}).ok());
  REQUIRE(bench.append({.values = {"b"}, .timestamp = timestamp_from_ms(1'000'000 + 600'000)}).ok());
  CHECK(bench.log->segments().size() == 1);
  REQUIRE(bench.append({.values = {"c"}, .timestamp = timestamp_from_ms(1'000'000 + 600'001)}).ok());
  CHECK(bench.log->segments().size() == 2);

  REQUIRE(bench.log->roll().ok());
  REQUIRE(bench.append({.values = {"d"}, .timestamp = base::kNoTimestamp}).ok());
  const auto segments = bench.log->segments().size();
  bench.clock.advance(std::chrono::minutes(11));
  REQUIRE(bench.append({.values = {"e"}, .timestamp = base::kNoTimestamp}).ok());
  CHECK(bench.log->segments().size() == segments + 1);
}

TEST_CASE("records are found by their time across segments") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  for (int i = 0; i < 40; ++i)
    REQUIRE(bench.append({.values = {"x" + std::string(60, '.'), "y"}, .timestamp = timestamp_from_ms(1000 + i * 10)})
                .ok());
  auto& log = *bench.log;
  const auto end = log.log_end_offset();
  CHECK(log.offset_for_timestamp(timestamp_from_ms(0), end).value()->offset == Offset{0});
  CHECK(log.offset_for_timestamp(timestamp_from_ms(1001), end).value()->offset == Offset{2});
  for (int i = 0; i < 40; ++i)
    CHECK(log.offset_for_timestamp(timestamp_from_ms(1000 + i * 10), end).value() ==
          TimestampedOffset{Offset{2 * i}, timestamp_from_ms(1000 + i * 10), LeaderEpoch{0}});
  CHECK_FALSE(log.offset_for_timestamp(timestamp_from_ms(1391), end).value());
  CHECK_FALSE(log.offset_for_timestamp(timestamp_from_ms(1390), Offset{78}).value());
  CHECK(log.offset_of_largest_timestamp(end).value()->offset == Offset{78});
  CHECK(log.segment_times().value().size() == log.segments().size());
  CHECK(log.segment_times().value().back().base == Offset{0});
}

TEST_CASE("a repeated batch of an idempotent producer is answered with its first offsets") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  protocol::BatchSpec spec;
  spec.producer_id = base::ProducerId{9};
  spec.producer_epoch = base::ProducerEpoch{0};
  spec.base_sequence = 0;
  REQUIRE(bench.append({.values = {"a", "b"}, .spec = spec})->base_offset == Offset{0});
  spec.base_sequence = 2;
  REQUIRE(bench.append({.values = {"c"}, .spec = spec})->base_offset == Offset{2});
  spec.base_sequence = 0;
  auto again = bench.append({.values = {"a", "b"}, .spec = spec});
  CHECK(again->duplicate);
  CHECK(again->base_offset == Offset{0});
  CHECK(again->last_offset == Offset{1});
  CHECK(bench.log->log_end_offset() == Offset{3});
  spec.base_sequence = 7;
  CHECK(bench.append({.values = {"z"}, .spec = spec}).error().code == ErrorCode::out_of_order_sequence_number);
  CHECK(bench.log->log_end_offset() == Offset{3});
}

TEST_CASE("an aborted transaction holds the last stable offset back and enters the transaction index") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  protocol::BatchSpec spec;
  spec.producer_id = base::ProducerId{9};
  spec.producer_epoch = base::ProducerEpoch{0};
  spec.base_sequence = 0;
  spec.transactional = true;
  REQUIRE(bench.append({.values = {"plain"}}).ok());
  REQUIRE(bench.append({.values = {"a", "b"}, .spec = spec}).ok());
  bench.log->set_high_watermark(Offset{3});
  CHECK(bench.log->last_stable_offset() == Offset{1});
  auto marker = protocol::build_txn_marker({.timestamp = timestamp_from_ms(5),
                                            .producer_id = base::ProducerId{9},
                                            .producer_epoch = base::ProducerEpoch{0},
                                            .marker = {.type = protocol::ControlType::abort, .coordinator_epoch = 0}});
  auto batch = protocol::Batch::parse(marker.bytes());
  REQUIRE(bench.log->append_as_leader(std::span(&**batch, 1), LeaderEpoch{0}, AppendOrigin::coordinator).ok());
  bench.log->set_high_watermark(Offset{4});
  CHECK(bench.log->last_stable_offset() == Offset{4});
  const std::vector<AbortedTxn> expected{{base::ProducerId{9}, Offset{1}, Offset{3}, Offset{4}}};
  CHECK(bench.log->aborted_transactions(Offset{0}, Offset{4}).value() == expected);
  CHECK(bench.log->aborted_transactions(Offset{4}, Offset{5}).value().empty());
  REQUIRE(bench.load({}).ok());
  CHECK(bench.log->aborted_transactions(Offset{0}, Offset{4}).value() == expected);
}

TEST_CASE("a follower takes what its leader wrote, cut entries aside, and refuses what it has") {
  LogBench leader, follower;
  REQUIRE(leader.create().ok());
  REQUIRE(follower.create().ok());
  append_many(leader, 6);
  const auto bytes = leader.files.contents(leader.directory + "/" + file_name(Offset{0}, FileKind::data));
  auto cut = base::as_bytes(bytes).first(bytes.size() - 1);
  auto info = follower.log->append_as_follower(cut);
  REQUIRE(info.ok());
  CHECK((*info)->last_offset == Offset{4});
  require_rising(*follower.log, 0, 5);
  CHECK(follower.log->append_as_follower(base::as_bytes(bytes)).error().code == ErrorCode::offset_out_of_range);
  CHECK_FALSE(follower.log->append_as_follower(base::as_bytes(bytes).first(20)).value());
  auto damaged = bytes;
  damaged[100] ^= 1;
  LogBench other;
  REQUIRE(other.create().ok());
  CHECK(other.log->append_as_follower(base::as_bytes(damaged)).error().code == ErrorCode::corrupt_message);
  CHECK(other.log->log_end_offset() == Offset{0});
}

TEST_CASE("truncation leaves exactly the records below the cut, at every offset") {
  for (std::int64_t to = 0; to <= 41; ++to) {
    LogBench bench;
    REQUIRE(bench.create().ok());
    append_many(bench, 20);
    REQUIRE(bench.append({.values = {"r20" + std::string(80, '.')}}, LeaderEpoch{3}).ok());
    append_many(bench, 0);
    for (int i = 21; i < 40; ++i)
      REQUIRE(bench.append({.values = {"r" + std::to_string(i) + std::string(80, '.')}}, LeaderEpoch{3}).ok());
    if (to % 2) bench.run_background();
    bench.log->set_high_watermark(Offset{40});
    REQUIRE(bench.log->truncate_to(Offset{to}).ok());
    bench.run_background();
    const auto end = std::min<std::int64_t>(to, 40);
    REQUIRE(bench.log->log_end_offset() == Offset{end});
    REQUIRE(bench.log->high_watermark() == Offset{end});
    REQUIRE(bench.log->recovery_point() <= Offset{end});
    require_rising(*bench.log, 0, end);
    const auto latest = bench.log->epochs().latest();
    REQUIRE((latest ? latest->epoch.raw : -1) == (end > 20 ? 3 : end > 0 ? 0 : -1));
    const auto snapshots = list_snapshots(bench.files, bench.directory);
    for (const auto at : snapshots.value()) REQUIRE(at <= Offset{end});
    append_many(bench, 10);
    require_rising(*bench.log, 0, end + 10);
    REQUIRE(bench.load({.recovery_point = bench.log->recovery_point()}).ok());
    require_rising(*bench.log, 0, end + 10);
  }
}

TEST_CASE("a log that starts over keeps nothing of what was") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  append_many(bench, 30);
  bench.run_background();
  REQUIRE(bench.log->truncate_fully_and_start_at(Offset{1000}).ok());
  CHECK(bench.log->log_start_offset() == Offset{1000});
  CHECK(bench.log->log_end_offset() == Offset{1000});
  CHECK(bench.log->epochs().entries().empty());
  CHECK(names_in(bench) ==
        std::vector<std::string>{file_name(Offset{1000}, FileKind::data), "leader-epoch-checkpoint"});
  append_many(bench, 3);
  require_rising(*bench.log, 1000, 1003);
}

TEST_CASE("a failed write retires the directory and is never tried again") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  append_many(bench, 3);
  bench.files.fail_at(1);
  CHECK(bench.append({.values = {"x"}}).error().code == ErrorCode::kafka_storage_error);
  REQUIRE(bench.retired.size() == 1);
  CHECK(bench.retired[0].find("Input/output error") != std::string::npos);
  const auto changes = bench.files.changes();
  CHECK(bench.append({.values = {"x"}}).error().code == ErrorCode::kafka_storage_error);
  CHECK(bench.log->read(Offset{0}, Offset{1}, {.max_bytes = 1}).error().code == ErrorCode::kafka_storage_error);
  CHECK(bench.files.changes() == changes);
  CHECK(bench.retired.size() == 1);
}

TEST_CASE("a slice stays readable after its segment is gone") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  append_many(bench, 20);
  auto slice = bench.log->read(Offset{0}, Offset{20}, {.max_bytes = 10'000}).value();
  REQUIRE(bench.log->truncate_fully_and_start_at(Offset{50}).ok());
  CHECK(records_in(slice.records).front().offset == Offset{0});
}

TEST_CASE("log start moves up to the high watermark only, and readers below it are turned away") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  append_many(bench, 20);
  bench.log->set_high_watermark(Offset{10});
  CHECK(bench.log->advance_log_start(Offset{11}).error().code == ErrorCode::offset_out_of_range);
  REQUIRE(bench.log->advance_log_start(Offset{5}).ok());
  CHECK(bench.log->earliest().offset == Offset{5});
  CHECK(bench.log->read(Offset{4}, Offset{10}, {.max_bytes = 1}).error().code == ErrorCode::offset_out_of_range);
  CHECK(bench.log->epochs().entries() == std::vector<EpochStart>{{LeaderEpoch{0}, Offset{5}}});
}

TEST_CASE("a topic id is written once and another one is refused") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  const auto id = base::Uuid::generate(bench.random);
  REQUIRE(bench.log->set_topic_id(id).ok());
  REQUIRE(bench.log->set_topic_id(id).ok());
  CHECK(bench.log->set_topic_id(base::Uuid::generate(bench.random)).error().code == ErrorCode::inconsistent_topic_id);
  REQUIRE(bench.load({}).ok());
  CHECK(bench.log->topic_id() == id);
}

TEST_CASE("a leader epoch is written down when leadership is taken, not by the first append") {
  LogBench bench;
  bench.settings.index.interval_bytes = 4096;
  REQUIRE(bench.create().ok());
  REQUIRE(bench.log->begin_leader_epoch(LeaderEpoch{5}).ok());
  CHECK(bench.log->latest_epoch() == LeaderEpoch{5});
  const auto before = bench.files.changes();
  REQUIRE(bench.append({.values = {"a"}}, LeaderEpoch{5}).ok());
  CHECK(bench.files.changes() - before == 1);
}
