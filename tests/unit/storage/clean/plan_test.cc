#include "storage/clean/plan.h"

#include <catch2/catch.hpp>

#include "config/topic_settings.h"

using namespace storage;
using base::Offset;
using base::timestamp_from_ms;
using std::chrono::milliseconds;

namespace {

// Segments of 100 offsets and as many bytes; the last is the active one.
LogOutline log_of(int segments) {
  LogOutline log;
  for (int i = 0; i < segments; ++i) log.segments.push_back({Offset{i * 100}, 100});
  log.log_end = log.last_stable = Offset{(segments - 1) * 100 + 50};
  return log;
}

std::vector<std::vector<std::int64_t>> bases_of(const std::vector<SegmentGroup>& groups) {
  std::vector<std::vector<std::int64_t>> bases;
  for (const auto& group : groups) {
    bases.emplace_back();
    for (const auto& segment : group.segments) bases.back().push_back(segment.base.raw);
  }
  return bases;
}

}  // namespace

TEST_CASE("a log never cleaned is dirty from its start up to the active segment") {
  const auto range = dirty_range(log_of(4), std::nullopt);
  CHECK(range.from == Offset{0});
  CHECK(range.to == Offset{300});
  CHECK(range.clean_bytes == 0);
  CHECK(range.dirty_bytes == 300);
  CHECK(range.ratio() == 1);
}

TEST_CASE("what a cleaning reached is clean, and a segment it reached into is dirty") {
  auto log = log_of(5);
  log.cleaned_to = Offset{200};
  auto range = dirty_range(log, std::nullopt);
  CHECK(range.clean_bytes == 200);
  CHECK(range.dirty_bytes == 200);
  CHECK(range.ratio() == Approx(0.5));
  log.cleaned_to = Offset{250};
  range = dirty_range(log, std::nullopt);
  CHECK(range.from == Offset{250});
  CHECK(range.clean_bytes == 200);
  CHECK(range.dirty_bytes == 200);
  log.cleaned_to = Offset{400};
  CHECK(dirty_range(log, std::nullopt).empty());
  CHECK(dirty_range(log, std::nullopt).ratio() == 0);
}

TEST_CASE("a checkpoint outside the log is not believed") {
  auto log = log_of(4);
  log.cleaned_to = Offset{351};
  CHECK(first_dirty_offset(log) == Offset{0});
  CHECK(dirty_range(log, std::nullopt).beyond_end);
  log.cleaned_to = Offset{350};
  CHECK(first_dirty_offset(log) == Offset{350});
  log.log_start = Offset{120};
  log.cleaned_to = Offset{110};
  CHECK(first_dirty_offset(log) == Offset{120});
  CHECK_FALSE(dirty_range(log, std::nullopt).beyond_end);
}

TEST_CASE("the segment that holds the last stable offset and all above it are left alone") {
  auto log = log_of(5);
  log.last_stable = Offset{200};
  CHECK(dirty_range(log, std::nullopt).to == Offset{200});
  log.last_stable = Offset{299};
  CHECK(dirty_range(log, std::nullopt).to == Offset{200});
  CHECK(dirty_segments(log) == std::vector<Offset>{Offset{0}, Offset{100}});
  log.last_stable = Offset{50};
  CHECK(dirty_range(log, std::nullopt).empty());
  CHECK(dirty_segments(log).empty());
}

TEST_CASE("segments younger than the shortest lag wait") {
  const auto log = log_of(5);
  CHECK(dirty_range(log, Offset{300}).to == Offset{300});
  CHECK(dirty_range(log, Offset{100}).to == Offset{100});
  CHECK(dirty_range(log, Offset{0}).empty());
}

TEST_CASE("a log with one segment has nothing to clean") {
  const auto log = log_of(1);
  CHECK(dirty_range(log, std::nullopt).empty());
  CHECK(dirty_segments(log).empty());
  CHECK(group_segments(log, Offset{0}, {}).empty());
}

TEST_CASE("a log is due above the dirty ratio, or when its oldest dirty record has waited too long") {
  const DirtyRange half{.from = {}, .to = {}, .clean_bytes = 100, .dirty_bytes = 100};
  const DirtyRange more{.from = {}, .to = {}, .clean_bytes = 100, .dirty_bytes = 101};
  const auto now = timestamp_from_ms(1'000'000);
  CleanSettings settings;
  CHECK_FALSE(is_due(half, settings, timestamp_from_ms(0), now));
  CHECK(is_due(more, settings, std::nullopt, now));
  settings.max_lag = milliseconds{1000};
  CHECK_FALSE(is_due(half, settings, std::nullopt, now));
  CHECK_FALSE(is_due(half, settings, timestamp_from_ms(999'000), now));
  CHECK(is_due(half, settings, timestamp_from_ms(998'999), now));
  CHECK_FALSE(is_due(half, settings, timestamp_from_ms(2'000'000), now));
  CHECK_FALSE(is_due({.from = {}, .to = {}, .clean_bytes = 100}, settings, timestamp_from_ms(0), now));
  settings.min_dirty_ratio = 0;
  CHECK(is_due(half, settings, std::nullopt, now));
  CHECK_FALSE(is_due({.from = {}, .to = {}, .clean_bytes = 100}, settings, std::nullopt, now));
}

TEST_CASE("neighbours become one segment while they fit") {
  const auto log = log_of(8);
  CHECK(bases_of(group_segments(log, Offset{700}, {.segment_bytes = 300})) ==
        std::vector<std::vector<std::int64_t>>{{0, 100, 200}, {300, 400, 500}, {600}});
  CHECK(bases_of(group_segments(log, Offset{700}, {.segment_bytes = 99})).size() == 7);
  CHECK(bases_of(group_segments(log, Offset{201}, {.segment_bytes = 1000})) ==
        std::vector<std::vector<std::int64_t>>{{0, 100, 200}});
  CHECK(bases_of(group_segments(log, Offset{10'000}, {.segment_bytes = 1000})).front().size() == 7);
}

TEST_CASE("a group holds no more than an index of the largest size can describe") {
  const auto log = log_of(8);
  // Three time index entries, one kept free: two intervals of 100 bytes.
  const CleanSettings settings{.index = {.max_bytes = 36, .interval_bytes = 100}};
  CHECK(bases_of(group_segments(log, Offset{700}, settings)).front() == std::vector<std::int64_t>{0, 100});
  const CleanSettings every_batch{.index = {.max_bytes = 36, .interval_bytes = 0}};
  CHECK(bases_of(group_segments(log, Offset{700}, every_batch)).front().size() == 7);
}

TEST_CASE("offsets of a group fit 31 bits above its base, but empty segments always join") {
  constexpr std::int64_t far = std::int64_t{1} << 31;
  LogOutline log;
  log.segments = {
      {Offset{0}, 10}, {Offset{far - 2}, 10}, {Offset{far - 1}, 10}, {Offset{far + 5}, 10}, {Offset{far + 9}, 1}};
  CHECK(bases_of(group_segments(log, Offset{far + 9}, {})) ==
        std::vector<std::vector<std::int64_t>>{{0, far - 2}, {far - 1, far + 5}});
  for (auto& segment : log.segments) segment.size_bytes = 0;
  CHECK(bases_of(group_segments(log, Offset{far + 9}, {})).size() == 1);
}

TEST_CASE("a topic says how it is to be cleaned") {
  const auto settings =
      CleanSettings::from(config::TopicSettings::with(config::BrokerSettings(), {{"min.cleanable.dirty.ratio", "0.25"},
                                                                                 {"min.compaction.lag.ms", "5"},
                                                                                 {"max.compaction.lag.ms", "7"},
                                                                                 {"delete.retention.ms", "9"},
                                                                                 {"segment.bytes", "1000"},
                                                                                 {"segment.index.bytes", "800"},
                                                                                 {"index.interval.bytes", "11"}}));
  CHECK(settings.min_dirty_ratio == 0.25);
  CHECK(settings.min_lag == milliseconds{5});
  CHECK(settings.max_lag == milliseconds{7});
  CHECK(settings.delete_retention == milliseconds{9});
  CHECK(settings.segment_bytes == 1000);
  CHECK(settings.index.max_bytes == 800);
  CHECK(settings.index.interval_bytes == 11);
  CHECK(CleanSettings::from(config::TopicSettings()).max_lag == CleanSettings::kNoMaxLag);
}
