// The cleaner threads: each takes the dirtiest log that is due, cleans it, and looks for the next; when none is due it
// waits log.cleaner.backoff.ms.
//
// No failure ends a thread. A log that cannot be read is marked uncleanable until it is deleted or the broker starts
// anew: reported once, counted, and left alone, while all others go on being cleaned. A disk that fails takes its
// directory out of service as everywhere else.
//
// Life: start() and stop() as all services; stop() waits for the piece at hand, not for the log. Settings may change at
// any time, the number of threads too: a thread too many ends with its log.
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
#include "storage/clean/cleaner.h"
#include "storage/clean/throttle.h"

namespace config {
struct BrokerSettings;
}

namespace storage {

// The log.cleaner.* keys of a broker that may change while it runs; what topics may override is in CleanSettings.
struct CleanServiceSettings {
  std::size_t threads = 1;                    // log.cleaner.threads
  std::size_t key_bytes = 128 << 20;          // log.cleaner.dedupe.buffer.size, of all threads together
  double load_factor = 0.9;                   // log.cleaner.io.buffer.load.factor
  std::size_t buffer_bytes = 512 << 10;       // log.cleaner.io.buffer.size, of all threads together
  double bytes_per_second = 1e300;            // log.cleaner.io.max.bytes.per.second
  std::chrono::milliseconds backoff{15'000};  // log.cleaner.backoff.ms

  static CleanServiceSettings from(const config::BrokerSettings& broker);
  bool operator==(const CleanServiceSettings&) const = default;
};

// What the threads need of the broker; all of it may be called by several at once.
struct CleanServiceParts {
  base::FileSystem& files;
  base::Clock& clock;
  base::Random& random;
  std::function<std::vector<TopicPartition>()> partitions;
  // Nothing for a topic that is not compacted.
  std::function<std::optional<CleanSettings>(const std::string& topic)> settings_of;
  WithLog with_log;
  // How far its logs were cleaned is to be written down.
  std::function<void(const std::shared_ptr<DirectoryHealth>& directory)> cleaned;
};

class CleanService {
 public:
  CleanService(CleanServiceParts parts, CleanServiceSettings settings);
  ~CleanService();

  void start() ABSL_LOCKS_EXCLUDED(mutex_);
  void stop() ABSL_LOCKS_EXCLUDED(mutex_);
  void change_settings(const CleanServiceSettings& settings) ABSL_LOCKS_EXCLUDED(mutex_);

  // Tries to clean the dirtiest log that is due; false when none is. What every thread does; tests call it themselves.
  bool clean_next() ABSL_LOCKS_EXCLUDED(mutex_);

  struct Counts {
    std::size_t uncleanable = 0;  // partitions, now
    std::uint64_t cleanings = 0;  // finished
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;
    Timestamp last_cleaning = base::kNoTimestamp;  // when it finished
    double max_dirty_ratio = 0;                    // of all logs, when a thread last looked for work
  };
  Counts counts() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool is_uncleanable(const TopicPartition& partition) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Task {
    TopicPartition partition;
    CleanSettings settings;
    LogLook look;
    double ratio = 0;
  };

  std::optional<Task> take_dirtiest() ABSL_LOCKS_EXCLUDED(mutex_);
  void forget_all_but(const std::vector<TopicPartition>& partitions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Nothing: not due, or it cannot be told; then an error is reported. `dirtiest` rises to how dirty it is.
  std::optional<Task> consider(const TopicPartition& partition, const CleanSettings& settings, double& dirtiest)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void done(const Task& task, const CleanOutcome& outcome) ABSL_LOCKS_EXCLUDED(mutex_);
  void mark_uncleanable(const Task& task, const std::string& why) ABSL_LOCKS_EXCLUDED(mutex_);
  bool spend(std::size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  void ensure_threads() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void run_thread(std::size_t index) ABSL_LOCKS_EXCLUDED(mutex_);

  struct Thread {
    std::thread thread;
    bool running = false;
  };

  const CleanServiceParts parts_;
  const base::Logger log_{"kafka.log.LogCleaner"};
  mutable absl::Mutex mutex_;
  CleanServiceSettings settings_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t settings_version_ ABSL_GUARDED_BY(mutex_) = 0;
  Throttle throttle_ ABSL_GUARDED_BY(mutex_);
  std::vector<Thread> threads_ ABSL_GUARDED_BY(mutex_);
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_set<TopicPartition> in_progress_ ABSL_GUARDED_BY(mutex_);
  // With the marks of the log that was meant: a new log of that name is another one.
  absl::flat_hash_map<TopicPartition, std::shared_ptr<const LogMarks>> uncleanable_ ABSL_GUARDED_BY(mutex_);
  // Those an attempt came to nothing with: not again before all others had their turn.
  absl::flat_hash_set<TopicPartition> put_off_ ABSL_GUARDED_BY(mutex_);
  // Why the last attempt came to nothing, so that the same is not said every few seconds.
  absl::flat_hash_map<TopicPartition, std::string> complaints_ ABSL_GUARDED_BY(mutex_);
  Counts counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace storage
