#include "storage/clean/plan.h"

#include <algorithm>
#include <limits>

#include "config/topic_settings.h"

namespace storage {
namespace {

constexpr std::int64_t kMaxSpan = std::numeric_limits<std::int32_t>::max();

// The place of the segment that holds `offset`; the first when all begin above.
std::size_t holder_of(const LogOutline& log, Offset offset) {
  const auto above = std::upper_bound(log.segments.begin(), log.segments.end(), offset,
                                      [](Offset o, const SegmentSize& segment) { return o < segment.base; });
  return above == log.segments.begin() ? 0 : static_cast<std::size_t>(above - log.segments.begin()) - 1;
}

// The place of the first segment that is uncleanable whatever its age.
std::size_t first_unstable(const LogOutline& log) {
  return std::min(log.segments.size() - 1, holder_of(log, log.last_stable));
}

// Data that an index of the largest size can still describe: it gets an entry each time more than the interval has
// been written since the last. The time index has the longer entries and keeps a slot free.
std::uint64_t indexable_bytes(const IndexSettings& index) {
  if (index.interval_bytes == 0) return std::numeric_limits<std::uint64_t>::max();
  const auto entries = index.max_bytes / TimeIndex::kEntryBytes;
  return std::uint64_t{entries > 1 ? entries - 1 : 1} * index.interval_bytes;
}

}  // namespace

CleanSettings CleanSettings::from(const config::TopicSettings& topic) {
  using std::chrono::milliseconds;
  return {.min_dirty_ratio = topic.min_cleanable_dirty_ratio,
          .min_lag = milliseconds{topic.min_compaction_lag_ms},
          .max_lag = milliseconds{topic.max_compaction_lag_ms},
          .delete_retention = milliseconds{topic.delete_retention_ms},
          .segment_bytes = static_cast<std::uint64_t>(topic.segment_bytes),
          .index = {.max_bytes = static_cast<std::size_t>(topic.segment_index_bytes),
                    .interval_bytes = static_cast<std::size_t>(topic.index_interval_bytes)}};
}

double DirtyRange::ratio() const {
  const auto total = clean_bytes + dirty_bytes;
  return total == 0 ? 0 : static_cast<double>(dirty_bytes) / static_cast<double>(total);
}

Offset first_dirty_offset(const LogOutline& log) {
  if (log.cleaned_to < log.log_start || log.cleaned_to > log.log_end) return log.log_start;
  return log.cleaned_to;
}

std::vector<Offset> dirty_segments(const LogOutline& log) {
  std::vector<Offset> bases;
  const auto end = first_unstable(log);
  for (auto i = holder_of(log, first_dirty_offset(log)); i < end; ++i) bases.push_back(log.segments[i].base);
  return bases;
}

DirtyRange dirty_range(const LogOutline& log, std::optional<Offset> too_young) {
  DirtyRange range{.from = first_dirty_offset(log), .to = {}, .beyond_end = log.cleaned_to > log.log_end};
  auto end = first_unstable(log);
  if (too_young) end = std::min(end, holder_of(log, *too_young));
  range.to = log.segments[end].base;
  const auto first_dirty = holder_of(log, range.from);
  for (std::size_t i = 0; i < end; ++i)
    (i < first_dirty ? range.clean_bytes : range.dirty_bytes) += log.segments[i].size_bytes;
  return range;
}

bool is_due(const DirtyRange& range, const CleanSettings& settings, std::optional<Timestamp> oldest_dirty,
            Timestamp now) {
  if (range.empty()) return false;
  if (range.ratio() > settings.min_dirty_ratio) return true;
  if (settings.max_lag == CleanSettings::kNoMaxLag || !oldest_dirty) return false;
  // The age is compared, not the moment it is reached: that may lie beyond what a clock can say.
  return *oldest_dirty < now && now - *oldest_dirty > settings.max_lag;
}

std::uint64_t SegmentGroup::size_bytes() const {
  std::uint64_t total = 0;
  for (const auto& segment : segments) total += segment.size_bytes;
  return total;
}

std::vector<SegmentGroup> group_segments(const LogOutline& log, Offset to, const CleanSettings& settings) {
  const auto limit = std::min(settings.segment_bytes, indexable_bytes(settings.index));
  std::vector<SegmentGroup> groups;
  std::uint64_t size = 0;
  for (std::size_t i = 0; i + 1 < log.segments.size() && log.segments[i].base < to; ++i) {
    const auto& segment = log.segments[i];
    const auto end = log.segments[i + 1].base;
    const bool joins = !groups.empty() && size + segment.size_bytes <= limit &&
                       (segment.size_bytes == 0 || end - groups.back().base() <= kMaxSpan);
    if (!joins) {
      groups.emplace_back();
      size = 0;
    }
    groups.back().segments.push_back(segment);
    size += segment.size_bytes;
  }
  return groups;
}

}  // namespace storage
