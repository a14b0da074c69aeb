#include "storage/check/index_check.h"

#include <algorithm>

#include "base/bytes.h"
#include "storage/segment/offset_index.h"
#include "storage/segment/time_index.h"

namespace storage {

using base::load_big_endian;

IndexCheck::IndexCheck(std::string directory, Offset base, FileKind kind)
    : path_(std::move(directory) + "/" + file_name(base, kind)), base_(base), kind_(kind) {}

std::size_t IndexCheck::entry_bytes() const {
  return kind_ == FileKind::offset_index ? OffsetIndex::kEntryBytes : TimeIndex::kEntryBytes;
}

std::string IndexCheck::what(const Entry& entry) const {
  return kind_ == FileKind::offset_index
             ? fmt::format("offset {} at position {}", entry.offset, entry.position)
             : fmt::format("timestamp {} at offset {}", base::to_ms(entry.timestamp), entry.offset);
}

void IndexCheck::wrong(std::size_t i, std::string why, std::vector<Finding>& findings) {
  bad_ = true;
  findings.push_back(
      {path_, i * entry_bytes(), fmt::format("{}: {}", what(entries_[i]), why), Remedy::rebuild_indexes});
}

base::Status IndexCheck::load(base::FileSystem& files, IndexExpectation expected, bool has_data,
                              std::vector<Finding>& findings) {
  auto there = files.exists(path_);
  if (!there) return there.error();
  if (!*there) {
    if (has_data && !expected.may_be_missing) {
      bad_ = true;
      findings.push_back({path_, std::nullopt, "the index is missing", Remedy::rebuild_indexes});
    }
    return {};
  }
  auto contents = base::read_file(files, path_);
  if (!contents) return contents.error();
  const auto bytes = base::as_bytes(*contents);
  if (bytes.size() % entry_bytes() != 0) {
    bad_ = true;
    findings.push_back({path_, bytes.size() - bytes.size() % entry_bytes(),
                        fmt::format("{} bytes are no entry", bytes.size() % entry_bytes()), Remedy::rebuild_indexes});
  }
  auto count = bytes.size() / entry_bytes();
  const auto is_zero = [&](std::size_t i) {
    const auto entry = bytes.subspan(i * entry_bytes(), entry_bytes());
    return std::all_of(entry.begin(), entry.end(), [](std::byte b) { return b == std::byte{0}; });
  };
  const auto filled = count;
  while (count > 0 && is_zero(count - 1)) --count;
  // One zero entry may be the truth: an append of one record at the very beginning.
  if (filled > count + 1 && !expected.may_end_in_zeros) {
    bad_ = true;
    findings.push_back({path_, count * entry_bytes(), fmt::format("{} empty entries were not cut off", filled - count),
                        Remedy::rebuild_indexes});
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto* at = bytes.data() + i * entry_bytes();
    Entry entry;
    if (kind_ == FileKind::offset_index) {
      entry.offset = base_ + load_big_endian<std::int32_t>(at);
      entry.position = load_big_endian<std::uint32_t>(at + 4);
    } else {
      entry.timestamp = base::timestamp_from_ms(load_big_endian<std::int64_t>(at));
      entry.offset = base_ + load_big_endian<std::int32_t>(at + 8);
    }
    entries_.push_back(entry);
  }
  return {};
}

void IndexCheck::see(const protocol::EntryHeader& entry, std::uint64_t position, std::vector<Finding>& findings) {
  largest_ = std::max(largest_, entry.max_timestamp);
  if (bad_ || next_ == entries_.size()) return;
  kind_ == FileKind::offset_index ? see_offset(entry, position, findings) : see_time(entry, findings);
}

void IndexCheck::see_offset(const protocol::EntryHeader& entry, std::uint64_t position,
                            std::vector<Finding>& findings) {
  for (;;) {
    if (next_ == entries_.size()) return;
    const auto& wanted = entries_[next_];
    if (!begun_) {
      if (wanted.position > position) return;
      if (wanted.position < position) return wrong(next_, "no batch begins there", findings);
      if (entry.base_offset > wanted.offset && entry.is_batch())
        return wrong(next_, fmt::format("the batch there begins at offset {}", entry.base_offset), findings);
      begun_ = true;
    }
    if (entry.last_offset < wanted.offset) {
      if (next_ + 1 < entries_.size() && entries_[next_ + 1].position <= position)
        return wrong(next_, "no batch between here and the next entry ends with this offset", findings);
      return;
    }
    if (entry.last_offset > wanted.offset)
      return wrong(next_, fmt::format("no batch ends with this offset; one ends with {}", entry.last_offset), findings);
    begun_ = false;
    ++next_;
  }
}

void IndexCheck::see_time(const protocol::EntryHeader& entry, std::vector<Finding>& findings) {
  for (; next_ < entries_.size() && entries_[next_].offset <= entry.last_offset; ++next_) {
    const auto& wanted = entries_[next_];
    if (skipped_) continue;
    if (wanted.timestamp != largest_)
      return wrong(next_, fmt::format("the largest timestamp up to there is {}", base::to_ms(largest_)), findings);
  }
}

void IndexCheck::skip_to(std::uint64_t position) {
  skipped_ = true;
  begun_ = false;
  if (kind_ == FileKind::offset_index)
    while (next_ < entries_.size() && entries_[next_].position < position) ++next_;
}

void IndexCheck::finish(bool whole, std::vector<Finding>& findings) {
  if (bad_) return;
  if (next_ < entries_.size()) {
    if (!skipped_) wrong(next_, "the data ends before", findings);
    return;
  }
  if (!whole || skipped_ || kind_ != FileKind::time_index || largest_ < base::Timestamp{}) return;
  if (entries_.empty() || entries_.back().timestamp < largest_) {
    bad_ = true;
    findings.push_back(
        {path_, entries_.size() * entry_bytes(),
         fmt::format("the index ends before timestamp {}, the largest of the segment", base::to_ms(largest_)),
         Remedy::rebuild_indexes});
  }
}

}  // namespace storage
