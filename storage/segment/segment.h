// One data file with its indexes: append, read, truncate, recover.
//
// Costs: an append is one gathered write; index entries go to memory (entry_file.h). A read at the end of the log needs
// no I/O to find its place, an older one a few small reads. Opening reads nothing and opens nothing: files are opened
// when first used, and what an append must know (largest timestamp, time of the first batch) is read then.
// What making, sizing and cutting its files would cost an append is handed out as work for others (segment_work.h): but
// for the name of the data file, an append and a roll change nothing in the directory.
//
// Guarded by the lock of the partition that owns the log, except that a FileSlice once handed out, and the files of
// files_to_sync(), may be used by any thread: the bytes of an entry never change once written.
#pragma once

#include <absl/functional/function_ref.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file_slice.h"
#include "base/file_system.h"
#include "base/ids.h"
#include "protocol/records/batch.h"
#include "storage/segment/entry_scan.h"
#include "storage/segment/names.h"
#include "storage/segment/offset_index.h"
#include "storage/segment/segment_work.h"
#include "storage/segment/time_index.h"
#include "storage/segment/txn_index.h"

namespace storage {

struct ReadLimits {
  std::size_t max_bytes = 0;
  bool at_least_one_batch = true;
  bool may_wait = true;  // for the disk
};
// Does what a read that must not wait would have had to wait for, on a thread that may. Needs nothing of its log.
using BringIn = std::function<void()>;

// One whole batch to be written.
struct SegmentBatch {
  std::span<const std::byte> bytes;
  Offset base_offset;
  Offset last_offset;
  Timestamp max_timestamp;
};

struct IndexSettings {
  std::size_t max_bytes = 10'485'760;  // segment.index.bytes
  std::size_t interval_bytes = 4096;   // index.interval.bytes
};

// A record found by its time.
struct TimestampedOffset {
  Offset offset;
  Timestamp timestamp;
  base::LeaderEpoch leader_epoch = base::kNoLeaderEpoch;
  bool operator==(const TimestampedOffset&) const = default;
};

class Segment {
 public:
  // A new, empty segment. A data file of that name may exist only if it is empty. With a suffix, its files bear it.
  // With a size to preallocate the data file has that length from the start, until seal() or truncate_to() cuts it;
  // what lies behind the last entry is zeros, and recovery drops it.
  static Result<std::unique_ptr<Segment>> create(FileSystem& files, std::string directory, Offset base,
                                                 IndexSettings index, Timestamp now,
                                                 std::uint64_t preallocated_bytes = 0,
                                                 FileSuffix suffix = FileSuffix::none);
  // The same where no files of that name are, as above the end of a log, and for a caller that must not wait: one call
  // makes the data file. The rest is files_to_make().
  static Result<std::unique_ptr<Segment>> create_next(FileSystem& files, std::string directory, Offset base,
                                                      IndexSettings index, Timestamp now,
                                                      std::uint64_t preallocated_bytes);
  // One that exists. What lies in its files is looked at when it is needed.
  static Result<std::unique_ptr<Segment>> open(FileSystem& files, std::string directory, Offset base,
                                               IndexSettings index, Timestamp now);

  Offset base_offset() const { return base_; }
  std::uint64_t size_bytes() const { return size_; }

  // All batches with one write. They follow each other and whatever is there.
  Status append(std::span<const SegmentBatch> batches);
  // Files that appends will need, if they are not there yet; to be made by a thread that may wait, soon. Until then the
  // entries of the indexes stay in memory. Null: nothing to do.
  std::shared_ptr<SegmentWork> files_to_make();

  struct Slice {
    base::FileSlice records;
    Offset first_offset;  // of the batch the slice begins with; may be below what was asked for
    BringIn bring_in{};   // then the rest says nothing: to be done before the same is asked again
  };
  // From the batch that holds `from`, up to the batch that holds `bound` (excluded; nothing: to the end of the file).
  // The last batch may be cut short by the limit. Nothing: no batch here reaches `from`. An empty slice: none below
  // the bound.
  Result<std::optional<Slice>> read(Offset from, std::optional<Offset> bound, ReadLimits limits);

  // The first record at or above `from` that is at least as young as `target`.
  Result<std::optional<TimestampedOffset>> find_timestamp(Timestamp target, Offset from);
  // Of any record here; nothing when there is none with a timestamp.
  Result<std::optional<Timestamp>> largest_timestamp();
  // Of the data file, which is when its last record was written.
  Result<Timestamp> modified() const;
  // Behind the last batch, found by reading the end of the file; base_offset() when empty. `corrupt_message` when the
  // file does not end in a whole batch.
  Result<Offset> read_next_offset();

  // How long this segment has been filling, on the clock of the records where they have one.
  Result<std::chrono::milliseconds> filling_for(Timestamp newest, Timestamp now);
  bool indexes_full() const { return offset_index_.is_full() || time_index_.is_full(); }

  // Drops every batch that reaches `offset`, and what the indexes say of it.
  Status truncate_to(Offset offset);

  struct Recovered {
    Offset next_offset;
    std::uint64_t dropped_bytes = 0;
    base::Status why;  // what was wrong with the dropped bytes
  };
  // Reads the whole file: lengths, checksums, rising offsets. Cuts it before the first bad entry and writes the indexes
  // anew. `seen` hears of each good entry in order and may append to txn_index(); an error from it makes the entry bad.
  Result<Recovered> recover(absl::FunctionRef<Status(const protocol::EntryView&)> seen);
  // Every good entry from the batch that holds `from` on, without checking checksums again.
  Status replay(Offset from, absl::FunctionRef<Status(const protocol::EntryView&)> seen);
  // From the headers in the data file; for indexes that are missing or damaged.
  Status rebuild_indexes();
  // Whether the index files beside the data are there and plausible: sizes, and no entry beyond the data.
  Result<bool> indexes_plausible();

  // No more appends: the last time entry is written, the indexes are cut to their size. The segment can still be read.
  Status seal();
  bool is_sealed() const { return sealed_; }
  // The same in two steps, for a caller that must not wait. The first may fail, then nothing has happened.
  Status prepare_seal();
  std::shared_ptr<SegmentWork> seal_later();
  // What a sealed segment has open goes; the next look opens it again. False: somebody is still at work on the files.
  bool close_files();
  void stop_opening() { opening_.reset(); }
  bool holds_files() const { return data_ || opening_; }
  // Everything that has to be on disk before this segment counts as flushed; any thread may sync them, with what
  // `first` brings.
  struct ToSync {
    std::shared_ptr<SegmentWork> first;  // null: nothing
    std::vector<std::shared_ptr<base::File>> files;
  };
  Result<ToSync> files_to_sync();
  // The data alone. Enough while the segment is active: recovery makes its indexes anew.
  Result<std::shared_ptr<base::File>> data_to_sync();

  TxnIndex& txn_index() { return txn_index_; }
  // What a sealed segment has learnt of aborted transactions since.
  Status write_transactions();
  // The files themselves, one by one; the data file last, because without it the others mean nothing.
  Status remove_files();
  // The files get the suffix .deleted where they lie; who has them open goes on reading. Their new paths. Nothing else
  // may be asked of this segment afterwards.
  //
  // Commit point: the data file's name, which goes first. Stopping before it leaves the segment whole; after it,
  // indexes without data, which the next start removes. The other way round it would find data whose aborted
  // transactions nobody remembers.
  Result<std::vector<std::string>> mark_deleted();

 private:
  struct Place {  // of one entry in the data file
    std::uint64_t position = 0;
    std::size_t size_bytes = 0;
    Offset base_offset;
    Offset last_offset;
  };
  struct Largest {
    Timestamp timestamp = base::kNoTimestamp;
    Offset offset;
  };

  Segment(FileSystem& files, std::string directory, Offset base, IndexSettings index, Timestamp now,
          FileSuffix suffix = FileSuffix::none);
  std::string path(FileKind kind) const { return directory_ + "/" + file_name(base_, kind, suffix_); }
  Status open_data();
  Status load_indexes();
  Result<Largest> load_largest();
  void index(const Place& place, Timestamp max_timestamp);
  void take_up_made_files();
  // Before anything but appends and reads: nobody else works on the files any more.
  Status finish_work();
  void cancel_work();
  std::shared_ptr<SegmentWork> open_to_sync() const;
  // The first entry that reaches `offset`.
  using Cold = std::optional<ColdSpot>;
  Result<std::optional<Place>> locate(Offset offset, Cold* cold = nullptr);
  bool is_recent(Offset offset) const { return offset > recent_.back().last_offset || locate_recent(offset); }
  BringIn open_elsewhere();
  BringIn bring_in(const ColdSpot& spot) const;
  std::optional<Place> locate_recent(Offset offset) const;
  // From an entry at or before the one that reaches `offset`, as the index tells.
  Result<HeaderScan> scan_from(Offset offset, Cold* cold = nullptr);
  Result<std::optional<HeaderScan>> scan_at(std::uint64_t position, Offset offset, Cold* cold);

  FileSystem& files_;
  std::string directory_;
  Offset base_;
  FileSuffix suffix_;
  IndexSettings index_settings_;
  Timestamp created_;
  std::shared_ptr<base::File> data_;
  std::uint64_t size_ = 0;
  OffsetIndex offset_index_;
  TimeIndex time_index_;
  TxnIndex txn_index_;
  std::shared_ptr<base::File> txn_file_;  // while it may have to be synced
  std::shared_ptr<SegmentWork> making_;   // handed out, and not taken up
  std::shared_ptr<SegmentWork> sealing_;
  std::shared_ptr<SegmentWork> opening_;  // for a reader that must not wait
  std::uint64_t to_preallocate_ = 0;
  bool indexes_loaded_ = false;
  bool preallocated_ = false;  // the data file is longer than what was written, or will be
  bool sealed_ = false;        // nothing was appended since the indexes were cut to their size
  bool rebuilt_ = false;       // once is enough: if it did not help, the data itself is damaged
  Status index_status_;        // the first failed write of an index, reported by the append that met it
  std::size_t bytes_since_entry_ = 0;
  std::optional<Largest> largest_;       // unknown until needed
  std::optional<Timestamp> first_time_;  // of the first batch; unknown until needed
  std::vector<Place> recent_;            // the last batches appended, oldest first, without gaps between them
};

}  // namespace storage
