#include "storage/segment/segment.h"

#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <limits>

#include "base/buffer.h"
#include "base/check.h"
#include "base/page_cache.h"
#include "storage/segment/entry_scan.h"
#include "storage/segment/shortage.h"
#include "storage/segment/timestamp_search.h"

namespace storage {
namespace {

using base::ErrorCode;
using base::fail;
using base::invariant;
using base::kNoTimestamp;

// Enough for the fetches that follow the end of a log and for a high watermark a few appends behind it.
constexpr std::size_t kRecentPlaces = 8;

// So many index entries are kept in memory while their files are being made, 32 MiB of data at 4 KiB each. Then the
// append waits.
constexpr std::size_t kMostWaiting = 16 * EntryFile::kTailEntries;

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

Segment::Segment(FileSystem& files, std::string directory, Offset base, IndexSettings index, Timestamp now,
                 FileSuffix suffix)
    : files_(files),
      directory_(std::move(directory)),
      base_(base),
      suffix_(suffix),
      index_settings_(index),
      created_(now),
      offset_index_(files, path(FileKind::offset_index), base, index.max_bytes),
      time_index_(files, path(FileKind::time_index), base, index.max_bytes),
      txn_index_(files, path(FileKind::txn_index)) {}

Result<std::unique_ptr<Segment>> Segment::create(FileSystem& files, std::string directory, Offset base,
                                                 IndexSettings index, Timestamp now, std::uint64_t preallocated_bytes,
                                                 FileSuffix suffix) {
  std::unique_ptr<Segment> segment(new Segment(files, std::move(directory), base, index, now, suffix));
  // Indexes first: if we stop here, an empty segment with stale indexes must not be what the next start finds.
  if (auto s = segment->offset_index_.reset(); !s) return s.error();
  if (auto s = segment->time_index_.reset(); !s) return s.error();
  if (auto s = segment->txn_index_.reset(); !s) return s.error();
  auto data = files.open(segment->path(FileKind::data), base::OpenMode::create_or_open);
  if (!data) return data.error();
  auto size = (*data)->size();
  if (!size) return size.error();
  if (*size != 0)
    return fail(ErrorCode::kafka_storage_error, "{} should be new but holds {} bytes", (*data)->path(), *size);
  segment->data_ = std::move(data).value();
  if (preallocated_bytes > 0)
    if (auto s = segment->data_->truncate(preallocated_bytes); !s) return s.error();
  segment->preallocated_ = preallocated_bytes > 0;
  segment->indexes_loaded_ = true;
  segment->largest_ = Largest{kNoTimestamp, base};
  return segment;
}

Result<std::unique_ptr<Segment>> Segment::create_next(FileSystem& files, std::string directory, Offset base,
                                                      IndexSettings index, Timestamp now,
                                                      std::uint64_t preallocated_bytes) {
  std::unique_ptr<Segment> segment(new Segment(files, directory, base, index, now));
  auto data = files.open(segment->path(FileKind::data), base::OpenMode::create_new);
  if (!data) {
    auto there = files.exists(segment->path(FileKind::data));
    if (!there || !*there) return data.error();
    return create(files, std::move(directory), base, index, now, preallocated_bytes);
  }
  segment->data_ = std::move(data).value();
  segment->txn_index_.begin_empty();
  segment->to_preallocate_ = preallocated_bytes;
  segment->preallocated_ = preallocated_bytes > 0;
  segment->indexes_loaded_ = true;
  segment->largest_ = Largest{kNoTimestamp, base};
  return segment;
}

Result<std::unique_ptr<Segment>> Segment::open(FileSystem& files, std::string directory, Offset base,
                                               IndexSettings index, Timestamp now) {
  std::unique_ptr<Segment> segment(new Segment(files, std::move(directory), base, index, now));
  auto info = files.info(segment->path(FileKind::data));
  if (!info) return info.error();
  segment->size_ = info->size_bytes;
  segment->sealed_ = true;
  return segment;
}

Status Segment::open_data() {
  if (data_) return {};
  auto data = files_.open(path(FileKind::data), base::OpenMode::read_write);
  if (!data) return data.error();
  data_ = std::move(data).value();
  return {};
}

Status Segment::load_indexes() {
  if (indexes_loaded_) return {};
  if (auto s = offset_index_.load(); !s) return s;
  if (auto s = time_index_.load(); !s) return s;
  indexes_loaded_ = true;
  if (size_ > 0 && offset_index_.count() == 0 && size_ > 16 * index_settings_.interval_bytes) return rebuild_indexes();
  return {};
}

Status Segment::append(std::span<const SegmentBatch> batches) {
  if (sealed_)
    if (auto s = finish_work(); !s) return s;
  if (auto s = open_data(); !s) return s;
  if (auto s = load_indexes(); !s) return s;
  if (!largest_) {
    auto largest = load_largest();
    if (!largest) return largest.error();
    largest_ = *largest;
  }
  sealed_ = false;
  absl::InlinedVector<std::span<const std::byte>, 8> pieces;
  std::size_t total = 0;
  for (const auto& batch : batches) {
    total += batch.bytes.size();
    // Batches that lie side by side in memory are one piece.
    if (!pieces.empty() && pieces.back().data() + pieces.back().size() == batch.bytes.data())
      pieces.back() = {pieces.back().data(), pieces.back().size() + batch.bytes.size()};
    else
      pieces.push_back(batch.bytes);
  }
  if (auto s = data_->write_at(size_, pieces); !s) {
    // A full disk took in a part at most. That goes again, and the log with it stays what it was.
    if (!base::is_out_of_space(s.error())) return s;
    auto cut = data_->truncate(size_);
    return cut.ok() ? s : cut;
  }
  auto position = size_;
  size_ += total;
  for (const auto& batch : batches) {
    index({.position = position,
           .size_bytes = batch.bytes.size(),
           .base_offset = batch.base_offset,
           .last_offset = batch.last_offset},
          batch.max_timestamp);
    position += batch.bytes.size();
  }
  return index_status_;
}

void Segment::index(const Place& place, Timestamp max_timestamp) {
  if (place.position == 0) first_time_ = max_timestamp;
  if (max_timestamp > largest_->timestamp) largest_ = Largest{max_timestamp, place.last_offset};
  if (bytes_since_entry_ > index_settings_.interval_bytes) {
    take_up_made_files();
    auto s = offset_index_.append(place.last_offset, place.position);
    if (s && largest_->timestamp != kNoTimestamp) s = time_index_.append(largest_->timestamp, largest_->offset);
    // Entries that find no room on the disk stay in memory, or are missed by nobody: an index may know too little.
    if (!s && index_status_.ok() && !is_shortage(s.error())) index_status_ = s;
    bytes_since_entry_ = 0;
  }
  bytes_since_entry_ += place.size_bytes;
  if (recent_.size() == kRecentPlaces) recent_.erase(recent_.begin());
  recent_.push_back(place);
}

std::shared_ptr<SegmentWork> Segment::files_to_make() {
  if (making_ || (to_preallocate_ == 0 && !offset_index_.entries().lacks_room())) return nullptr;
  making_ = std::make_shared<SegmentWork>([data = data_, size = std::exchange(to_preallocate_, 0),
                                           offsets = offset_index_.entries().blank(),
                                           times = time_index_.entries().blank()]() -> Result<SegmentWork::Files> {
    if (size > 0)
      if (auto s = data->truncate(size); !s) return s.error();
    SegmentWork::Files made;
    for (const auto* blank : {&offsets, &times}) {
      auto file = blank->make();
      if (!file) return file.error();
      made.push_back(std::move(*file));
    }
    return made;
  });
  return making_;
}

void Segment::take_up_made_files() {
  if (!making_ || (!making_->done() && offset_index_.entries().waiting() < kMostWaiting)) return;
  auto made = making_->run();
  if (!made) {
    // A full disk is asked again with the next entry.
    if (index_status_.ok() && !is_shortage(made.error())) index_status_ = made.error();
    return;
  }
  offset_index_.entries().take_up(std::move((*made)[0]));
  time_index_.entries().take_up(std::move((*made)[1]));
  making_.reset();
}

Status Segment::finish_work() {
  opening_.reset();  // what it opened may be cut now
  if (sealing_) {
    if (auto written = sealing_->run(); !written) return written.error();
    sealing_.reset();
    making_.reset();
    txn_index_.rest_written();
    indexes_loaded_ = false;
  }
  if (!making_) return {};
  auto made = making_->run();
  if (!made) return made.error();
  take_up_made_files();
  return {};
}

// On a full disk files can be removed, but not be made.
void Segment::cancel_work() {
  for (auto* work : {&sealing_, &making_, &opening_})
    if (*work) std::exchange(*work, nullptr)->cancel();
}

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

Status Segment::truncate_to(Offset offset) {
  if (auto s = finish_work(); !s) return s;
  if (auto s = open_data(); !s) return s;
  auto place = locate(offset);
  if (!place) return place.error();
  if (!*place) return {};
  if (auto s = load_indexes(); !s) return s;
  // Indexes first: an index that knows too little is only slow.
  if (auto s = offset_index_.truncate_to(offset); !s) return s;
  if (auto s = time_index_.truncate_to(offset); !s) return s;
  if (auto s = txn_index_.truncate_to(offset); !s) return s;
  txn_file_.reset();
  sealed_ = false;
  recent_.clear();
  largest_.reset();
  bytes_since_entry_ = 0;
  size_ = (*place)->position;
  if (size_ == 0) first_time_.reset();
  preallocated_ = false;
  return data_->truncate(size_);
}

Result<Segment::Recovered> Segment::recover(absl::FunctionRef<Status(const protocol::EntryView&)> seen) {
  if (auto s = finish_work(); !s) return s.error();
  if (auto s = open_data(); !s) return s.error();
  if (auto s = txn_index_.reset(); !s) return s.error();
  offset_index_.restart();
  time_index_.restart();
  indexes_loaded_ = rebuilt_ = true;
  sealed_ = false;
  largest_ = Largest{kNoTimestamp, base_};
  bytes_since_entry_ = 0;
  recent_.clear();
  first_time_.reset();
  auto next = base_;
  auto end = scan_entries(*data_, 0, size_, [&](const protocol::EntryView& entry, std::uint64_t position) -> Status {
    if (!entry.crc_ok()) return fail(ErrorCode::corrupt_message, "the checksum of the entry at {} is wrong", position);
    if (entry.base_offset() < next || entry.last_offset() < entry.base_offset() ||
        entry.last_offset() - base_ > std::numeric_limits<std::int32_t>::max())
      return fail(ErrorCode::corrupt_message, "the entry at {} holds offsets {} to {}, expected {} or more", position,
                  entry.base_offset(), entry.last_offset(), next);
    if (auto s = seen(entry); !s) return s;
    index({.position = position,
           .size_bytes = entry.size_bytes(),
           .base_offset = entry.base_offset(),
           .last_offset = entry.last_offset()},
          entry.max_timestamp());
    next = entry.next_offset();
    return {};
  });
  if (!end) return end.error();
  // What the callback could not do (write a transaction index) is not the data's fault.
  if (!end->why && end->why.error().code == ErrorCode::kafka_storage_error) return end->why.error();
  if (!index_status_) return index_status_.error();
  recent_.clear();
  Recovered recovered{.next_offset = next, .dropped_bytes = size_ - end->position, .why = end->why};
  if (recovered.dropped_bytes > 0) {
    if (auto s = data_->truncate(end->position); !s) return s.error();
    size_ = end->position;
  }
  return recovered;
}

Status Segment::replay(Offset from, absl::FunctionRef<Status(const protocol::EntryView&)> seen) {
  if (auto s = open_data(); !s) return s;
  auto place = locate(from);
  if (!place) return place.error();
  if (!*place) return {};
  auto end = scan_entries(*data_, (*place)->position, size_,
                          [&](const protocol::EntryView& entry, std::uint64_t) { return seen(entry); });
  if (!end) return end.error();
  return end->why;
}

Status Segment::rebuild_indexes() {
  if (auto s = finish_work(); !s) return s;
  if (auto s = open_data(); !s) return s;
  offset_index_.restart();
  time_index_.restart();
  indexes_loaded_ = rebuilt_ = true;
  largest_ = Largest{kNoTimestamp, base_};
  bytes_since_entry_ = 0;
  const auto recent = std::exchange(recent_, {});
  HeaderScan scan(*data_, 0, size_);
  for (;;) {
    auto found = scan.next();
    if (!found) return found.error();
    if (!*found) break;
    const auto& header = (*found)->header;
    index({.position = (*found)->position,
           .size_bytes = header.size_bytes,
           .base_offset = header.base_offset,
           .last_offset = header.last_offset},
          header.max_timestamp);
  }
  recent_ = recent;
  if (!index_status_) return index_status_;
  if (!std::exchange(sealed_, false)) return {};
  return seal();
}

Result<bool> Segment::indexes_plausible() {
  for (const auto kind : {FileKind::offset_index, FileKind::time_index}) {
    auto there = files_.exists(path(kind));
    if (!there) return there.error();
    if (!*there) return size_ == 0;
    auto info = files_.info(path(kind));
    if (!info) return info.error();
    const auto entry = kind == FileKind::offset_index ? OffsetIndex::kEntryBytes : TimeIndex::kEntryBytes;
    if (info->size_bytes % entry != 0) return false;
  }
  auto aborted = txn_index_.entries();
  if (aborted) return true;
  if (aborted.error().code == ErrorCode::corrupt_message) return false;
  return aborted.error();
}

// The data file is cut before there is a next one: zeros between two segments are damage, to Apache Kafka too.
Status Segment::prepare_seal() {
  if (sealed_) return {};
  if (preallocated_) {
    if (auto s = finish_work(); !s) return s;
    if (auto s = data_->truncate(size_); !s) return s;
    preallocated_ = false;
  }
  if (auto s = load_indexes(); !s) return s;
  auto largest = largest_timestamp();
  if (!largest) return largest.error();
  if (!*largest) return {};
  return time_index_.append(largest_->timestamp, largest_->offset, TimeIndex::Slot::closing);
}

std::shared_ptr<SegmentWork> Segment::seal_later() {
  if (sealed_) return sealing_;
  sealing_ = std::make_shared<SegmentWork>([making = making_, offsets = offset_index_.entries().rest(),
                                            times = time_index_.entries().rest(),
                                            aborted = txn_index_.rest()]() -> Result<SegmentWork::Files> {
    SegmentWork::Files files{nullptr, nullptr};
    // Files that could not be made are made by writing them.
    if (making)
      if (auto made = making->run(); made && made->size() == files.size()) files = std::move(*made);
    for (std::size_t i = 0; i < files.size(); ++i) {
      auto written = (i == 0 ? offsets : times).write(std::move(files[i]));
      if (!written) return written.error();
      files[i] = std::move(*written);
    }
    auto transactions = aborted.write();
    if (!transactions) return transactions.error();
    if (*transactions) files.push_back(std::move(*transactions));
    return files;
  });
  sealed_ = true;
  return sealing_;
}

Status Segment::seal() {
  if (auto s = finish_work(); !s) return s;
  if (!sealed_) {
    if (auto s = prepare_seal(); !s) return s;
    if (auto s = offset_index_.trim(); !s) return s;
    if (auto s = time_index_.trim(); !s) return s;
    sealed_ = true;
  }
  return write_transactions();
}

Status Segment::write_transactions() {
  if (!txn_index_.has_unwritten()) return {};
  auto written = txn_index_.write();
  if (!written) return written.error();
  txn_file_ = std::move(*written);
  return {};
}

Result<std::shared_ptr<base::File>> Segment::data_to_sync() {
  if (auto s = open_data(); !s) return s.error();
  return data_;
}

bool Segment::close_files() {
  if (!sealed_ || opening_ || (sealing_ ? !sealing_->done() : making_ != nullptr) || !finish_work()) return false;
  data_.reset();
  txn_file_.reset();
  offset_index_.entries().close();
  time_index_.entries().close();
  indexes_loaded_ = false;
  return true;
}

Result<Segment::ToSync> Segment::files_to_sync() {
  if (sealed_ && !sealing_ && !data_) return ToSync{.first = open_to_sync(), .files = {}};
  ToSync to_sync{.first = sealing_, .files = {}};
  if (auto s = open_data(); !s) return s.error();
  to_sync.files.push_back(data_);
  if (sealing_) return to_sync;
  if (sealed_ && !indexes_loaded_) to_sync.first = open_to_sync();
  for (auto file : {offset_index_.entries().file(), time_index_.entries().file(), txn_file_})
    if (file) to_sync.files.push_back(std::move(file));
  return to_sync;
}

// Who has them synced need not wait until they are open.
std::shared_ptr<SegmentWork> Segment::open_to_sync() const {
  std::vector<std::string> paths;
  for (const auto kind : {FileKind::data, FileKind::offset_index, FileKind::time_index, FileKind::txn_index})
    paths.push_back(path(kind));
  return std::make_shared<SegmentWork>([&files = files_, paths = std::move(paths)]() -> Result<SegmentWork::Files> {
    SegmentWork::Files opened;
    for (const auto& path : paths) {
      auto there = files.exists(path);
      if (!there) return there.error();
      if (!*there) continue;
      auto file = files.open(path, base::OpenMode::read_write);
      if (!file) return file.error();
      opened.push_back(std::move(file).value());
    }
    return opened;
  });
}

Result<std::vector<std::string>> Segment::mark_deleted() {
  cancel_work();
  std::vector<std::string> renamed;
  for (const auto kind : {FileKind::data, FileKind::offset_index, FileKind::time_index, FileKind::txn_index}) {
    const auto from = path(kind);
    auto there = files_.exists(from);
    if (!there) return there.error();
    if (!*there) continue;
    auto to = directory_ + "/" + file_name(base_, kind, FileSuffix::deleted);
    if (auto s = files_.rename(from, to); !s) return s.error();
    renamed.push_back(std::move(to));
  }
  return renamed;
}

Status Segment::remove_files() {
  cancel_work();
  for (const auto kind : {FileKind::offset_index, FileKind::time_index, FileKind::txn_index, FileKind::data})
    if (auto s = files_.remove(path(kind)); !s) return s;
  return {};
}

}  // namespace storage
