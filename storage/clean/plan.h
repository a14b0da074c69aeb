// Which log is cleaned next, which range of it, and how its segments are grouped.
//
//   clean part            dirty part                       not to be touched
//   [first segment … first dirty offset … first uncleanable segment … log end)
//
// In the clean part every key stands once. A cleaning reads the dirty part, learns the newest offset of each key, and
// then rewrites everything below the first uncleanable segment. That one is the active segment, the one that holds the
// last stable offset (what a transaction still open will become is not known), or the first that is younger than
// min.compaction.lag.ms.
//
// Everything here is pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"
#include "storage/segment/segment.h"

namespace config {
struct TopicSettings;
}

namespace storage {

// What a topic says about its cleaning.
struct CleanSettings {
  double min_dirty_ratio = 0.5;                            // min.cleanable.dirty.ratio
  std::chrono::milliseconds min_lag{0};                    // min.compaction.lag.ms
  std::chrono::milliseconds max_lag = kNoMaxLag;           // max.compaction.lag.ms
  std::chrono::milliseconds delete_retention{86'400'000};  // delete.retention.ms
  std::uint64_t segment_bytes = std::uint64_t{1} << 30;    // segment.bytes
  IndexSettings index{};                                   // segment.index.bytes, index.interval.bytes

  static constexpr std::chrono::milliseconds kNoMaxLag = std::chrono::milliseconds::max();
  static CleanSettings from(const config::TopicSettings& topic);
};

struct SegmentSize {
  Offset base;
  std::uint64_t size_bytes = 0;

  bool operator==(const SegmentSize&) const = default;
};

// A log as a look under its lock shows it.
struct LogOutline {
  Offset log_start;
  Offset last_stable;
  Offset log_end;
  Offset cleaned_to = base::kNoOffset;  // what the last cleaning reached; -1: never cleaned
  std::vector<SegmentSize> segments;    // by base offset; the last is the active one
};

struct DirtyRange {
  Offset from;  // the first dirty offset; may lie inside a segment
  Offset to;    // base of the first uncleanable segment
  std::uint64_t clean_bytes = 0;
  std::uint64_t dirty_bytes = 0;
  bool beyond_end = false;  // the checkpoint lay above the log end and was not believed

  bool empty() const { return dirty_bytes == 0; }
  double ratio() const;
};

// The first dirty offset: where the last cleaning ended, unless the log was cut or has lost its front since.
Offset first_dirty_offset(const LogOutline& log);

// The base offsets of the segments that hold dirty offsets and might be cleaned, by rising offset.
std::vector<Offset> dirty_segments(const LogOutline& log);

// `too_young` is the base of the first of dirty_segments() whose largest timestamp is within min.compaction.lag.ms.
DirtyRange dirty_range(const LogOutline& log, std::optional<Offset> too_young);

// Whether the range should be cleaned now: it is dirty enough, or its oldest record has waited too long.
// `oldest_dirty`: the first batch's timestamp of the oldest dirty segment that has one.
bool is_due(const DirtyRange& range, const CleanSettings& settings, std::optional<Timestamp> oldest_dirty,
            Timestamp now);

// Segments that become one, side by side: together within segment.bytes, indexable within segment.index.bytes, and with
// offsets that fit 31 bits above the base. Every segment that begins below `to` is in one group.
struct SegmentGroup {
  std::vector<SegmentSize> segments;

  Offset base() const { return segments.front().base; }
  std::uint64_t size_bytes() const;
  bool operator==(const SegmentGroup&) const = default;
};
std::vector<SegmentGroup> group_segments(const LogOutline& log, Offset to, const CleanSettings& settings);

}  // namespace storage
