// The part of log.h that makes a log shorter at its front: log start, retention, segments given up.
#include <algorithm>

#include "base/check.h"
#include "storage/log/log.h"
#include "storage/log/producer_replay.h"

namespace storage {

using base::ErrorCode;
using base::fail;
using base::invariant;

Status Log::advance_log_start(Offset to) {
  if (auto s = check_usable(); !s) return s;
  if (to > high_watermark())
    return fail(ErrorCode::offset_out_of_range, "{} is above the high watermark {} of {}", to, high_watermark(),
                parts_.partition);
  if (to <= log_start_offset()) return {};
  set_log_start(to);
  // What nobody may read any more needs no syncing either.
  marks_->recovery_point.raise(to, marks_->recovery_point.ticket());
  parts_.epochs.forget_below(to);
  return {};
}

Result<PutOffRemoval> Log::mark_deleted(SegmentRange range) {
  invariant(range.first + range.count < parts_.segments.size(), "the active segment stays");
  PutOffRemoval removal{.paths = {}, .directory = parts_.health, .after = parts_.settings.file_delete_delay};
  for (std::size_t i = 0; i < range.count; ++i) {
    auto renamed = insist(parts_.segments.at(range.first + i).mark_deleted());
    if (!renamed) return renamed.error();
    removal.paths.insert(removal.paths.end(), std::make_move_iterator(renamed->begin()),
                         std::make_move_iterator(renamed->end()));
  }
  return removal;
}

Status Log::give_up_segments(SegmentRange range) {
  if (auto s = check_usable(); !s) return s;
  auto removal = mark_deleted(range);
  if (!removal) return removal.error();
  parts_.segments.remove(range);
  segments_changed();
  remove_later(std::move(*removal));
  return {};
}

Status Log::delete_leading_segments(std::size_t count) {
  if (count == 0) return {};
  if (auto s = check_usable(); !s) return s;
  const auto new_start = parts_.segments.at(count).base_offset();
  invariant(new_start <= high_watermark(), "what may be deleted was committed");
  if (auto s = give_up_segments({.first = 0, .count = count}); !s) return s;
  forget_snapshots_below(new_start);
  return advance_log_start(new_start);
}

// Only space is lost when this fails or the directory has been renamed meanwhile: a start does not use what lies below
// the first segment.
void Log::forget_snapshots_below(Offset offset) {
  services_.in_background([&files = services_.files, directory = parts_.directory, offset] {
    (void)remove_snapshots_below(files, directory, offset);
  });
}

Result<Deletable> Log::find_deletable_segments(Timestamp now) {
  const auto& segments = parts_.segments;
  return find_deletable(
      parts_.settings.retention,
      {.segments = segments.size(),
       .segment =
           [&](std::size_t i) {
             return RetentionSegment{segments.upper_bound(i, log_end_offset()), segments.at(i).size_bytes()};
           },
       .youngest = [&](std::size_t i) -> Result<Timestamp> {
         auto largest = segments.at(i).largest_timestamp();
         left_open(i);
         if (!largest) return largest.error();
         return *largest ? **largest : segments.at(i).modified();
       },
       .size_bytes = [&] { return segments.size_bytes(); },
       .log_start = log_start_offset(),
       .high_watermark = high_watermark()},
      now);
}

Result<std::optional<Log::Deleted>> Log::apply_retention(Timestamp now, std::size_t most) {
  if (auto s = check_usable(); !s) return s.error();
  close_idle_files();
  auto deletable = watch(find_deletable_segments(now));
  if (!deletable) return deletable.error();
  const auto count = std::min(deletable->segments, most);
  if (count == 0) return std::optional<Deleted>{};
  const auto& segments = parts_.segments;
  Deleted deleted{.segments = count, .first_base = segments.first().base_offset(), .why = deletable->why};
  for (std::size_t i = 0; i < count; ++i) deleted.size_bytes += segments.at(i).size_bytes();
  // A log always has an active segment.
  if (count == segments.size())
    if (auto s = roll(); !s) return s.error();
  if (auto s = delete_leading_segments(count); !s) return s.error();
  return std::optional(deleted);
}

}  // namespace storage
