#include "storage/log/retention.h"

#include <catch2/catch.hpp>

#include <vector>

#include "tests/support/storage/batches.h"

using namespace storage;
using namespace storage::testing;
using base::Offset;
using base::timestamp_from_ms;
using std::chrono::milliseconds;

namespace {

// Segments of ten offsets each, the oldest first.
struct Log10 {
  struct One {
    std::uint64_t bytes = 100;
    std::int64_t youngest_ms = 0;
  };
  std::vector<One> segments;
  std::int64_t high_watermark = -1;  // -1: the log end
  std::int64_t log_start = 0;
  mutable std::size_t times_asked = 0;

  Deletable ask(const RetentionRules& rules, std::int64_t now_ms = 1000) const {
    const auto end = static_cast<std::int64_t>(segments.size()) * 10;
    return find_deletable(
               rules,
               {.segments = segments.size(),
                .segment =
                    [&](std::size_t i) {
                      return RetentionSegment{Offset{static_cast<std::int64_t>(i + 1) * 10}, segments[i].bytes};
                    },
                .youngest = [&](std::size_t i) -> base::Result<base::Timestamp> {
                  ++times_asked;
                  return timestamp_from_ms(segments[i].youngest_ms);
                },
                .size_bytes =
                    [&] {
                      std::uint64_t total = 0;
                      for (const auto& one : segments) total += one.bytes;
                      return total;
                    },
                .log_start = Offset{log_start},
                .high_watermark = Offset{high_watermark < 0 ? end : high_watermark}},
               timestamp_from_ms(now_ms))
        .value();
  }
};

RetentionRules older_than(int ms) { return {.max_age = milliseconds(ms)}; }
RetentionRules larger_than(std::uint64_t bytes) { return {.max_bytes = bytes}; }

void append_at(LogBench& bench, std::int64_t timestamp_ms) {
  REQUIRE(
      bench.append({.values = {std::string(80, '.')}, .timestamp = timestamp_from_ms(timestamp_ms), .spec = {}}).ok());
  bench.log->set_high_watermark(bench.log->log_end_offset());
}

}  // namespace

TEST_CASE("segments whose youngest record is older than the limit go, up to the first that is not") {
  const Log10 log{.segments = {{.youngest_ms = 100}, {.youngest_ms = 899}, {.youngest_ms = 900}, {.youngest_ms = 1}}};
  CHECK(log.ask(older_than(100)).segments == 2);
  CHECK(log.ask(older_than(100)).why == RetentionReason::time);
  CHECK(log.ask(older_than(101)).segments == 1);
  CHECK(log.ask(older_than(899)).segments == 1);
  CHECK(log.ask(older_than(900)).segments == 0);  // exactly as old as the limit stays
  CHECK(log.ask(older_than(0), 899).segments == 1);
  CHECK(log.ask({}).segments == 0);
}

TEST_CASE("the time rule asks for no more times than it needs") {
  const Log10 log{.segments = std::vector<Log10::One>(1000, {.youngest_ms = 1000})};
  log.ask(older_than(100));
  CHECK(log.times_asked == 1);
  log.ask({});
  CHECK(log.times_asked == 1);
}

TEST_CASE("all segments may expire, but an empty last one stays") {
  Log10 log{.segments = {{}, {}, {}}};
  CHECK(log.ask(older_than(5)).segments == 3);
  log.segments.back().bytes = 0;
  CHECK(log.ask(older_than(5)).segments == 2);
  log.segments[1].bytes = 0;  // emptied by compaction, not the last: it goes
  CHECK(log.ask(older_than(5)).segments == 2);
  CHECK(Log10{.segments = {{.bytes = 0}}}.ask(older_than(5)).segments == 0);
}

TEST_CASE("a log may stay up to one segment above its size") {
  const Log10 log{.segments = {{.bytes = 100}, {.bytes = 200}, {.bytes = 50}, {.bytes = 10}}};
  CHECK(log.ask(larger_than(360)).segments == 0);
  CHECK(log.ask(larger_than(261)).segments == 0);
  CHECK(log.ask(larger_than(260)).segments == 1);
  CHECK(log.ask(larger_than(260)).why == RetentionReason::size);
  CHECK(log.ask(larger_than(61)).segments == 1);
  CHECK(log.ask(larger_than(60)).segments == 2);
  CHECK(log.ask(larger_than(10)).segments == 3);
  CHECK(log.ask(larger_than(0)).segments == 4);
}

TEST_CASE("segments below the log start go whatever the policy, never the last one") {
  Log10 log{.segments = {{}, {}, {}}, .log_start = 20};
  CHECK(log.ask({.deletes = false, .max_age = milliseconds(1), .max_bytes = 0}).segments == 2);
  CHECK(log.ask({.deletes = false}).why == RetentionReason::log_start);
  log.log_start = 19;
  CHECK(log.ask({}).segments == 1);
  log.log_start = 30;
  CHECK(log.ask({}).segments == 2);
}

TEST_CASE("nothing goes that is not below the high watermark, whatever the reason") {
  for (std::int64_t high_watermark = 0; high_watermark <= 30; ++high_watermark) {
    const Log10 log{.segments = {{}, {}, {}}, .high_watermark = high_watermark, .log_start = high_watermark};
    const auto whole = static_cast<std::size_t>(high_watermark / 10);
    CHECK(log.ask(older_than(5)).segments == whole);
    CHECK(log.ask(larger_than(0)).segments == whole);
    CHECK(log.ask({}).segments == std::min<std::size_t>(whole, 2));
  }
}

TEST_CASE("a log whose records have all expired rolls and starts empty at its end") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  for (int i = 0; i < 20; ++i) append_at(bench, 1000 + i);
  auto settings = bench.log->settings();
  settings.retention.max_age = milliseconds(500);
  bench.log->set_settings(settings);
  auto& log = *bench.log;
  CHECK_FALSE(log.apply_retention(timestamp_from_ms(1500), 16).value());
  const auto segments = log.segments().size();
  std::size_t gone = 0;
  while (const auto deleted = log.apply_retention(timestamp_from_ms(9000), 2).value()) {
    CHECK(deleted->why == RetentionReason::time);
    CHECK(deleted->segments <= 2);
    CHECK(deleted->size_bytes > 0);
    gone += deleted->segments;
  }
  CHECK(gone == segments);
  CHECK(log.segments().size() == 1);
  CHECK(log.log_start_offset() == Offset{20});
  CHECK(log.log_end_offset() == Offset{20});
  CHECK(log.segments().active().base_offset() == Offset{20});
  append_at(bench, 9000);
  CHECK(read_all(log, Offset{20}).size() == 1);
  CHECK_FALSE(log.apply_retention(timestamp_from_ms(9000), 16).value());
}

TEST_CASE("segments that were not written since the start are judged by their time index, and no file stays open") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  for (int i = 0; i < 20; ++i) append_at(bench, 1000 + i);
  REQUIRE(bench.log->close().ok());
  bench.settings.retention.max_age = milliseconds(500);
  REQUIRE(bench.load({.clean_stop = true, .recovery_point = Offset{20}, .high_watermark = Offset{20}}).ok());
  auto& log = *bench.log;
  const auto second = log.segments().at(1).base_offset();
  const auto expired = timestamp_from_ms(1000 + second.raw - 1 + 501);  // the youngest record of the first segment
  // Damaged data would show: nothing but the index is looked at.
  const auto first_file = bench.directory + "/" + file_name(Offset{0}, FileKind::data);
  bench.files.put(first_file, std::string(bench.files.contents(first_file).size(), '?'));
  CHECK_FALSE(log.apply_retention(expired - milliseconds(1), 16).value());
  const auto deleted = log.apply_retention(expired, 16).value();
  REQUIRE(deleted);
  CHECK(deleted->segments == 1);
  CHECK(log.log_start_offset() == second);
}

TEST_CASE("records without timestamps are as old as their file") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  for (int i = 0; i < 20; ++i) append_at(bench, -1);
  auto& log = *bench.log;
  for (std::size_t i = 0; i < log.segments().size(); ++i)
    REQUIRE(bench.files
                .set_modified(bench.directory + "/" + file_name(log.segments().at(i).base_offset(), FileKind::data),
                              timestamp_from_ms(1000 * static_cast<std::int64_t>(i + 1)))
                .ok());
  auto settings = log.settings();
  settings.retention.max_age = milliseconds(100);
  log.set_settings(settings);
  const auto second = log.segments().at(1).base_offset();
  CHECK_FALSE(log.apply_retention(timestamp_from_ms(1100), 16).value());
  CHECK(log.apply_retention(timestamp_from_ms(1101), 16).value()->segments == 1);
  CHECK(log.log_start_offset() == second);
}

TEST_CASE("retention stopped at any step loses nothing it should keep, and goes on after the next start") {
  for (std::size_t stop = 1;; ++stop) {
    LogBench bench;
    REQUIRE(bench.create().ok());
    for (int i = 0; i < 20; ++i) append_at(bench, 1000 + i);
    bench.run_background();
    const auto recovery_point = bench.log->recovery_point();
    bench.settings.retention.max_age = milliseconds(500);
    bench.log->set_settings(bench.settings);
    bench.files.stop_at(stop);
    (void)bench.log->apply_retention(timestamp_from_ms(9000), 100);  // all of it, with a roll
    bench.run_background();
    const bool stopped = bench.files.stopped();
    bench.files.restart(FaultyFiles::AfterStop::kept_cache);
    REQUIRE(bench.load({.recovery_point = recovery_point, .high_watermark = Offset{20}}).ok());
    auto& log = *bench.log;
    CHECK(log.log_end_offset() == Offset{20});
    CHECK(read_all(log, log.log_start_offset()).size() == static_cast<std::size_t>(20 - log.log_start_offset().raw));
    while (log.apply_retention(timestamp_from_ms(9000), 100).value()) continue;
    CHECK(log.log_start_offset() == Offset{20});
    CHECK(log.segments().size() == 1);
    if (!stopped) break;
  }
}
