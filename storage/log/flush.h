// How much of a log is safe on disk, and the work that makes more of it safe.
//
// The recovery point is the offset below which everything was synced. Syncing happens outside the partition's lock, on
// any thread; a log that is truncated meanwhile must not have its recovery point raised by a sync of what is gone.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/ids.h"
#include "storage/dirs/directory_health.h"
#include "storage/log/producers.h"
#include "storage/segment/segment_work.h"

namespace storage {

// Any thread may call. Shared by a log and the flushes under way.
class RecoveryPoint {
 public:
  explicit RecoveryPoint(base::Offset at) : at_(at) {}

  // Of one log: another one that bears its name, or has taken its place, does not know it.
  struct Ticket {
    const RecoveryPoint* of = nullptr;
    std::uint64_t generation = 0;
  };
  base::Offset get() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return at_;
  }
  Ticket ticket() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return {this, generation_};
  }
  // Not when the log was cut since the ticket was taken.
  void raise(base::Offset to, Ticket ticket) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (is_current(ticket) && to > at_) at_ = to;
  }
  bool current(Ticket ticket) const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return is_current(ticket);
  }
  // The log is going away; its directory may be renamed any moment. No flush under way may complain about that. Waits
  // for those inside.
  void abandon() ABSL_LOCKS_EXCLUDED(mutex_) {
    lower(get());
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](int* inside) { return *inside == 0; }, &inside_));
  }
  // While work that makes files goes on: the directory keeps its name. False, and nothing is to be done, when the log
  // was cut or abandoned.
  bool enter(Ticket ticket) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (!is_current(ticket)) return false;
    ++inside_;
    return true;
  }
  void leave() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    --inside_;
  }
  // The log was cut at `to`.
  void lower(base::Offset to) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    ++generation_;
    if (to < at_) at_ = to;
    named_segment_.reset();
  }
  // The segment at `base` takes no more data. Until sealed_below() its indexes may not be on disk, though its data is.
  void sealing(base::Offset base) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    sealing_.insert(base);
  }
  void sealed_below(base::Offset base, Ticket ticket) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (is_current(ticket)) sealing_.erase(sealing_.begin(), sealing_.lower_bound(base));
  }
  // What a start may rely on: recovery does not look at the indexes of segments below.
  base::Offset whole() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return sealing_.empty() ? at_ : std::min(at_, *sealing_.begin());
  }
  // Whether the directory was synced since the segment that begins at `base` was made.
  bool is_named(base::Offset base) const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return named_segment_ == base;
  }
  void named(base::Offset base, Ticket ticket) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (is_current(ticket)) named_segment_ = base;
  }

 private:
  bool is_current(Ticket ticket) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return ticket.of == this && ticket.generation == generation_;
  }

  mutable absl::Mutex mutex_;
  base::Offset at_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  int inside_ ABSL_GUARDED_BY(mutex_) = 0;
  std::set<base::Offset> sealing_ ABSL_GUARDED_BY(mutex_);
  std::optional<base::Offset> named_segment_ ABSL_GUARDED_BY(mutex_);  // the newest whose name is on disk
};

// Everything needed to sync a stretch of a log without its lock. Owns what it touches except the FileSystem.
class Flush {
 public:
  base::FileSystem* files = nullptr;
  std::shared_ptr<DirectoryHealth> health;
  std::string directory;
  std::vector<std::shared_ptr<SegmentWork>> to_finish;  // first; what it brings is synced too
  std::vector<std::shared_ptr<base::File>> to_sync;
  base::Offset last_segment;  // the active one's base
  base::Offset whole_below;   // segments below are synced with their indexes
  struct Snapshot {
    std::string path;
    std::vector<ProducerEntry> entries;
  };
  std::optional<Snapshot> snapshot;  // of the producers at `to`
  base::Offset to;
  std::shared_ptr<RecoveryPoint> recovery_point;
  RecoveryPoint::Ticket ticket;

  // Waits for the disk. Any thread. A failure retires the directory, unless the log was cut or given up meanwhile.
  base::Status run() const;

 private:
  base::Status finish(std::vector<std::shared_ptr<base::File>>& made) const;
  base::Status sync() const;
};

}  // namespace storage
