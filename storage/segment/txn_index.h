// The aborted transactions whose markers lie in one segment.
//
// One entry, 34 bytes, big-endian, in marker order:
//   [ version 0 : i16 ][ producer id : i64 ][ first offset : i64 ][ last offset (the marker) : i64 ]
//   [ last stable offset when the marker was appended : i64 ]
// Aborts are rare: the few there are stay in memory after the first look. As with the other indexes a crash may lose
// those of the active segment, for recovery finds them again in the data; so they are written when the segment is
// sealed, and the file exists only when it has entries. Guarded by the owner of the segment.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/ids.h"

namespace storage {

using base::Offset;

struct AbortedTxn {
  base::ProducerId producer_id;
  Offset first_offset;
  Offset last_offset;
  Offset last_stable_offset;
  bool operator==(const AbortedTxn&) const = default;
};

class TxnIndex {
 public:
  static constexpr std::size_t kEntryBytes = 34;

  TxnIndex(base::FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}

  // `corrupt_message` when the file is not a list of such entries: rebuild the segment's indexes from its data.
  base::Result<const std::vector<AbortedTxn>*> entries() const;
  // Whether entries() reads the file: who must not wait has that done by another thread first, if it was not done yet.
  std::function<void()> bring_in() const;
  base::Status append(const AbortedTxn& aborted);
  // Drops what was aborted at or after `offset`.
  base::Status truncate_to(Offset offset);
  base::Status reset();
  // Beside a new segment, where nothing is that could be removed.
  void begin_empty() { entries_.emplace(); }

  // What has to go into the file, to be written by any thread. Then it is open for a sync; null when there is no file.
  struct Rest {
    base::FileSystem* files = nullptr;
    std::string path;
    std::optional<std::vector<AbortedTxn>> entries;  // nothing: all are there

    base::Result<std::shared_ptr<base::File>> write() const;
  };
  Rest rest() const { return {&files_, path_, unwritten_ ? entries_ : std::nullopt}; }
  bool has_unwritten() const { return unwritten_; }
  void rest_written() { unwritten_ = false; }
  base::Result<std::shared_ptr<base::File>> write();

 private:
  base::FileSystem& files_;
  std::string path_;
  mutable std::optional<std::vector<AbortedTxn>> entries_;
  mutable bool brought_in_ = false;
  bool unwritten_ = false;
};

}  // namespace storage
