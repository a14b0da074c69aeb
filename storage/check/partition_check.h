// One partition's directory checked whole, and mended where that loses no valid record.
//
// survey() looks at the names; check_segment() may then be called for each segment, by several threads at once;
// finish() puts together what they found and looks at the small files. repair() acts on the findings, afterwards all of
// it can be done again to see what is left. Nobody else uses the directory meanwhile. Waits for the disk.
#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "storage/check/finding.h"
#include "storage/check/segment_check.h"
#include "storage/log/leftovers.h"
#include "storage/segment/txn_index.h"

namespace storage {

class PartitionCheck {
 public:
  // What the log directory says of how the last broker stopped.
  struct LastStop {
    bool clean = false;                      // its marker is there
    std::optional<Offset> recovery_point{};  // after any other stop the next start recovers what lies above
  };
  PartitionCheck(base::FileSystem& files, std::string directory, LastStop stop)
      : files_(files), directory_(std::move(directory)), stop_(stop) {}

  base::Status survey();
  std::size_t segment_count() const { return segments_.size(); }
  std::uint64_t size_bytes(std::size_t segment) const { return segments_[segment].size_bytes; }
  void check_segment(std::size_t segment, std::atomic<std::uint64_t>& progress);
  base::Status finish();

  const std::string& directory() const { return directory_; }
  const std::vector<Finding>& findings() const { return findings_; }
  // Of the sound records; the base of the first segment, and behind the last sound entry.
  Offset first_offset() const { return first_offset_; }
  Offset log_end() const { return log_end_; }
  // Damaged records stand before sound ones: the end is not to be trusted when the broker recovers.
  bool damaged_inside() const { return damaged_inside_; }

  // A sentence for each thing done. Fails when the disk does.
  base::Result<std::vector<std::string>> repair();

 private:
  struct SegmentState {
    Offset base;
    std::uint64_t size_bytes = 0;
    std::optional<SegmentReport> report;
    base::Status status;
  };
  std::string path(std::string_view name) const { return directory_ + "/" + std::string(name); }
  void add(std::string_view name, std::string what, Remedy remedy) {
    findings_.push_back({path(name), std::nullopt, std::move(what), remedy});
  }
  bool wants(Remedy remedy) const;
  bool is_being_written(std::size_t segment) const;
  base::Status check_transactions();
  base::Status check_txn_index(const SegmentState& segment, const std::vector<AbortedTxn>& replayed);
  base::Status check_snapshots();
  base::Status check_epochs();
  base::Status check_metadata();

  base::Status repair_segments(std::vector<std::string>& done);
  base::Status repair_txn_indexes(std::vector<std::string>& done);
  base::Status repair_epochs(std::vector<std::string>& done);
  base::Status repair_snapshots(std::vector<std::string>& done);

  base::FileSystem& files_;
  std::string directory_;
  LastStop stop_;
  std::vector<SegmentState> segments_;
  std::set<Offset> snapshots_;
  std::vector<Finding> findings_;
  std::map<Offset, std::vector<AbortedTxn>> wanted_txn_indexes_;  // by segment, where the file is wrong
  std::vector<Offset> bad_snapshots_;
  std::vector<Offset> stray_snapshots_;
  EpochTable epochs_;  // what the batches say
  Offset first_offset_;
  Offset log_end_;
  bool dense_ = false;  // nothing is missing from offset 0 on: what is replayed is the whole truth
  bool damaged_inside_ = false;
};

}  // namespace storage
