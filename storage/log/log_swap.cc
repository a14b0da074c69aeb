// The part of log.h that puts cleaned segments in place.
#include <algorithm>
#include <array>

#include "storage/log/log.h"

namespace storage {
namespace {

// Readers of a directory go by the data files: the name of the data file decides, and is changed when the others are as
// they have to be.
constexpr std::array kIndexes{FileKind::offset_index, FileKind::time_index, FileKind::txn_index};

Status change_suffix(base::FileSystem& files, const std::string& directory, PartitionFile file, FileSuffix to) {
  const auto from = directory + "/" + file_name(file.base, file.kind, file.suffix);
  auto there = files.exists(from);
  if (!there) return there.error();
  if (!*there) return {};
  return files.rename(from, directory + "/" + file_name(file.base, file.kind, to));
}

}  // namespace

void Log::set_cleaned_to(Offset to, RecoveryPoint::Ticket seen) {
  if (marks_->recovery_point.current(seen)) marks_->cleaned_to = to;
}

// Commit point: the data file becomes *.log.swap. Stopping before it leaves *.cleaned files, which the next start
// removes together with any *.swap of the same base; after it, the next start does the rest (leftovers.h): removes what
// the new segment replaces and takes away the suffix. The data file loses it first: an index left with it is then put
// in place by the next start, and no old one can be taken for it, because all old ones are gone by then.
//
// Only names are changed here, so the partition's lock is not held over a sync. A machine that stops keeps these steps
// up to some point, in their order, as file systems with a journal do.
Result<std::optional<PutOffRemoval>> Log::swap_in(const CleanedSegment& cleaned) {
  using Nothing = std::optional<PutOffRemoval>;
  if (!marks_->recovery_point.current(cleaned.seen)) return Nothing{};
  if (auto s = check_usable(); !s) return s.error();
  auto& segments = parts_.segments;
  const auto base = cleaned.replaced.front();
  const SegmentRange range{.first = segments.find(base), .count = cleaned.replaced.size()};
  if (range.first + range.count >= segments.size()) return Nothing{};
  for (std::size_t i = 0; i < range.count; ++i)
    if (segments.at(range.first + i).base_offset() != cleaned.replaced[i]) return Nothing{};

  auto& files = services_.files;
  const auto rename = [&](FileKind kind, FileSuffix from, FileSuffix to) {
    return insist(change_suffix(files, parts_.directory, {base, kind, from}, to));
  };
  for (const auto kind : kIndexes)
    if (auto s = rename(kind, FileSuffix::cleaned, FileSuffix::swap); !s) return s.error();
  if (auto s = rename(FileKind::data, FileSuffix::cleaned, FileSuffix::swap); !s) return s.error();
  auto removal = mark_deleted(range);
  if (!removal) return removal.error();
  if (auto s = rename(FileKind::data, FileSuffix::swap, FileSuffix::none); !s) return s.error();
  for (const auto kind : kIndexes)
    if (auto s = rename(kind, FileSuffix::swap, FileSuffix::none); !s) return s.error();
  auto segment = insist(Segment::open(files, parts_.directory, base, parts_.settings.index, services_.clock.wall()));
  if (!segment) return segment.error();
  segments.remove(range);
  segments.insert(range.first, std::move(*segment));
  segments_changed();
  return Nothing(std::move(*removal));
}

}  // namespace storage
