// From which offset on to look for a timestamp, sparsely.
//
// One entry, 12 bytes, big-endian, ascending:
//   [ timestamp in ms : i64 ][ offset - base offset : i32 ]
// The timestamp is the largest so far in the segment; up to the offset no record is younger. One slot stays free for
// the entry that closes the segment: its last timestamp is then the largest of the segment.
// Guarded by the owner of the segment.
#pragma once

#include <optional>

#include "base/ids.h"
#include "storage/segment/entry_file.h"

namespace storage {

using base::Offset;
using base::Timestamp;

class TimeIndex {
 public:
  static constexpr std::size_t kEntryBytes = 12;

  TimeIndex(FileSystem& files, std::string path, Offset base, std::size_t max_bytes)
      : entries_(files, std::move(path), {.entry_bytes = kEntryBytes, .max_bytes = max_bytes}), base_(base) {}

  struct Entry {
    Timestamp timestamp;
    Offset offset;
    bool operator==(const Entry&) const = default;
  };

  Status load(std::shared_ptr<base::File> opened = nullptr) { return entries_.load(std::move(opened)); }
  Status reset() { return entries_.reset(); }
  void restart() { entries_.restart(); }
  std::size_t count() const { return entries_.count(); }
  bool is_full() const { return count() + 1 >= entries_.capacity(); }

  enum class Slot { ordinary, closing };
  // Ignored unless the timestamp rises, and when no slot is left.
  Status append(Timestamp timestamp, Offset offset, Slot slot = Slot::ordinary);
  // The greatest entry at or below `timestamp`; nothing: begin at the base offset.
  Result<std::optional<Entry>> find(Timestamp timestamp) const;
  Result<std::optional<Entry>> last() const;
  // Drops the entries at and above `offset`.
  Status truncate_to(Offset offset);
  Status trim() { return entries_.trim(); }
  // For work on the file that its owner does not wait for.
  EntryFile& entries() { return entries_; }
  const EntryFile& entries() const { return entries_; }

 private:
  Entry decode(const std::byte* at) const;

  EntryFile entries_;
  Offset base_;
};

}  // namespace storage
