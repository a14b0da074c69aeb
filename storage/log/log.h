// The partition log: append, read, roll, truncate, advance start.
//
// Offsets, rising:   log start <= recovery point? <= high watermark <= log end
//   log start        what readers may ask for at the earliest
//   recovery point   everything below is synced (any relation to the high watermark)
//   high watermark   everything below is on all in-sync replicas; the partition's decision, kept here for readers,
//                    producers' state and the checkpoint
//   last stable      what readers of committed data see: the high watermark, or the first open transaction below it
//   log end          the next record's offset
//
// Guarded by the lock of the Partition that owns it; what says "any thread" needs no lock. Appends and reads run in
// place: an append is one gathered write to the page cache, a read finds a place and hands out a FileSlice, which stays
// good after the lock is gone and after the segment is deleted. What else an append or a roll brings about goes to the
// background: making and cutting indexes, syncing, snapshots. At a roll one call makes the next data file, for no other
// name would do: records of a process that is killed are looked for by name, by Kafka too.
// A failed write retires the whole log directory (DirectoryHealth); from then on every call fails. On a full disk an
// append fails and leaves no trace.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/random.h"
#include "base/uuid.h"
#include "protocol/records/batch.h"
#include "storage/dirs/directory_health.h"
#include "storage/log/epochs.h"
#include "storage/log/flush.h"
#include "storage/log/log_settings.h"
#include "storage/log/message_set.h"
#include "storage/log/producers.h"
#include "storage/segment/open_segments.h"
#include "storage/segment/segment_list.h"

namespace storage {

// Files and directories that are gone for everybody but still take up space.
struct PutOffRemoval {
  std::vector<std::string> paths;
  std::shared_ptr<DirectoryHealth> directory;
  std::chrono::milliseconds after{0};  // file.delete.delay.ms
};

// What a log takes from the broker; all outlive it.
struct LogServices {
  base::FileSystem& files;
  base::Clock& clock;
  base::Random& random;
  std::function<void(std::function<void()>)> in_background;  // may wait for the disk: BlockingPool::submit
  // LogSet puts itself here. Without it the files wait for the next start, which removes them.
  std::function<void(PutOffRemoval)> remove_later = {};
  OpenSegments* open_segments = nullptr;  // LogSet's too; without it each log bounds only itself
};

// What may be known of a log without its lock, and outlives it: for checkpoints and metrics. Any thread may read.
struct LogMarks {
  LogMarks(Offset start, Offset watermark, Offset end, Offset first, Offset recovery)
      : log_start(start), high_watermark(watermark), log_end(end), first_base(first), recovery_point(recovery) {}

  std::atomic<Offset> log_start;
  std::atomic<Offset> high_watermark;
  std::atomic<Offset> log_end;
  std::atomic<Offset> first_base;                   // of the oldest segment
  std::atomic<Offset> cleaned_to{base::kNoOffset};  // below it every key was made unique; -1: never cleaned
  RecoveryPoint recovery_point;
};

struct AppendInfo {
  Offset base_offset;
  Offset last_offset;
  // Of a duplicate: what the first one was given. Otherwise -1 unless the batch bears log append time.
  Timestamp log_append_time = base::kNoTimestamp;
  Offset log_start_offset;
  bool duplicate = false;

  Offset next_offset() const { return last_offset + 1; }
};

struct LogSlice {
  base::FileSlice records;  // empty when nothing lies between `from` and the bound
  Offset first_offset;      // of the batch the slice begins with; at or below what was asked for
  Offset segment_base;      // of the segment that holds it
  BringIn bring_in{};       // then the rest says nothing: the disk has to be waited for, by somebody who may
};

class Log {
 public:
  struct Parts {  // what the loader found, or creation made
    TopicPartition partition;
    std::string directory;
    std::optional<base::Uuid> topic_id;
    std::shared_ptr<DirectoryHealth> health;
    LogSettings settings;
    SegmentList segments;  // at least one
    LeaderEpochs epochs;
    Producers producers;
    Offset log_start;
    Offset high_watermark;
    Offset recovery_point;
    Offset log_end;
    bool snapshot_at_end = false;  // a snapshot of the producers at log_end is on disk
    Offset cleaned_to = base::kNoOffset;
  };
  Log(LogServices services, Parts parts);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  const TopicPartition& partition() const { return parts_.partition; }
  const std::string& directory() const { return parts_.directory; }
  const std::optional<base::Uuid>& topic_id() const { return parts_.topic_id; }
  // Learnt from the controller. Written down before this returns; `inconsistent_topic_id` when another is known.
  Status set_topic_id(const base::Uuid& id);
  DirectoryHealth& health() const { return *parts_.health; }
  std::shared_ptr<DirectoryHealth> shared_health() const { return parts_.health; }
  const LogSettings& settings() const { return parts_.settings; }
  void set_settings(LogSettings settings) { parts_.settings = settings; }

  // Any thread.
  Offset log_start_offset() const { return marks_->log_start.load(std::memory_order_acquire); }
  Offset high_watermark() const { return marks_->high_watermark.load(std::memory_order_acquire); }
  Offset log_end_offset() const { return marks_->log_end.load(std::memory_order_acquire); }
  Offset recovery_point() const { return marks_->recovery_point.get(); }
  std::shared_ptr<const LogMarks> marks() const { return marks_; }

  Offset last_stable_offset() const;
  // The partition's rules decided; must lie between log start and log end.
  void set_high_watermark(Offset to);

  // This broker leads from now on: the epoch begins at the log end and is written down before its first record. Waits
  // for the disk: called when leadership is taken, so that the first append need not.
  Status begin_leader_epoch(base::LeaderEpoch epoch);

  // Batches that passed admission, as one unit: all or none are appended. Stamps offsets and epoch in place.
  // A repetition of what an idempotent producer sent before is answered with what that was given.
  Result<AppendInfo> append_as_leader(std::span<protocol::Batch> batches, base::LeaderEpoch leader_epoch,
                                      AppendOrigin origin = AppendOrigin::client);
  // Messages of magic 0 or 1, for a topic that keeps such. They belong to no leader epoch.
  Result<AppendInfo> append_as_leader(MessageSet& messages);
  // Entries as the leader wrote them, of any magic; a cut one at the end is left out. They must begin at or above the
  // log end. Nothing: not one whole entry.
  Result<std::optional<AppendInfo>> append_as_follower(std::span<const std::byte> entries);

  // `offset_out_of_range` below the log start or above the log end; empty at or above the bound.
  Result<LogSlice> read(Offset from, Offset upper_bound, ReadLimits limits);
  // Of the segment that would hold `offset`. Two offsets of one segment lie close; waiting fetches ask for that.
  Offset segment_base_of(Offset offset) const;
  // Transactions that were aborted and overlap [from, to); may name extra ones.
  Result<std::vector<AbortedTxn>> aborted_transactions(Offset from, Offset to);
  // What that would have to wait for; null: nothing.
  BringIn bring_in_aborted_transactions(Offset from, Offset to) const;

  // The first record at least as young as `target`, below `bound`.
  Result<std::optional<TimestampedOffset>> offset_for_timestamp(Timestamp target, Offset bound);
  // The first record that bears the largest timestamp, below `bound`.
  Result<std::optional<TimestampedOffset>> offset_of_largest_timestamp(Offset bound);
  TimestampedOffset earliest() const;
  // ListOffsets v0 knows no times of records, only those of segments.
  struct SegmentTime {
    Offset base;
    Timestamp modified;
  };
  Result<std::vector<SegmentTime>> segment_times() const;  // newest first
  EpochEnd end_offset_for_epoch(base::LeaderEpoch epoch) const;
  std::optional<base::LeaderEpoch> latest_epoch() const;

  // Drops every record at and above `to`; a batch that `to` splits goes whole, so look at log_end_offset() afterwards.
  Status truncate_to(Offset to);
  // Drops everything; the next record is `to`.
  Status truncate_fully_and_start_at(Offset to);
  // Records below `to` are gone for readers. Not below what it is, at most the high watermark.
  Status advance_log_start(Offset to);
  // The next record is `to`, above the log end: where this log is copied from, compaction left nothing in between.
  Status skip_to(Offset to);
  // A new active segment at the log end, unless the active one is empty.
  Status roll();

  // Segments the log no longer needs, never the active one: out of the list, their files renamed to *.deleted at once
  // and removed after file.delete.delay.ms. Slices already handed out stay good. Log start, epochs and snapshots stay
  // as they are.
  //
  // Commit point of each segment: the rename of its data file. Oldest first: whatever instant we stop at, what was to
  // be deleted from the front leaves no hole.
  Status give_up_segments(SegmentRange range);

  // Between two looks segments that are not active keep their files open for a while, a few of each log and a bounded
  // number of all; this closes them. To be called from time to time.
  void close_idle_files();

  // Good until something is cut off the log, or the log is given up: marks()->recovery_point.current(ticket). Any
  // thread.
  RecoveryPoint::Ticket ticket() const { return marks_->recovery_point.ticket(); }

  // A cleaned segment takes the place of those it was made from. Its files are complete, synced, and named
  // <base>.*.cleaned with the base of the first of `replaced`, which are neighbours; the active one is not among them.
  struct CleanedSegment {
    std::vector<Offset> replaced;
    RecoveryPoint::Ticket seen;  // taken before the first of them was read
  };
  // Nothing, and nothing has happened, when the log was cut or lost one of them meanwhile. Otherwise the files that are
  // to be removed, but not before the directory was synced: until then a machine that stops may need them.
  Result<std::optional<PutOffRemoval>> swap_in(const CleanedSegment& cleaned);
  void remove_later(PutOffRemoval removal) const {
    if (services_.remove_later && !removal.paths.empty()) services_.remove_later(std::move(removal));
  }
  // Not when the log was cut since.
  void set_cleaned_to(Offset to, RecoveryPoint::Ticket seen);

  // The first `count` segments go, the log start moves up to where the next one begins, and what epochs and snapshots
  // say of the past is forgotten. All of it must lie below the high watermark.
  Status delete_leading_segments(std::size_t count);
  // What settings().retention has no room for goes, at most `most` segments, so that the caller's lock is held shortly.
  // Nothing: there is nothing (more) to delete, which costs a look at the first segment.
  struct Deleted {
    std::size_t segments = 0;
    std::uint64_t size_bytes = 0;
    Offset first_base;  // of the oldest that went
    RetentionReason why = RetentionReason::time;
  };
  Result<std::optional<Deleted>> apply_retention(Timestamp now, std::size_t most);

  // Everything up to now. To be run on a thread that may wait, without the partition's lock.
  Result<Flush> prepare_flush();
  // Something is unflushed, and the last flush was prepared flush.ms ago or longer.
  bool is_flush_overdue() const;
  // Runs `work` where it may wait for the disk.
  void in_background(std::function<void()> work) const { services_.in_background(std::move(work)); }
  // Orderly stop: indexes cut to size, everything synced, producers' snapshot at the log end. Waits for the disk.
  // Nothing may be appended afterwards.
  Status close();
  // The directory is about to be renamed or removed: no call but the destructor may follow.
  void abandon();

  std::uint64_t size_bytes() const { return parts_.segments.size_bytes(); }
  const SegmentList& segments() const { return parts_.segments; }
  const Producers& producers() const { return parts_.producers; }
  const EpochTable& epochs() const { return parts_.epochs.table(); }
  std::size_t remove_expired_producers(Timestamp now, std::chrono::milliseconds silence) {
    return parts_.producers.remove_expired(now, silence);
  }

 private:
  struct Incoming {
    std::uint64_t size_bytes = 0;
    Offset first_offset;
    Offset last_offset;
    Timestamp max_timestamp = base::kNoTimestamp;
  };

  Status check_usable() const;
  Status watch(Status status) { return parts_.health->watch(std::move(status)); }
  template <class T>
  Result<T> watch(Result<T> result);
  // Where stopping in the middle is not an option, even on a full disk.
  Status insist(Status status) { return parts_.health->insist(std::move(status)); }
  template <class T>
  Result<T> insist(Result<T> result);
  Result<std::optional<AppendInfo>> check_producers(std::span<const protocol::Batch> batches,
                                                    AppendOrigin origin) const;
  Status roll_if_due(const Incoming& incoming);
  Result<bool> roll_is_due(const Incoming& incoming);
  Status roll_at(Offset new_base);
  Status write(std::span<const SegmentBatch> batches);
  void make_in_background(std::shared_ptr<SegmentWork> work);
  // What the active segment needs: all of it when it is the last that is written to it.
  enum class Active { data, all };
  Result<Flush> flush_to(Offset to, Active active);
  std::uint64_t preallocated_bytes() const { return parts_.settings.preallocate ? parts_.settings.segment_bytes : 0; }
  void set_log_end(Offset to) { marks_->log_end.store(to, std::memory_order_release); }
  void set_log_start(Offset to) { marks_->log_start.store(to, std::memory_order_release); }
  void forget_snapshots_below(Offset offset);
  Result<Deletable> find_deletable_segments(Timestamp now);
  Result<PutOffRemoval> mark_deleted(SegmentRange range);
  void lower_cleaned_to(Offset to) {
    if (marks_->cleaned_to > to) marks_->cleaned_to = to;
  }
  void segments_changed() {
    close_left_open(0);
    marks_->first_base.store(parts_.segments.first().base_offset(), std::memory_order_release);
  }
  std::chrono::milliseconds draw_jitter();
  // Somebody looked into the segment at `i`, or it has rolled: its files are open.
  void left_open(std::size_t i);
  void close_left_open(std::size_t most);

  LogServices services_;
  Parts parts_;
  std::shared_ptr<LogMarks> marks_;
  std::chrono::milliseconds jitter_;  // of the active segment
  base::Instant last_flush_;
  std::vector<Offset> left_open_;  // bases of inactive segments with open files, the one used last at the end
  bool closed_ = false;
};

template <class T>
Result<T> Log::watch(Result<T> result) {
  if (!result) (void)watch(Status(result.error()));
  return result;
}

template <class T>
Result<T> Log::insist(Result<T> result) {
  if (!result) (void)insist(Status(result.error()));
  return result;
}

}  // namespace storage
