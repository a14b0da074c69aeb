// All logs of this broker: opened at start, created, deleted, and their offsets written down from time to time.
//
// A Log belongs to one place at a time: here after load(), then to the Partition that took it, and back here to be
// deleted or closed. What the checkpoints need (LogMarks) is shared, so writing them takes no partition's lock.
//
// Life: load() waits for the disk and opens every partition in parallel; start() runs the periodic work on a thread of
// its own; stop() ends that; close() is the orderly stop: closes the logs, writes the checkpoints, and leaves the clean
// marker where all went well. Any thread may call what is in between.
//
// Cost: after a clean stop about ten small system calls per partition. A checkpoint is one small file per directory.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/synchronization/mutex.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/logging.h"
#include "storage/dirs/checkpoints.h"
#include "storage/dirs/log_dirs.h"
#include "storage/log/loader.h"

namespace storage {

struct LogSetOptions {
  std::size_t recovery_threads_per_dir = 1;                   // num.recovery.threads.per.data.dir
  std::chrono::milliseconds recovery_point_interval{60'000};  // log.flush.offset.checkpoint.interval.ms
  std::chrono::milliseconds log_start_interval{60'000};       // log.flush.start.offset.checkpoint.interval.ms
  std::chrono::milliseconds high_watermark_interval{5'000};   // replica.high.watermark.checkpoint.interval.ms
};

class LogSet {
 public:
  // Everything passed by reference outlives this. `settings_of` is asked by several threads while logs are loaded.
  LogSet(LogServices services, LogDirs& dirs, LogSetOptions options,
         std::function<LogSettings(const std::string& topic)> settings_of);
  ~LogSet();

  // Fails for what must stop the start: a directory that is no partition's, a partition found twice, no directory left.
  Status load() ABSL_LOCKS_EXCLUDED(mutex_);
  // More periodic work, for logs that others hold. Before start(); not run before `every` has passed once.
  void run_every(std::chrono::milliseconds every, std::function<void()> work) ABSL_LOCKS_EXCLUDED(mutex_);
  void start() ABSL_LOCKS_EXCLUDED(mutex_);
  void stop() ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes back what was taken; nobody may use a log any more. Waits for the disk, with several threads per directory.
  Status close(std::vector<std::unique_ptr<Log>> taken) ABSL_LOCKS_EXCLUDED(mutex_);

  std::vector<TopicPartition> partitions() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Where it lies, once it exists; null when it does not.
  std::shared_ptr<DirectoryHealth> directory_of(const TopicPartition& partition) const ABSL_LOCKS_EXCLUDED(mutex_);
  // True when a log we do not know may lie where we cannot look.
  bool has_offline_directory() const { return dirs_.online().size() < dirs_.all().size(); }
  // Null when there is no such log, or it was taken.
  std::unique_ptr<Log> take(const TopicPartition& partition) ABSL_LOCKS_EXCLUDED(mutex_);

  // In the directory with the fewest partitions; taken at once. Fails when it exists.
  Result<std::unique_ptr<Log>> create(const TopicPartition& partition, std::optional<base::Uuid> topic_id,
                                      const LogSettings& settings) ABSL_LOCKS_EXCLUDED(mutex_);
  // Gone for everybody when this returns; the files follow after file.delete.delay.ms, or at the next start.
  Status remove(std::unique_ptr<Log> log) ABSL_LOCKS_EXCLUDED(mutex_);

  // Writes one kind of checkpoint of every online directory now. After a log was cut its recovery point must be written
  // before anything else may rely on it.
  void checkpoint_recovery_points() ABSL_LOCKS_EXCLUDED(mutex_, checkpoint_mutex_);
  void checkpoint_log_starts() ABSL_LOCKS_EXCLUDED(mutex_, checkpoint_mutex_);
  void checkpoint_high_watermarks() ABSL_LOCKS_EXCLUDED(mutex_, checkpoint_mutex_);

  // Does what has come due and tells when to ask again. What start() runs; tests and the simulator call it themselves.
  base::Instant run_due_jobs() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    std::shared_ptr<DirectoryHealth> directory;
    std::shared_ptr<const LogMarks> marks;  // null while the log is being made
    std::unique_ptr<Log> log;               // null while a Partition has it
  };
  struct Found {  // one partition directory at start
    TopicPartition partition;
    std::string path;
  };
  struct Opening;  // the state of one directory's load
  struct Removal {
    base::Instant due;
    PutOffRemoval what;
  };
  struct Job {
    std::chrono::milliseconds every;
    std::function<void()> run;
    base::Instant due;
  };

  Result<std::vector<Found>> survey(const std::shared_ptr<DirectoryHealth>& directory);
  Status load_directory(const std::shared_ptr<DirectoryHealth>& directory, std::vector<Found> found);
  void load_one(Opening& opening, const Found& found);
  void drop_offline() ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<DirectoryHealth> place_for_new() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void schedule_removal(PutOffRemoval what) ABSL_LOCKS_EXCLUDED(mutex_);
  void run_removals(base::Instant now) ABSL_LOCKS_EXCLUDED(mutex_);
  void forget_old_offsets_of(const TopicPartition& partition) ABSL_LOCKS_EXCLUDED(mutex_);
  using OffsetOf = std::optional<Offset> (*)(const LogMarks&);
  void write_checkpoint(std::string_view name, OffsetOf offset_of) ABSL_LOCKS_EXCLUDED(mutex_, checkpoint_mutex_);
  void write_checkpoint_in(const std::shared_ptr<DirectoryHealth>& directory, std::string_view name, OffsetOf offset_of)
      ABSL_LOCKS_EXCLUDED(mutex_, checkpoint_mutex_);
  bool close_logs_of(const std::shared_ptr<DirectoryHealth>& directory, std::vector<std::unique_ptr<Log>> logs);
  void run_thread();

  LogServices services_;
  LogDirs& dirs_;
  const LogSetOptions options_;
  const std::function<LogSettings(const std::string&)> settings_of_;
  base::Logger log_{"kafka.log.LogManager"};

  // Held while one checkpoint file is gathered and written, so that an older picture never replaces a newer one. Taken
  // before mutex_; by nobody who serves requests.
  absl::Mutex checkpoint_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<TopicPartition, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  // Partitions that are gone but may stand in a checkpoint file: a new one of that name must not inherit their offsets.
  absl::flat_hash_set<TopicPartition> remembered_ ABSL_GUARDED_BY(mutex_);
  std::vector<Removal> removals_ ABSL_GUARDED_BY(mutex_);
  std::vector<Job> jobs_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace storage
