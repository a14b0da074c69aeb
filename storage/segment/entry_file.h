// A file of fixed-size entries that only grows at its end: what the offset and the time index have in common.
//
// The newest entries are kept in memory and reach the file in groups, because an index can always be rebuilt from the
// data: a crash may lose them, an append does not pay a system call for them, and lookups near the end, which is where
// consumers read, cost no I/O. Older entries are searched in the file, and the part looked at last is kept: a consumer
// that catches up asks for one entry after another. Memory: at most twice kTailEntries per file.
//
// While its segment is active the file is preallocated (sparse) and zero filled, as Apache Kafka leaves it; trim()
// cuts it to the entries it holds. The file is opened when first needed, and made when entries have to go into it: by
// the call that needs it, or before that by another thread (blank(), rest()) where the owner must not wait.
// Guarded by the owner of the segment.
#pragma once

#include <absl/functional/function_ref.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"

namespace storage {

using base::FileSystem;
using base::Result;
using base::Status;

class EntryFile {
 public:
  static constexpr std::size_t kTailEntries = 512;

  struct Layout {
    std::size_t entry_bytes;
    std::size_t max_bytes;  // preallocated size; a file found larger is used as it is
  };
  EntryFile(FileSystem& files, std::string path, Layout layout)
      : files_(files), path_(std::move(path)), layout_(layout) {}

  // What the file on disk holds: its size divided by the size of an entry, without the zeros at its end. It may have
  // been opened already, by a thread that may wait.
  Status load(std::shared_ptr<base::File> opened = nullptr);
  // An empty file in its place (the old one is removed); nothing is created before the first entry.
  Status reset();

  // No entries any more; the file keeps its old ones until the first new one, or trim(), replaces them. For recovery,
  // which would otherwise free the blocks of two files per partition; a stop before then leads to recovery again.
  void restart();

  std::size_t count() const { return count_; }
  std::size_t capacity() const { return layout_.max_bytes / layout_.entry_bytes; }

  // `entry` has entry_bytes.
  Status append(std::span<const std::byte> entry);
  // Copies entry `at` < count().
  Status read(std::size_t at, std::span<std::byte> out) const;
  // The first entry for which `before` is false; count() if there is none. Entries must be partitioned by `before`;
  // on a damaged file the answer is some position in [0, count()].
  Result<std::size_t> partition_point(absl::FunctionRef<bool(const std::byte*)> before) const;

  // Whether the answer can be given without the file.
  bool knows(absl::FunctionRef<bool(const std::byte*)> before) const;

  // Keeps the first `count` entries.
  Status keep_first(std::size_t count);
  // All entries into the file, which is then cut to their size (created if need be).
  Status trim();

  // For an owner that must not wait. Values, to be worked off by any thread.
  //
  // A file with room for all entries, behind those it holds. Until take_up() entries stay in memory.
  struct Blank {
    FileSystem* files = nullptr;
    std::string path;
    std::shared_ptr<base::File> file;  // null: to be opened
    std::uint64_t used_bytes = 0;
    std::uint64_t size_bytes = 0;

    Result<std::shared_ptr<base::File>> make() const;
  };
  bool lacks_room() const { return count_ > 0 && !preallocated_ && !awaits_room_; }
  Blank blank();
  void take_up(std::shared_ptr<base::File> made);
  bool awaits_room() const { return awaits_room_; }
  // How many entries wait for that in memory.
  std::size_t waiting() const { return awaits_room_ ? count_ - written_ : 0; }
  // What trim() would do. Until it is done no entry may be added or taken away; then load() finds all of them.
  struct Rest {
    FileSystem* files = nullptr;
    std::string path;
    std::shared_ptr<base::File> file;  // null: the one that was made, or else to be opened
    std::vector<std::byte> entries;
    std::uint64_t position = 0;
    std::uint64_t size_bytes = 0;

    Result<std::shared_ptr<base::File>> write(std::shared_ptr<base::File> made) const;
  };
  Rest rest() const;

  // Nothing stays open or in memory; load() before anything else.
  void close();
  // An open file to be synced by another thread; null when there is none.
  std::shared_ptr<base::File> file() const { return file_; }
  const std::string& path() const { return path_; }

 private:
  Status open(base::OpenMode mode) const;
  Status write_pending();
  bool in_tail(absl::FunctionRef<bool(const std::byte*)> before) const {
    return !tail_.empty() && (tail_begin() == 0 || before(tail_.data()));
  }
  // The answer lies among what was seen when the first of it is before and the last is not.
  bool in_seen(absl::FunctionRef<bool(const std::byte*)> before) const {
    return !seen_.empty() && before(seen_.data()) && !before(seen_.data() + seen_.size() - layout_.entry_bytes);
  }
  std::size_t tail_begin() const { return count_ - tail_.size() / layout_.entry_bytes; }

  FileSystem& files_;
  std::string path_;
  Layout layout_;
  mutable std::shared_ptr<base::File> file_;  // opened by the first lookup that needs it
  std::size_t count_ = 0;
  std::size_t written_ = 0;  // entries in the file
  bool preallocated_ = false;
  bool awaits_room_ = false;
  std::vector<std::byte> tail_;          // the last entries; begins at or before entry `written_`
  mutable std::vector<std::byte> seen_;  // older entries, as the last search found them in the file
  mutable std::size_t seen_begin_ = 0;
};

}  // namespace storage
