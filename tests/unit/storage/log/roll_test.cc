// What a roll and an append leave to the background, stopped or late at every step; and how many files stay open.
#include <catch2/catch.hpp>

#include "storage/dirs/log_set.h"
#include "tests/support/storage/batches.h"

using namespace storage;
using namespace storage::testing;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;
using base::timestamp_from_ms;

namespace {

base::Result<AppendInfo> append_one(LogBench& bench) {
  const auto offset = bench.log->log_end_offset().raw;
  return bench.append(
      {.values = {"r" + std::to_string(offset) + std::string(60, '.')}, .timestamp = timestamp_from_ms(1000 + offset)});
}

void append_until_segments(LogBench& bench, std::size_t count) {
  while (bench.log->segments().size() < count) REQUIRE(append_one(bench).ok());
}

void require_all(LogBench& bench, std::int64_t from = 0) {
  auto& log = *bench.log;
  const auto end = log.log_end_offset();
  const auto seen = read_all(log, Offset{from});
  REQUIRE(seen.size() == static_cast<std::size_t>(end.raw - from));
  for (std::size_t i = 0; i < seen.size(); ++i) {
    REQUIRE(seen[i].offset.raw == from + static_cast<std::int64_t>(i));
    REQUIRE(seen[i].value.starts_with("r" + std::to_string(seen[i].offset.raw) + "."));
    REQUIRE(log.offset_for_timestamp(timestamp_from_ms(1000 + seen[i].offset.raw), end).value()->offset ==
            seen[i].offset);
  }
}

std::size_t files_named(LogBench& bench, std::string_view suffix) {
  const auto paths = bench.files.all_paths();
  return static_cast<std::size_t>(
      std::count_if(paths.begin(), paths.end(), [&](const std::string& path) { return path.ends_with(suffix); }));
}

}  // namespace

TEST_CASE("an append changes the data file only, and one that rolls makes the next one; the rest is for others") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  REQUIRE(append_one(bench).ok());
  for (int i = 0; i < 60; ++i) {
    const auto segments = bench.log->segments().size();
    const auto before = bench.files.changes();
    REQUIRE(append_one(bench).ok());
    REQUIRE(bench.files.changes() - before == (bench.log->segments().size() > segments ? 2 : 1));
  }
  REQUIRE(bench.log->segments().size() > 4);
  CHECK(files_named(bench, ".index") == 0);
  require_all(bench);  // from memory
  bench.run_background();
  CHECK(files_named(bench, ".index") >= bench.log->segments().size() - 1);
  CHECK(files_named(bench, ".timeindex") == files_named(bench, ".index"));
  for (std::size_t i = 0; i + 1 < bench.log->segments().size(); ++i)
    CHECK(bench.log->segments().at(i).indexes_plausible().value());
  require_all(bench);
  const auto end = bench.log->log_end_offset();
  REQUIRE(bench.log->close().ok());
  REQUIRE(bench.load({.clean_stop = true, .recovery_point = end}).ok());
  require_all(bench);
}

TEST_CASE("whatever step behind a roll a stop or an error comes at, no acknowledged record is lost") {
  enum class How { killed, power_lost, failed };
  const auto how = GENERATE(How::killed, How::power_lost, How::failed);
  const bool preallocate = GENERATE(false, true);
  for (std::size_t n = 1;; ++n) {
    INFO("step " << n);
    LogBench bench;
    bench.settings.preallocate = preallocate;
    REQUIRE(bench.create().ok());
    REQUIRE(append_one(bench).ok());
    how == How::failed ? bench.files.fail_at(n) : bench.files.stop_at(n, n % 50);
    Offset acknowledged{1};
    bool went_well = true;
    for (int i = 0; went_well && i < 40; ++i) {
      const auto appended = append_one(bench);
      went_well = appended.ok();
      if (went_well) acknowledged = appended->last_offset + 1;
      if (i % 5 == 4) bench.run_background();
    }
    bench.run_background();
    went_well = went_well && bench.retired.empty() && !bench.files.stopped();
    const auto recovery_point = bench.log->marks()->recovery_point.whole();
    REQUIRE(recovery_point <= acknowledged);
    bench.files.restart(how == How::power_lost ? FaultyFiles::AfterStop::lost_unsynced
                                               : FaultyFiles::AfterStop::kept_cache);
    const auto loaded = bench.load({.recovery_point = recovery_point});
    INFO((loaded ? std::string() : loaded.error().detail));
    REQUIRE(loaded.ok());
    REQUIRE(bench.log->log_end_offset() >= (how == How::power_lost ? recovery_point : acknowledged));
    require_all(bench);
    REQUIRE(append_one(bench).ok());
    if (went_well) break;
  }
}

TEST_CASE("a log is cut, shortened, flushed and closed all the same while work on its files waits") {
  const bool late = GENERATE(false, true);
  LogBench bench;
  REQUIRE(bench.create().ok());
  append_until_segments(bench, 6);
  auto& log = *bench.log;
  log.set_high_watermark(log.log_end_offset());
  const auto settle = [&] {
    if (!late) bench.run_background();
  };
  SECTION("cut inside a segment that has rolled") {
    settle();
    REQUIRE(log.truncate_to(Offset{log.segments().at(3).base_offset().raw + 2}).ok());
    CHECK(log.segments().size() == 4);
  }
  SECTION("its front deleted") {
    settle();
    REQUIRE(log.delete_leading_segments(3).ok());
  }
  SECTION("flushed by another thread first") {
    settle();
    REQUIRE(log.prepare_flush().value().run().ok());
    CHECK(log.recovery_point() == log.log_end_offset());
    CHECK(log.marks()->recovery_point.whole() == log.log_end_offset());
  }
  SECTION("closed") {
    settle();
    REQUIRE(log.close().ok());
  }
  const auto start = log.log_start_offset().raw;
  const auto end = log.log_end_offset();
  bench.run_background();
  for (const auto& path : bench.files.all_paths()) {
    INFO(path);
    if (path.ends_with("index")) CHECK(bench.files.exists(path.substr(0, path.rfind('.')) + ".log").value());
  }
  if (bench.log->health().online() && append_one(bench).ok()) append_until_segments(bench, log.segments().size() + 2);
  bench.run_background();
  const auto later_end = bench.log->log_end_offset();
  REQUIRE(later_end >= end);
  REQUIRE(bench.load({.recovery_point = bench.log->marks()->recovery_point.whole(), .log_start = Offset{start}}).ok());
  CHECK(bench.log->log_end_offset() == later_end);
  require_all(bench, start);
}

TEST_CASE("an index that gets no file keeps its entries in memory, up to a bound") {
  LogBench bench;
  bench.settings.segment_bytes = 1 << 30;
  bench.settings.index = {.max_bytes = 1 << 20, .interval_bytes = 1};
  REQUIRE(bench.create().ok());
  const auto index = bench.directory + "/" + file_name(Offset{0}, FileKind::offset_index);
  for (std::size_t i = 0; i < 16 * EntryFile::kTailEntries; ++i) REQUIRE(append_one(bench).ok());
  CHECK_FALSE(bench.files.exists(index).value());
  for (int i = 0; i < 10; ++i) REQUIRE(append_one(bench).ok());
  CHECK(bench.files.contents(index).size() == 1 << 20);  // the append could not wait longer
  for (std::int64_t at = 0; at < bench.log->log_end_offset().raw; at += 173)
    REQUIRE(bench.log->read(Offset{at}, bench.log->log_end_offset(), {.max_bytes = 1}).value().first_offset ==
            Offset{at});
  bench.run_background();
  REQUIRE(bench.log->roll().ok());
  bench.run_background();
  CHECK(bench.files.contents(index).size() == (16 * EntryFile::kTailEntries + 9) * OffsetIndex::kEntryBytes);
  bench.log->close_idle_files();
  for (std::int64_t at = 0; at < bench.log->log_end_offset().raw; at += 173)
    REQUIRE(bench.log->read(Offset{at}, bench.log->log_end_offset(), {.max_bytes = 1}).value().first_offset ==
            Offset{at});
}

TEST_CASE("work for the files of a log that is gone is not done to a new one of its name") {
  LogBench bench;
  LogDirs dirs(bench.files, bench.clock, {"/logs"}, nullptr);
  LogSet logs(bench.services(), dirs, {}, [](const std::string&) { return LogSettings{}; });
  REQUIRE((dirs.open().ok() && dirs.claim({base::BrokerId{0}, "c"}).ok() && logs.load().ok()));
  for (int round = 0; round < 2; ++round) {
    bench.log = logs.create({"t", 0}, std::nullopt, bench.settings).value();
    append_until_segments(bench, 4);
    if (round == 1) break;
    REQUIRE(logs.remove(std::move(bench.log)).ok());
  }
  for (const auto& path : bench.files.all_paths())
    if (path.starts_with("/logs/t-0/")) CHECK_FALSE(path.ends_with("index"));
  require_all(bench);
  bench.run_background();
  require_all(bench);
  CHECK(dirs.online().size() == 1);
  bench.log.reset();
}

TEST_CASE("segments that nobody writes to do not keep their files open for ever") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  const auto settled = [&] {
    bench.run_background();
    return bench.files.open_files();
  };
  while (bench.log->segments().size() < 100) {
    REQUIRE(append_one(bench).ok());
    REQUIRE(settled() < 40);
  }
  require_all(bench);
  CHECK(bench.files.open_files() < 40);
  const auto slice = bench.log->read(Offset{0}, Offset{1}, {.max_bytes = 1}).value();
  bench.log->close_idle_files();
  CHECK(bench.files.open_files() <= 4);  // the active one, and the slice
  CHECK(records_in(slice.records).size() == 1);

  OpenSegments all(3);
  auto services = bench.services();
  services.open_segments = &all;
  std::vector<std::unique_ptr<Log>> logs;
  for (int i = 0; i < 5; ++i) {
    const auto directory = "/data/many-" + std::to_string(i);
    bench.log = create_log(services, {.partition = {"many", i},
                                      .directory = directory,
                                      .health = bench.health,
                                      .settings = bench.settings,
                                      .topic_id = std::nullopt})
                    .value();
    append_until_segments(bench, 10);
    bench.run_background();
    require_all(bench);
    CHECK(all.count() <= 4);
    logs.push_back(std::move(bench.log));
  }
  logs.clear();
  CHECK(all.count() == 0);
}

TEST_CASE("without a descriptor to spare a roll is refused, and neither a record nor a directory is lost") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  append_until_segments(bench, 3);
  bench.files.run_out_of_descriptors(true);
  auto appended = append_one(bench);
  while (appended.ok()) appended = append_one(bench);
  CHECK(appended.error().code == ErrorCode::kafka_storage_error);
  CHECK(bench.log->segments().size() == 3);
  bench.run_background();
  (void)bench.log->apply_retention(timestamp_from_ms(0), 16);
  CHECK(bench.retired.empty());
  bench.files.run_out_of_descriptors(false);
  append_until_segments(bench, 6);
  bench.run_background();
  require_all(bench);
  CHECK(bench.log->recovery_point() == bench.log->segments().active().base_offset());
  REQUIRE(bench.log->close().ok());
  const auto end = bench.log->log_end_offset();
  REQUIRE(bench.load({.clean_stop = true, .recovery_point = end}).ok());
  require_all(bench);
  CHECK(bench.retired.empty());
}
