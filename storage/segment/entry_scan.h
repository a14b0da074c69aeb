// Walking the entries (batches of magic 2, messages of magic 0 and 1) of a data file.
#pragma once

#include <absl/functional/function_ref.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "base/buffer.h"
#include "base/file_system.h"
#include "protocol/records/batch.h"

namespace storage {

// What somebody who must not wait for the disk would have had to wait for.
struct ColdSpot {
  bool in_index = false;  // somewhere in the offset index; otherwise in the data
  std::uint64_t position = 0;
  std::size_t size_bytes = 0;
};
// The error that goes with it; it never leaves the segment.
inline constexpr auto kColdRead = base::ErrorCode::operation_not_attempted;

// Only the fixed part of each entry is read, through a small window: to find a place in a file. One system call per
// window or per entry, whichever is less. Given a place to tell of it, what the page cache does not hold is not read.
// Borrows the file. Not thread-safe.
class HeaderScan {
 public:
  // One index interval and a header: what separates an index entry from the batch that is looked for.
  static constexpr std::size_t kWindowBytes = 4096 + protocol::kBatchHeaderBytes;

  HeaderScan(const base::File& file, std::uint64_t from, std::uint64_t to, std::optional<ColdSpot>* cold = nullptr)
      : file_(&file), position_(from), end_(to), cold_(cold) {}

  struct Found {
    protocol::EntryHeader header;
    std::uint64_t position = 0;
    std::uint64_t end() const { return position + header.size_bytes; }
  };
  // Nothing at the end, also when it cuts an entry short. `corrupt_message` where no entry begins.
  base::Result<std::optional<Found>> next();

  // Where next() looks. Going back to what was just found costs no read.
  std::uint64_t position() const { return position_; }
  void go_to(std::uint64_t position) { position_ = position; }

 private:
  const base::File* file_;
  std::uint64_t position_;
  std::uint64_t end_;
  std::optional<ColdSpot>* cold_;
  std::vector<std::byte> window_;
  std::uint64_t window_begin_ = 0;
};

struct ScanEnd {
  std::uint64_t position = 0;  // behind the last good entry
  base::Status why;            // `corrupt_message` when something else than the end of the file stopped the scan
};

// Reads every entry in [from, to) whole, in large pieces. `take` may refuse one: its error stops the scan before it.
// `why` says what stopped a scan early; the Result itself fails only when the file cannot be read.
base::Result<ScanEnd> scan_entries(
    const base::File& file, std::uint64_t from, std::uint64_t to,
    absl::FunctionRef<base::Status(const protocol::EntryView& entry, std::uint64_t position)> take);

}  // namespace storage
