// Cutting, recovering and indexing anew.
#include <limits>

#include "storage/segment/entry_scan.h"
#include "storage/segment/segment.h"

namespace storage {

using base::ErrorCode;
using base::fail;
using base::kNoTimestamp;

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

}  // namespace storage
