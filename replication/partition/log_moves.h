// Replicas on their way to another data directory of this broker: the log is copied in the background while it is used,
// and when the copy has caught up it takes the log's place, under the partition's lock.
//
// Copied are committed records only, which no truncation takes back; the few above the high watermark follow under the
// lock. The exchange waits for the disk with the lock held: a few files are synced and two directories renamed, once
// per move. Steps on disk, and what a start makes of a move that was stopped: storage/dirs/log_set_move.cc.
//
// All of them together read no more than replica.alter.log.dirs.io.max.bytes.per.second.
//
// Any thread may call. Each move is worked on by one thread at a time of a pool of its own.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/logging.h"
#include "base/loop.h"
#include "replication/partition/partition.h"
#include "storage/clean/throttle.h"
#include "storage/dirs/log_set.h"

namespace replication {

class LogMoves {
 public:
  // `threads`: num.replica.alter.log.dirs.threads.
  LogMoves(storage::LogSet& logs, base::Clock& clock, std::size_t threads)
      : logs_(logs), clock_(clock), pool_(threads, "log-moves") {}
  ~LogMoves() { stop(); }

  void start() { pool_.start(); }
  void limit(std::int64_t bytes_per_second) ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives up what is under way; the next start begins those moves anew.
  void stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // Nothing to do when the log lies there, or is on its way there; a move to somewhere else is given up.
  base::Status move(const std::shared_ptr<Partition>& partition, std::shared_ptr<storage::DirectoryHealth> to)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A replica came up: a move that the last stop interrupted begins again.
  void resume(const std::shared_ptr<Partition>& partition) ABSL_LOCKS_EXCLUDED(mutex_);
  // The replica goes away. Waits for the step under way.
  void cancel(const base::TopicPartition& partition) ABSL_LOCKS_EXCLUDED(mutex_);
  // Moves that wait for records to be committed look again. To be called from time to time.
  void look_again() ABSL_LOCKS_EXCLUDED(mutex_);

  struct Copy {
    base::TopicPartition partition;
    LogPlace place;  // offset_lag: behind the log itself
  };
  std::vector<Copy> copies() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Move {
    const std::shared_ptr<Partition> partition;
    const std::shared_ptr<storage::DirectoryHealth> to;
    std::shared_ptr<const storage::LogMarks> marks;  // of the copy
    std::unique_ptr<storage::Log> copy;              // of whoever works on the move
    base::Buffer buffer{};
    std::uint64_t seen_cuts = 0;  // how often the log had been cut when it was last read
    // How far the log was compacted when copying began: what was cleaned since may have been copied before.
    base::Offset cleaned_to = base::kNoOffset;
    bool working = false;  // the rest is guarded by mutex_
    bool cancelled = false;
    std::uint64_t copied_bytes = 0;
  };
  enum class Step { more, wait, done };

  void work_on(const std::shared_ptr<Move>& move) ABSL_LOCKS_EXCLUDED(mutex_);
  void submit(const std::shared_ptr<Move>& move) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Waits until the limit allows so many bytes. False when the move is to end.
  bool spend(const Move& move, std::size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  base::Result<Step> step(Move& move);
  base::Result<Step> exchange(Move& move);

  storage::LogSet& logs_;
  base::Clock& clock_;
  base::BlockingPool pool_;
  const base::Logger log_{"kafka.server.ReplicaAlterLogDirsManager"};
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<base::TopicPartition, std::shared_ptr<Move>> moves_ ABSL_GUARDED_BY(mutex_);
  std::int64_t bytes_per_second_ ABSL_GUARDED_BY(mutex_) = std::numeric_limits<std::int64_t>::max();
  storage::Throttle throttle_ ABSL_GUARDED_BY(mutex_){static_cast<double>(bytes_per_second_)};
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace replication
