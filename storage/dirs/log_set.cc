#include "storage/dirs/log_set.h"

#include <algorithm>
#include <atomic>

#include "base/check.h"
#include "base/loop.h"

namespace storage {
namespace {

using base::ErrorCode;
using base::fail;

constexpr std::size_t kClosingThreads = 16;
constexpr std::chrono::milliseconds kReportLoadingEvery{3'000};
constexpr auto kFirstRun = std::chrono::seconds(30);

std::string in(const DirectoryHealth& directory, std::string_view name) {
  return directory.path() + "/" + std::string(name);
}

std::optional<Offset> recovery_point_of(const LogMarks& marks) { return marks.recovery_point.whole(); }
std::optional<Offset> high_watermark_of(const LogMarks& marks) { return marks.high_watermark.load(); }
// Only logs that were ever cleaned.
std::optional<Offset> cleaned_to_of(const LogMarks& marks) {
  const auto to = marks.cleaned_to.load();
  return to == base::kNoOffset ? std::nullopt : std::optional(to);
}
// Only where the name of the first segment does not say it already.
std::optional<Offset> log_start_of(const LogMarks& marks) {
  const auto start = marks.log_start.load();
  return start > marks.first_base.load() ? std::optional(start) : std::nullopt;
}

}  // namespace

// One of the files that keep an offset of every log in a directory. What was read from it at the start holds for as
// long as the log is not open.
struct LogSet::CheckpointKind {
  std::string_view file;
  std::optional<Offset> (*of)(const LogMarks&);
  std::optional<Offset> StoredOffsets::*stored;

  static const CheckpointKind recovery_points, log_starts, high_watermarks, cleaned;
};
constexpr LogSet::CheckpointKind LogSet::CheckpointKind::recovery_points{kRecoveryPointCheckpoint, recovery_point_of,
                                                                         &StoredOffsets::recovery_point};
constexpr LogSet::CheckpointKind LogSet::CheckpointKind::log_starts{kLogStartCheckpoint, log_start_of,
                                                                    &StoredOffsets::log_start};
constexpr LogSet::CheckpointKind LogSet::CheckpointKind::high_watermarks{kHighWatermarkCheckpoint, high_watermark_of,
                                                                         &StoredOffsets::high_watermark};
constexpr LogSet::CheckpointKind LogSet::CheckpointKind::cleaned{kCleanerCheckpoint, cleaned_to_of,
                                                                 &StoredOffsets::cleaned_to};

LogSet::LogSet(LogServices services, LogDirs& dirs, LogSetOptions options,
               std::function<LogSettings(const std::string& topic)> settings_of)
    : open_segments_(options.most_open_segments),
      services_(std::move(services)),
      dirs_(dirs),
      options_(options),
      settings_of_(std::move(settings_of)) {
  services_.open_segments = &open_segments_;
  services_.remove_later = [this](PutOffRemoval what) { schedule_removal(std::move(what)); };
  run_every(options_.recovery_point_interval, [this] { checkpoint_recovery_points(); });
  run_every(options_.log_start_interval, [this] { checkpoint_log_starts(); });
  run_every(options_.high_watermark_interval, [this] { checkpoint_high_watermarks(); });
  run_every(kReportLoadingEvery, [this] { report_loading(); });
}

LogSet::~LogSet() {
  stop_loading();
  stop();
}

// --- between start and stop ------------------------------------------------------------------------------------------

std::vector<TopicPartition> LogSet::partitions() const {
  absl::MutexLock lock(&mutex_);
  std::vector<TopicPartition> names;
  names.reserve(entries_.size());
  for (const auto& [name, entry] : entries_) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

std::shared_ptr<DirectoryHealth> LogSet::directory_of(const TopicPartition& partition) const {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(partition);
  return found == entries_.end() ? nullptr : found->second.directory;
}

std::unique_ptr<Log> LogSet::take(const TopicPartition& partition) {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(partition);
  if (found == entries_.end() || !found->second.log) return nullptr;
  if (found->second.directory->online()) return std::move(found->second.log);
  entries_.erase(found);
  return nullptr;
}

std::shared_ptr<DirectoryHealth> LogSet::place_for_new(const TopicPartition& partition) {
  if (const auto wish = preferred_.extract(partition); wish && wish.mapped()->online()) return wish.mapped();
  absl::flat_hash_map<const DirectoryHealth*, std::size_t> counts;
  for (const auto& [name, entry] : entries_) ++counts[entry.directory.get()];
  // A full one only where all are.
  const auto worse = [&](const DirectoryHealth& one, const DirectoryHealth& other) {
    if (one.has_room() != other.has_room()) return other.has_room();
    return counts[&one] > counts[&other];
  };
  std::shared_ptr<DirectoryHealth> best;
  for (const auto& directory : dirs_.all())
    if (directory->online() && (!best || worse(*best, *directory))) best = directory;
  return best;
}

Result<std::unique_ptr<Log>> LogSet::create(const TopicPartition& partition, std::optional<base::Uuid> topic_id,
                                            const LogSettings& settings) {
  forget_old_offsets_of(partition);
  std::shared_ptr<DirectoryHealth> directory;
  {
    absl::MutexLock lock(&mutex_);
    if (entries_.contains(partition)) return fail(ErrorCode::invalid_request, "the log of {} exists", partition);
    directory = place_for_new(partition);
    if (!directory) return fail(ErrorCode::kafka_storage_error, "none of the log.dirs can be used");
    entries_[partition] = {directory, nullptr, nullptr, nullptr};  // counts from now on
  }
  auto log = create_log(services_, {.partition = partition,
                                    .directory = in(*directory, directory_name(partition)),
                                    .health = directory,
                                    .settings = settings,
                                    .topic_id = topic_id});
  absl::MutexLock lock(&mutex_);
  if (log)
    entries_[partition].marks = (*log)->marks();
  else
    entries_.erase(partition);
  return log;
}

void LogSet::forget_old_offsets_of(const TopicPartition& partition) {
  {
    absl::MutexLock lock(&mutex_);
    if (!remembered_.contains(partition)) return;
    remembered_.clear();  // the files written below name only logs that exist
  }
  checkpoint_recovery_points();
  checkpoint_log_starts();
  checkpoint_high_watermarks();
  checkpoint_cleaned();
}

// Commit point: the rename. Before it the log is there, after it only its files are.
Status LogSet::remove(std::unique_ptr<Log> log) {
  const auto partition = log->partition();
  const auto directory = log->shared_health();
  const auto delay = log->settings().file_delete_delay;
  const auto from = log->directory();
  log->abandon();
  log.reset();
  return rename_away(partition, directory, from, delay);
}

Result<bool> LogSet::remove_unopened(const TopicPartition& partition) {
  std::shared_ptr<Loading> loading;
  std::shared_ptr<DirectoryHealth> directory;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = entries_.find(partition);
    if (found == entries_.end() || !found->second.loading) return false;
    loading = found->second.loading;
    directory = found->second.directory;
    loading->give_up = true;
    mutex_.Await(absl::Condition(
        +[](Loading* one) { return !one->running; }, loading.get()));
    const auto now = entries_.find(partition);
    if (now == entries_.end() || now->second.loading != loading)
      return false;  // it was open before it could be stopped
    ++loading->progress.partitions_done;
  }
  const auto delay = settings_of_(partition.topic).file_delete_delay;
  if (auto s = rename_away(partition, directory, loading->path, delay); !s) return s.error();
  return true;
}

Status LogSet::rename_away(const TopicPartition& partition, const std::shared_ptr<DirectoryHealth>& directory,
                           const std::string& from, std::chrono::milliseconds delay) {
  auto renamed = throw_away(from, directory, partition, delay);
  absl::MutexLock lock(&mutex_);
  entries_.erase(partition);
  remembered_.insert(partition);
  return renamed;
}

// Directories of removed logs, and files of segments that logs gave up.
void LogSet::schedule_removal(PutOffRemoval what) {
  absl::MutexLock lock(&mutex_);
  removals_.push_back({services_.clock.now() + what.after, std::move(what)});
}

void LogSet::run_removals(base::Instant now) {
  std::vector<Removal> due;
  {
    absl::MutexLock lock(&mutex_);
    const auto later =
        std::partition(removals_.begin(), removals_.end(), [&](const Removal& removal) { return removal.due > now; });
    due.assign(std::make_move_iterator(later), std::make_move_iterator(removals_.end()));
    removals_.erase(later, removals_.end());
  }
  for (auto& removal : due)
    services_.in_background([&files = services_.files, what = std::move(removal.what)] {
      for (const auto& path : what.paths)
        if (what.directory->online()) (void)what.directory->watch(files.remove_tree(path));
    });
}

// --- checkpoints and periodic work -----------------------------------------------------------------------------------

void LogSet::write_checkpoint(const CheckpointKind& kind) {
  for (const auto& directory : dirs_.online()) (void)write_checkpoint_in(directory, kind);
}

bool LogSet::write_checkpoint_in(const std::shared_ptr<DirectoryHealth>& directory, const CheckpointKind& kind) {
  absl::MutexLock one_at_a_time(&checkpoint_mutex_);
  OffsetCheckpoint offsets;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [partition, entry] : entries_) {
      if (entry.directory != directory) continue;
      std::optional<Offset> offset;
      if (entry.marks)
        offset = kind.of(*entry.marks);
      else if (entry.loading)
        offset = entry.loading->stored.*kind.stored;
      if (offset) offsets.emplace(partition, *offset);
    }
  }
  auto written = directory->watch(store_offset_checkpoint(services_.files, in(*directory, kind.file), offsets));
  // Of a full disk the operator hears from SpaceWatch, not every few seconds from here.
  if (!written && !base::is_out_of_space(written.error()))
    log_.error("Cannot write {} in {}: {}", kind.file, directory->path(), written.error().text());
  return written.ok();
}

void LogSet::checkpoint_recovery_points() { write_checkpoint(CheckpointKind::recovery_points); }
void LogSet::checkpoint_log_starts() { write_checkpoint(CheckpointKind::log_starts); }
void LogSet::checkpoint_high_watermarks() { write_checkpoint(CheckpointKind::high_watermarks); }
void LogSet::checkpoint_cleaned() { write_checkpoint(CheckpointKind::cleaned); }
void LogSet::checkpoint_cleaned(const std::shared_ptr<DirectoryHealth>& directory) {
  write_checkpoint_in(directory, CheckpointKind::cleaned);
}

void LogSet::run_every(std::chrono::milliseconds every, std::function<void()> work) {
  absl::MutexLock lock(&mutex_);
  jobs_.push_back({every, std::move(work), {}});
}

base::Instant LogSet::run_due_jobs() {
  const auto now = services_.clock.now();
  std::vector<std::function<void()>> due;
  {
    absl::MutexLock lock(&mutex_);
    for (auto& job : jobs_) {
      // Not at once: nothing has changed since the start.
      if (job.due == base::Instant{}) job.due = now + std::min<base::Duration>(job.every, kFirstRun);
      if (job.due > now) continue;
      due.push_back(job.run);
      job.due = now + job.every;
    }
  }
  for (const auto& run : due) run();
  run_removals(now);

  absl::MutexLock lock(&mutex_);
  auto next = now + std::chrono::minutes(1);
  for (const auto& job : jobs_) next = std::min(next, job.due);
  for (const auto& removal : removals_) next = std::min(next, removal.due);
  return next;
}

void LogSet::start() {
  base::invariant(!thread_.joinable(), "started once");
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = false;
  }
  thread_ = std::thread([this] { run_thread(); });
}

void LogSet::run_thread() {
  for (;;) {
    const auto next = run_due_jobs();
    // A log removed meanwhile may be due earlier than this; its files then go up to a second late.
    const auto wait = std::min<base::Duration>(next - services_.clock.now(), std::chrono::seconds(1));
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&stopping_), absl::FromChrono(std::max(wait, base::Duration{1'000'000})));
    if (stopping_) return;
  }
}

void LogSet::stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

// --- stop ------------------------------------------------------------------------------------------------------------

Status LogSet::close(std::vector<std::unique_ptr<Log>> taken) {
  stop_loading();
  stop();
  absl::flat_hash_map<DirectoryHealth*, std::vector<std::unique_ptr<Log>>> by_directory;
  for (auto& log : taken) {
    auto* directory = &log->health();
    by_directory[directory].push_back(std::move(log));
  }
  {
    absl::MutexLock lock(&mutex_);
    for (auto& [partition, entry] : entries_)
      if (entry.log) by_directory[entry.directory.get()].push_back(std::move(entry.log));
  }
  Status worst;
  std::vector<std::thread> threads;
  absl::Mutex failures;
  for (const auto& directory : dirs_.online())
    threads.emplace_back([&, directory, logs = std::move(by_directory[directory.get()])]() mutable {
      if (close_logs_of(directory, std::move(logs))) return;
      absl::MutexLock lock(&failures);
      worst = fail(ErrorCode::kafka_storage_error, "not all logs in {} could be closed", directory->path());
    });
  for (auto& thread : threads) thread.join();
  return worst;
}

bool LogSet::close_logs_of(const std::shared_ptr<DirectoryHealth>& directory, std::vector<std::unique_ptr<Log>> logs) {
  std::atomic<bool> all_well{true};
  // Closing is waiting for syncs, which a disk serves in groups: the more wait together, the sooner all are done.
  base::BlockingPool pool(std::max(options_.recovery_threads_per_dir, kClosingThreads), "log-close");
  pool.start();
  for (auto& log : logs)
    pool.submit([this, &all_well, one = log.get()] {
      if (auto s = one->close(); !s) {
        log_.error("Cannot close {}: {}", one->directory(), s.error().text());
        all_well = false;
      }
    });
  pool.stop();
  if (!directory->online()) return false;
  for (const auto* kind :
       {&CheckpointKind::recovery_points, &CheckpointKind::log_starts, &CheckpointKind::high_watermarks})
    if (!write_checkpoint_in(directory, *kind)) return false;
  // What nobody has looked at since the last stop still has to be recovered.
  if (!all_loaded(*directory)) return all_well;
  // Last: it says that all of the above is true.
  return all_well && directory->online() && directory->watch(dirs_.leave_clean_marker(*directory)).ok();
}

}  // namespace storage
