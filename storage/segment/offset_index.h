// Where in the data file an offset lies, sparsely.
//
// One entry, 8 bytes, big-endian, ascending:
//   [ offset - base offset : i32 ][ position in the data file : i32 ]
// The entry names the last offset of a batch (Apache Kafka 2.7: of an append) that begins at the position.
// No checksum: a damaged index costs a rebuild from the data file, never a wrong answer, because a reader verifies the
// batch it lands on. Guarded by the owner of the segment; lookups near the end cost no I/O (entry_file.h).
#pragma once

#include <optional>

#include "base/ids.h"
#include "storage/segment/entry_file.h"

namespace storage {

using base::Offset;

class OffsetIndex {
 public:
  static constexpr std::size_t kEntryBytes = 8;

  OffsetIndex(FileSystem& files, std::string path, Offset base, std::size_t max_bytes)
      : entries_(files, std::move(path), {.entry_bytes = kEntryBytes, .max_bytes = max_bytes}), base_(base) {}

  struct Entry {
    Offset offset;
    std::uint64_t position = 0;
    bool operator==(const Entry&) const = default;
  };

  Status load(std::shared_ptr<base::File> opened = nullptr) {
    return newest_.reset(), entries_.load(std::move(opened));
  }
  Status reset() { return newest_.reset(), entries_.reset(); }
  void restart() { newest_.reset(), entries_.restart(); }
  std::size_t count() const { return entries_.count(); }
  bool is_full() const { return count() >= entries_.capacity(); }

  // Ignored when the index is full or the offset does not rise: an index may know less, never contradict itself.
  Status append(Offset offset, std::uint64_t position);
  // The greatest entry at or below `offset` and the one behind it. Nothing below: begin at the front of the file.
  struct Around {
    std::optional<Entry> below, above;
  };
  Result<Around> find(Offset offset) const;
  // Whether find() needs nothing but memory and, for what lies around, the page cache.
  bool is_warm(Offset offset) const;
  Result<std::optional<Entry>> last() const;
  // Drops the entries at and above `offset`.
  Status truncate_to(Offset offset);
  Status trim() { return entries_.trim(); }
  // For work on the file that its owner does not wait for.
  EntryFile& entries() { return entries_; }
  const EntryFile& entries() const { return entries_; }

 private:
  Entry decode(const std::byte* at) const;
  Result<Entry> read(std::size_t i) const;

  EntryFile entries_;
  Offset base_;
  std::optional<Offset> newest_;  // of the last entry, once one was appended or read
};

}  // namespace storage
