// One segment read whole: every length, checksum and offset, and both sparse indexes on the way.
//
// What the segments of a partition have to tell each other (epochs, transactions) is gathered in the report, so that
// they can be read at the same time by different threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/ids.h"
#include "storage/check/finding.h"
#include "storage/log/epochs.h"
#include "storage/log/producers.h"

namespace storage {

struct SegmentPlace {
  std::string directory;
  base::Offset base;
  std::optional<base::Offset> next_base;  // nothing: the last segment of the log
  bool being_written = false;  // or above the recovery point of a broken stop: the next start makes its indexes anew
};

// Where a transaction of one producer begins or ends in a segment.
struct TxnEvent {
  base::ProducerId producer;
  base::Offset offset;
  enum class Kind { data, abort, commit } kind = Kind::data;  // data: the first since the last end
};

struct SegmentReport {
  std::vector<Finding> findings;
  std::uint64_t size_bytes = 0;
  std::uint64_t sound_end = 0;               // behind the last sound entry
  std::optional<base::Offset> first_offset;  // of the first sound entry
  base::Offset next_offset;                  // behind the last sound entry; the base when there is none
  bool damaged_tail = false;                 // something that is no entry stands behind sound_end
  bool may_cut_tail = false;                 // nothing valid stands there, and no segment follows
  bool damaged_middle = false;               // sound entries follow damaged bytes
  bool gaps = false;                         // offsets are missing: it was compacted
  bool has_legacy = false;
  bool indexes_bad = false;
  std::vector<EpochStart> epochs;  // each change of epoch; kNoLeaderEpoch where older formats begin
  std::vector<TxnEvent> transactions;
};

// Fails only when a file cannot be read. `progress` grows by the bytes read. Any thread.
base::Result<SegmentReport> check_segment(base::FileSystem& files, const SegmentPlace& place,
                                          std::atomic<std::uint64_t>& progress);

}  // namespace storage
