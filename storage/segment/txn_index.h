// The aborted transactions whose markers lie in one segment.
//
// One entry, 34 bytes, big-endian, in marker order:
//   [ version 0 : i16 ][ producer id : i64 ][ first offset : i64 ][ last offset (the marker) : i64 ]
//   [ last stable offset when the marker was appended : i64 ]
// Aborts are rare: entries are written at once, the file exists only when it has entries, and the few there are stay
// in memory after the first look. Guarded by the owner of the segment.
#pragma once

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
  base::Status append(const AbortedTxn& aborted);
  // Drops what was aborted at or after `offset`.
  base::Status truncate_to(Offset offset);
  base::Status reset();
  // Null when there is nothing to sync.
  std::shared_ptr<base::File> file() const { return file_; }

 private:
  base::Status open() const;
  base::Status write_from(std::size_t first);

  base::FileSystem& files_;
  std::string path_;
  mutable std::shared_ptr<base::File> file_;
  mutable std::optional<std::vector<AbortedTxn>> entries_;
};

}  // namespace storage
