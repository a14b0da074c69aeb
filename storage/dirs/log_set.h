// All logs of this broker: opened at start, created, deleted, and their offsets written down from time to time.
//
// A Log belongs to one place at a time: here after load(), then to the Partition that took it, and back here to be
// deleted or closed. What the checkpoints need (LogMarks) is shared, so writing them takes no partition's lock.
//
// Life: open() looks at names and checkpoints; start_loading() opens the logs on threads of their own, several per
// directory, while others already use the first of them; start() runs the periodic work on another thread; stop() ends
// that; close() is the orderly stop: gives up what is not open yet, closes the logs, writes the checkpoints, and leaves
// the clean marker where all went well. Any thread may call what is in between.
//
// Cost: after a clean stop about ten small system calls per partition, and one per segment. A checkpoint is one small
// file per directory.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/logging.h"
#include "base/loop.h"
#include "storage/dirs/checkpoints.h"
#include "storage/dirs/load_progress.h"
#include "storage/dirs/log_dirs.h"
#include "storage/log/loader.h"

namespace storage {

struct LogSetOptions {
  std::size_t recovery_threads_per_dir = 1;                   // num.recovery.threads.per.data.dir
  std::chrono::milliseconds recovery_point_interval{60'000};  // log.flush.offset.checkpoint.interval.ms
  std::chrono::milliseconds log_start_interval{60'000};       // log.flush.start.offset.checkpoint.interval.ms
  std::chrono::milliseconds high_watermark_interval{5'000};   // replica.high.watermark.checkpoint.interval.ms
  std::size_t most_open_segments = 1000;                      // besides active ones; each has up to three open files
};

class LogSet {
 public:
  // Everything passed by reference outlives this. `settings_of` is asked by several threads while logs are loaded.
  LogSet(LogServices services, LogDirs& dirs, LogSetOptions options,
         std::function<LogSettings(const std::string& topic)> settings_of);
  ~LogSet();

  // Fails for what must stop the start: a directory that is no partition's, a partition found twice, no directory left.
  // Reads no partition.
  Status open() ABSL_LOCKS_EXCLUDED(mutex_);
  // Once, after open(). Small logs first: the sooner most of them serve.
  void start_loading() ABSL_LOCKS_EXCLUDED(mutex_);
  // Every log is open, or its directory offline, or the loading was stopped.
  void wait_loaded() ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives up what is not open yet; it stays on disk as it is. Called by close().
  void stop_loading() ABSL_LOCKS_EXCLUDED(mutex_);
  // All three of the above, for whoever has no use for half of the logs. Fails also when no directory is left then.
  Status load() ABSL_LOCKS_EXCLUDED(mutex_);
  // False when this log is not being opened. Otherwise `then` is called once it can be taken or its directory is lost,
  // on a thread that has other logs to open; not when the loading is stopped.
  bool when_loaded(const TopicPartition& partition, std::function<void()> then) ABSL_LOCKS_EXCLUDED(mutex_);
  // How far the loading is: of all directories together, or of each by its path. After open().
  LoadCounts progress() const;
  std::vector<std::pair<std::string, LoadCounts>> progress_by_directory() const;
  // More periodic work, for logs that others hold. Before start(); first run when `every` has passed, and after half a
  // minute at the latest, as in Kafka.
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
  // Null when there is no such log, or it is not open yet, or its directory is offline, or it was taken.
  std::unique_ptr<Log> take(const TopicPartition& partition) ABSL_LOCKS_EXCLUDED(mutex_);

  // In the directory with the fewest partitions; taken at once. Fails when it exists.
  Result<std::unique_ptr<Log>> create(const TopicPartition& partition, std::optional<base::Uuid> topic_id,
                                      const LogSettings& settings) ABSL_LOCKS_EXCLUDED(mutex_);
  // Gone for everybody when this returns; the files follow after file.delete.delay.ms, or at the next start.
  Status remove(std::unique_ptr<Log> log) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for one that is not open yet; what is at work on it is given up. False: no such log.
  Result<bool> remove_unopened(const TopicPartition& partition) ABSL_LOCKS_EXCLUDED(mutex_);

  // Moving a log to another directory; the steps on disk are in log_set_move.cc. An empty copy beside the log:
  struct CopyOf {
    TopicPartition partition;
    std::optional<base::Uuid> topic_id = std::nullopt;
    LogSettings settings = {};
  };
  Result<std::unique_ptr<Log>> create_copy(const CopyOf& what, const std::shared_ptr<DirectoryHealth>& to)
      ABSL_LOCKS_EXCLUDED(mutex_);
  Status remove_copy(std::unique_ptr<Log> copy) ABSL_LOCKS_EXCLUDED(mutex_);
  // `copy` holds all that `old` does, knows how far that was compacted, and takes its place on disk. The log to go on
  // with; `old` is of no use any more. Under the lock of the partition that has `old`. An error leaves `old` in use,
  // unless a disk failed.
  Result<std::unique_ptr<Log>> exchange(Log& old, std::unique_ptr<Log> copy) ABSL_LOCKS_EXCLUDED(mutex_);
  // Where this log was on its way to when the last broker stopped; null: nowhere.
  std::shared_ptr<DirectoryHealth> interrupted_move_of(const TopicPartition& partition) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  void forget_interrupted_moves(const TopicPartition& partition) ABSL_LOCKS_EXCLUDED(mutex_);
  // Where create() puts a log that does not exist yet.
  void prefer(const TopicPartition& partition, std::shared_ptr<DirectoryHealth> directory) ABSL_LOCKS_EXCLUDED(mutex_);

  // Writes one kind of checkpoint of every online directory now. After a log was cut its recovery point must be written
  // before anything else may rely on it.
  void checkpoint_recovery_points() ABSL_LOCKS_EXCLUDED(mutex_, checkpoint_mutex_);
  void checkpoint_log_starts() ABSL_LOCKS_EXCLUDED(mutex_, checkpoint_mutex_);
  void checkpoint_high_watermarks() ABSL_LOCKS_EXCLUDED(mutex_, checkpoint_mutex_);
  // How far logs were compacted: after each cleaning, of the directory where it was; of all after a move.
  void checkpoint_cleaned() ABSL_LOCKS_EXCLUDED(mutex_, checkpoint_mutex_);
  void checkpoint_cleaned(const std::shared_ptr<DirectoryHealth>& directory)
      ABSL_LOCKS_EXCLUDED(mutex_, checkpoint_mutex_);

  // Does what has come due and tells when to ask again. What start() runs; tests and the simulator call it themselves.
  base::Instant run_due_jobs() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // What the checkpoints of a directory say of one log.
  struct StoredOffsets {
    std::optional<Offset> recovery_point;
    std::optional<Offset> log_start;
    std::optional<Offset> high_watermark;
    std::optional<Offset> cleaned_to;
  };
  struct CheckpointKind;
  // A log that is not open yet. What is not const is guarded by mutex_, but for `give_up`.
  struct Loading {
    const TopicPartition partition;
    const std::string path;
    const StoredOffsets stored;
    LoadProgress& progress;   // of its directory
    std::uint64_t bytes = 0;  // to be read; written before anybody opens it
    std::atomic<bool> give_up{false};
    bool running = false;
    std::vector<std::function<void()>> then{};
  };
  // The threads that open the logs of one directory.
  struct Crew {
    std::shared_ptr<DirectoryHealth> directory;
    bool clean_stop;
    base::BlockingPool pool;
    std::vector<std::shared_ptr<Loading>> work;  // not touched once the pool has begun with it
  };
  struct Entry {
    std::shared_ptr<DirectoryHealth> directory;
    std::shared_ptr<const LogMarks> marks;  // null while the log is being made or opened
    std::unique_ptr<Log> log;               // null while a Partition has it
    std::shared_ptr<Loading> loading;       // null once it is open
  };
  struct Found {  // one partition directory at start
    TopicPartition partition;
    std::string path;
  };
  struct FoundCopy {  // ...-future at start
    TopicPartition partition;
    std::string path;
    std::shared_ptr<DirectoryHealth> directory;
  };
  struct Survey {
    std::vector<Found> logs;
    std::vector<FoundCopy> copies;
  };
  struct Removal {
    base::Instant due;
    PutOffRemoval what;
  };
  struct Job {
    std::chrono::milliseconds every;
    std::function<void()> run;
    base::Instant due;
  };

  Result<Survey> survey(const std::shared_ptr<DirectoryHealth>& directory);
  // What moves left that were stopped: copies that had to be put in their place, and are logs now.
  std::vector<FoundCopy> settle_copies(std::vector<FoundCopy> copies,
                                       const absl::flat_hash_map<TopicPartition, std::string>& live)
      ABSL_LOCKS_EXCLUDED(mutex_);
  Status put_in_place(const std::string& copy, const std::string& place, const std::string& directory);
  // Renames to ...-delete and schedules the removal.
  Status throw_away(const std::string& path, const std::shared_ptr<DirectoryHealth>& directory,
                    const TopicPartition& partition, std::chrono::milliseconds delay) ABSL_LOCKS_EXCLUDED(mutex_);
  Status open_directory(const std::shared_ptr<DirectoryHealth>& directory, const std::vector<Found>& found)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void measure_and_load(Crew& crew) ABSL_LOCKS_EXCLUDED(mutex_);
  void load_one(Crew& crew, const std::shared_ptr<Loading>& loading) ABSL_LOCKS_EXCLUDED(mutex_);
  std::unique_ptr<Log> open_log(Crew& crew, Loading& loading);
  void loaded(Loading& loading, std::unique_ptr<Log> log) ABSL_LOCKS_EXCLUDED(mutex_);
  void report_loading() ABSL_LOCKS_EXCLUDED(mutex_);
  Status rename_away(const TopicPartition& partition, const std::shared_ptr<DirectoryHealth>& directory,
                     const std::string& from, std::chrono::milliseconds delay) ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<DirectoryHealth> place_for_new(const TopicPartition& partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void schedule_removal(PutOffRemoval what) ABSL_LOCKS_EXCLUDED(mutex_);
  void run_removals(base::Instant now) ABSL_LOCKS_EXCLUDED(mutex_);
  void forget_old_offsets_of(const TopicPartition& partition) ABSL_LOCKS_EXCLUDED(mutex_);
  void write_checkpoint(const CheckpointKind& kind) ABSL_LOCKS_EXCLUDED(mutex_, checkpoint_mutex_);
  bool write_checkpoint_in(const std::shared_ptr<DirectoryHealth>& directory, const CheckpointKind& kind)
      ABSL_LOCKS_EXCLUDED(mutex_, checkpoint_mutex_);
  bool all_loaded(const DirectoryHealth& directory) const ABSL_LOCKS_EXCLUDED(mutex_);
  bool close_logs_of(const std::shared_ptr<DirectoryHealth>& directory, std::vector<std::unique_ptr<Log>> logs);
  void run_thread();

  OpenSegments open_segments_;
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
  absl::flat_hash_map<TopicPartition, std::shared_ptr<DirectoryHealth>> preferred_ ABSL_GUARDED_BY(mutex_);
  std::vector<FoundCopy> interrupted_moves_ ABSL_GUARDED_BY(mutex_);
  std::vector<Removal> removals_ ABSL_GUARDED_BY(mutex_);
  std::vector<Job> jobs_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::size_t unopened_ ABSL_GUARDED_BY(mutex_) = 0;  // logs some thread has still to look at
  std::vector<std::unique_ptr<Crew>> crews_ ABSL_GUARDED_BY(mutex_);
  base::Instant loading_since_{};
  struct DirectoryProgress {
    std::string directory;
    LoadProgress progress;
  };
  std::vector<std::unique_ptr<DirectoryProgress>> progress_;  // made by open(), and then only counted in
  std::thread thread_;
};

}  // namespace storage
