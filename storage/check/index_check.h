// The two sparse indexes held against the data while it is read once from front to back.
//
// An offset entry must name the beginning of an entry of the data file, and the last offset of that one or of one
// behind it (Apache Kafka 2.7 writes one entry for an append of many batches). A time entry must name an offset and the
// largest timestamp of all records up to the batch that holds it. Reads its whole file; no more than a few megabytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/ids.h"
#include "protocol/records/batch.h"
#include "storage/check/finding.h"
#include "storage/segment/names.h"

namespace storage {

// What is normal in the index of the segment being written to when a broker was killed.
struct IndexExpectation {
  bool may_be_missing = false;
  bool may_end_in_zeros = false;
};

class IndexCheck {
 public:
  // Nothing is told before load().
  IndexCheck(std::string directory, Offset base, FileKind kind);

  base::Status load(base::FileSystem& files, IndexExpectation expected, bool has_data, std::vector<Finding>& findings);
  // Each sound entry of the data file, in order.
  void see(const protocol::EntryHeader& entry, std::uint64_t position, std::vector<Finding>& findings);
  // The data between was damaged: entries that speak of it cannot be judged.
  void skip_to(std::uint64_t position);
  // What is left speaks of data that is not there. `whole`: the segment is closed and everything in it was read.
  void finish(bool whole, std::vector<Finding>& findings);

 private:
  struct Entry {
    Offset offset;
    std::uint64_t position = 0;                      // of an offset entry
    base::Timestamp timestamp = base::kNoTimestamp;  // of a time entry
  };
  std::string what(const Entry& entry) const;
  void wrong(std::size_t i, std::string why, std::vector<Finding>& findings);
  void see_offset(const protocol::EntryHeader& entry, std::uint64_t position, std::vector<Finding>& findings);
  void see_time(const protocol::EntryHeader& entry, std::vector<Finding>& findings);
  std::size_t entry_bytes() const;

  std::string path_;
  Offset base_;
  FileKind kind_;
  std::vector<Entry> entries_;
  std::size_t next_ = 0;  // the first entry not settled yet
  bool begun_ = false;    // its position was met, its offset not yet
  bool skipped_ = false;  // damage was passed: not everything can be told
  bool bad_ = false;      // one finding says enough: the file is rebuilt whole
  base::Timestamp largest_ = base::kNoTimestamp;
};

}  // namespace storage
