// Finding and reading: by offset, by time, in the page cache or through the disk.
#include <algorithm>
#include <limits>

#include "base/buffer.h"
#include "base/page_cache.h"
#include "storage/segment/entry_scan.h"
#include "storage/segment/segment.h"
#include "storage/segment/timestamp_search.h"

namespace storage {

using base::ErrorCode;
using base::fail;
using base::kNoTimestamp;

namespace {
// Where a header is missing in the page cache, what follows it is missing too.
constexpr std::size_t kReadAhead = 64 << 10;

// Null for a file that is not there. The indexes are in the page cache then.
Result<SegmentWork::Files> open_and_read(FileSystem& files, const std::vector<std::string>& paths) {
  SegmentWork::Files opened;
  for (const auto& path : paths) {
    const bool is_data = opened.empty();
    auto there = files.exists(path);
    if (!there) return there.error();
    opened.emplace_back();
    if (!*there) continue;
    auto file = files.open(path, base::OpenMode::read_write);
    if (!file) return file.error();
    opened.back() = std::move(file).value();
    if (is_data) continue;
    auto size = opened.back()->size();
    if (!size) return size.error();
    base::bring_into_page_cache({.file = opened.back(), .position = 0, .size_bytes = static_cast<std::size_t>(*size)});
  }
  return opened;
}

}  // namespace

std::optional<Segment::Place> Segment::locate_recent(Offset offset) const {
  if (recent_.empty() || offset > recent_.back().last_offset) return std::nullopt;
  for (std::size_t i = recent_.size(); i-- > 0;) {
    const bool reaches_back = i > 0 ? offset > recent_[i - 1].last_offset : recent_[i].position == 0;
    if (reaches_back) return recent_[i];
  }
  return std::nullopt;
}

// Where one read cannot show both what the index names below `offset` and what follows it, the entry above may name the
// very batch: readers that walk from batch to batch find it with one read instead of two.
Result<HeaderScan> Segment::scan_from(Offset offset, Cold* cold) {
  if (auto s = load_indexes(); !s) return s.error();
  if (cold && !offset_index_.is_warm(offset)) {
    cold->emplace(ColdSpot{.in_index = true});
    return fail(kColdRead, "the index of {} is not in the page cache", path(FileKind::data));
  }
  auto around = offset_index_.find(offset);
  if (!around) return around.error();
  const auto position = around->below ? around->below->position : std::uint64_t{0};
  if (around->above && around->above->position > position + HeaderScan::kWindowBytes) {
    auto scan = scan_at(around->above->position, offset, cold);
    if (!scan || *scan) return scan ? std::move(**scan) : Result<HeaderScan>(scan.error());
  }
  if (position == 0) return HeaderScan(*data_, position, size_, cold);
  auto scan = scan_at(position, offset, cold);
  if (!scan) return scan.error();
  if (*scan) return std::move(**scan);
  if (rebuilt_) return HeaderScan(*data_, 0, size_, cold);
  if (auto s = rebuild_indexes(); !s) return s.error();
  return scan_from(offset, cold);
}

// Whatever the index says, a batch must begin there, and not beyond what is looked for. Nothing: it does not.
Result<std::optional<HeaderScan>> Segment::scan_at(std::uint64_t position, Offset offset, Cold* cold) {
  if (position >= size_) return std::optional<HeaderScan>{};
  HeaderScan scan(*data_, position, size_, cold);
  auto first = scan.next();
  if (!first && first.error().code != ErrorCode::corrupt_message) return first.error();
  if (!first || !*first || (*first)->header.base_offset > offset || (*first)->header.base_offset < base_)
    return std::optional<HeaderScan>{};
  scan.go_to(position);
  return std::optional(std::move(scan));
}

Result<std::optional<Segment::Place>> Segment::locate(Offset offset, Cold* cold) {
  if (size_ == 0) return std::optional<Place>{};
  if (!recent_.empty() && offset > recent_.back().last_offset) return std::optional<Place>{};
  if (auto recent = locate_recent(offset)) return recent;
  if (auto s = open_data(); !s) return s.error();
  auto scan = scan_from(offset, cold);
  if (!scan) return scan.error();
  for (;;) {
    auto found = scan->next();
    if (!found) return found.error();
    if (!*found) return std::optional<Place>{};
    const auto& header = (*found)->header;
    if (header.last_offset < offset) continue;
    return std::optional(Place{.position = (*found)->position,
                               .size_bytes = header.size_bytes,
                               .base_offset = header.base_offset,
                               .last_offset = header.last_offset});
  }
}

// Opening a file may read the directory, and its first entries are needed next. Null: they are open.
BringIn Segment::open_elsewhere() {
  if (data_ && indexes_loaded_) return nullptr;
  if (opening_ && opening_->done()) {
    auto opened = std::exchange(opening_, nullptr)->run();
    if (!opened || opened->size() != 3) return nullptr;  // closed meanwhile
    if (!data_) data_ = std::move((*opened)[0]);
    if (!indexes_loaded_) {
      // An error shows where they are used.
      if (offset_index_.load(std::move((*opened)[1])).ok() && time_index_.load(std::move((*opened)[2])).ok())
        indexes_loaded_ = offset_index_.count() > 0 || size_ <= 16 * index_settings_.interval_bytes;
    }
    return nullptr;
  }
  if (!opening_) {
    std::vector<std::string> paths;
    for (const auto kind : {FileKind::data, FileKind::offset_index, FileKind::time_index}) paths.push_back(path(kind));
    opening_ = std::make_shared<SegmentWork>([&files = files_, paths = std::move(paths)] {
      return Result<SegmentWork::Files>(open_and_read(files, paths));
    });
  }
  return [work = opening_] { (void)work->run(); };
}

// The whole index: a search in it goes to and fro.
BringIn Segment::bring_in(const ColdSpot& spot) const {
  base::FileSlice range{.file = data_, .position = spot.position, .size_bytes = std::max(spot.size_bytes, kReadAhead)};
  if (spot.in_index)
    range = {.file = offset_index_.entries().file(),
             .position = 0,
             .size_bytes = offset_index_.count() * OffsetIndex::kEntryBytes};
  return [range] { base::bring_into_page_cache(range); };
}

Result<std::optional<Segment::Slice>> Segment::read(Offset from, std::optional<Offset> bound, ReadLimits limits) {
  Cold cold;
  auto* const watch = limits.may_wait || size_ == 0 ? nullptr : &cold;
  if (watch && (!data_ || recent_.empty() || !is_recent(from) || (bound && !is_recent(*bound))))
    if (auto work = open_elsewhere())
      return std::optional(Slice{.records = {}, .first_offset = from, .bring_in = work});
  if (auto s = open_data(); !s) return s.error();
  auto first = locate(from, watch);
  if (!first && cold) return std::optional(Slice{.records = {}, .first_offset = from, .bring_in = bring_in(*cold)});
  if (!first) return first.error();
  if (!*first) return std::optional<Slice>{};
  auto end = size_;
  if (bound) {
    auto last = locate(*bound, watch);
    if (!last && cold) return std::optional(Slice{.records = {}, .first_offset = from, .bring_in = bring_in(*cold)});
    if (!last) return last.error();
    if (*last) end = (*last)->position;
  }
  Slice slice{.records = {.file = data_, .position = (*first)->position, .size_bytes = 0},
              .first_offset = (*first)->base_offset};
  if (end <= (*first)->position) return std::optional(slice);
  auto size = std::min<std::uint64_t>(end - (*first)->position, limits.max_bytes);
  if (limits.at_least_one_batch) size = std::max<std::uint64_t>(size, (*first)->size_bytes);
  slice.records.size_bytes = static_cast<std::size_t>(size);
  return std::optional(slice);
}

Result<std::optional<TimestampedOffset>> Segment::find_timestamp(Timestamp target, Offset from) {
  if (size_ == 0) return std::optional<TimestampedOffset>{};
  auto largest = largest_timestamp();
  if (!largest) return largest.error();
  if (!*largest || **largest < target) return std::optional<TimestampedOffset>{};
  if (auto s = open_data(); !s) return s.error();
  if (auto s = load_indexes(); !s) return s.error();
  auto hint = time_index_.find(target);
  if (!hint) return hint.error();
  auto start = locate(std::max(from, *hint ? (*hint)->offset : base_));
  if (!start) return start.error();
  if (!*start) return std::optional<TimestampedOffset>{};
  HeaderScan scan(*data_, (*start)->position, size_);
  for (;;) {
    auto found = scan.next();
    if (!found) return found.error();
    if (!*found) return std::optional<TimestampedOffset>{};
    const auto& header = (*found)->header;
    if (header.max_timestamp < target) continue;
    base::Buffer bytes(header.size_bytes);
    auto got = data_->read_at((*found)->position, bytes.bytes());
    if (!got) return got.error();
    auto entry = protocol::EntryView::parse(std::span<const std::byte>(bytes.bytes().first(*got)));
    if (!entry) return entry.error();
    if (!*entry) return std::optional<TimestampedOffset>{};
    auto record = find_timestamp_in(**entry, target, from);
    if (!record || *record) return record;
  }
}

Result<Segment::Largest> Segment::load_largest() {
  if (size_ == 0) return Largest{kNoTimestamp, base_};
  // Retention asks this of every log: the closing entry of the time index tells, and no file stays open for it.
  if (sealed_ && !indexes_loaded_) {
    TimeIndex index(files_, path(FileKind::time_index), base_, index_settings_.max_bytes);
    if (auto s = index.load(); !s) return s.error();
    auto last = index.last();
    if (!last) return last.error();
    if (*last) return Largest{(*last)->timestamp, (*last)->offset};
  }
  if (auto s = open_data(); !s) return s.error();
  if (auto s = load_indexes(); !s) return s.error();
  Largest largest{kNoTimestamp, base_};
  auto last = time_index_.last();
  if (!last) return last.error();
  if (*last) largest = {(*last)->timestamp, (*last)->offset};
  if (sealed_ && *last) return largest;
  // Without a closing entry: what was written behind the last one.
  auto scan = scan_from(largest.offset);
  if (!scan) return scan.error();
  for (;;) {
    auto found = scan->next();
    if (!found) return found.error();
    if (!*found) return largest;
    const auto& header = (*found)->header;
    if (header.max_timestamp > largest.timestamp) largest = {header.max_timestamp, header.last_offset};
  }
}

Result<std::optional<Timestamp>> Segment::largest_timestamp() {
  if (!largest_) {
    auto largest = load_largest();
    if (!largest) return largest.error();
    largest_ = *largest;
  }
  return largest_->timestamp < Timestamp{} ? std::optional<Timestamp>{} : std::optional(largest_->timestamp);
}

Result<Timestamp> Segment::modified() const {
  auto info = files_.info(path(FileKind::data));
  if (!info) return info.error();
  return info->modified;
}

Result<Offset> Segment::read_next_offset() {
  if (size_ == 0) return base_;
  if (!recent_.empty()) return recent_.back().last_offset + 1;
  if (auto s = open_data(); !s) return s.error();
  auto scan = scan_from(Offset{std::numeric_limits<std::int64_t>::max()});
  if (!scan) return scan.error();
  auto next = base_;
  std::uint64_t end = scan->position();
  for (;;) {
    auto found = scan->next();
    if (!found) return found.error();
    if (!*found) break;
    next = (*found)->header.next_offset();
    end = (*found)->end();
  }
  if (end != size_)
    return fail(ErrorCode::corrupt_message, "{} ends inside the entry at {}", path(FileKind::data), end);
  return next;
}

Result<std::chrono::milliseconds> Segment::filling_for(Timestamp newest, Timestamp now) {
  if (size_ == 0) return std::chrono::milliseconds{0};
  if (!first_time_) {
    if (auto s = open_data(); !s) return s.error();
    HeaderScan scan(*data_, 0, size_);
    auto first = scan.next();
    if (!first) return first.error();
    first_time_ = *first ? (*first)->header.max_timestamp : kNoTimestamp;
  }
  return *first_time_ >= Timestamp{} ? newest - *first_time_ : now - created_;
}

}  // namespace storage
