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

std::string in(const DirectoryHealth& directory, std::string_view name) {
  return directory.path() + "/" + std::string(name);
}

std::optional<Offset> find_in(const OffsetCheckpoint& offsets, const TopicPartition& partition) {
  const auto found = offsets.find(partition);
  return found == offsets.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Offset> recovery_point_of(const LogMarks& marks) { return marks.recovery_point.get(); }
std::optional<Offset> high_watermark_of(const LogMarks& marks) { return marks.high_watermark.load(); }
// Only where the name of the first segment does not say it already.
std::optional<Offset> log_start_of(const LogMarks& marks) {
  const auto start = marks.log_start.load();
  return start > marks.first_base.load() ? std::optional(start) : std::nullopt;
}

}  // namespace

struct LogSet::Opening {
  std::shared_ptr<DirectoryHealth> directory;
  bool clean_stop = false;
  OffsetCheckpoint recovery_points;
  OffsetCheckpoint log_starts;
  OffsetCheckpoint high_watermarks;
};

LogSet::LogSet(LogServices services, LogDirs& dirs, LogSetOptions options,
               std::function<LogSettings(const std::string& topic)> settings_of)
    : services_(std::move(services)), dirs_(dirs), options_(options), settings_of_(std::move(settings_of)) {
  services_.remove_later = [this](PutOffRemoval what) { schedule_removal(std::move(what)); };
  run_every(options_.recovery_point_interval, [this] { checkpoint_recovery_points(); });
  run_every(options_.log_start_interval, [this] { checkpoint_log_starts(); });
  run_every(options_.high_watermark_interval, [this] { checkpoint_high_watermarks(); });
}

LogSet::~LogSet() { stop(); }

// --- start -----------------------------------------------------------------------------------------------------------

Result<std::vector<LogSet::Found>> LogSet::survey(const std::shared_ptr<DirectoryHealth>& directory) {
  auto entries = services_.files.list(directory->path());
  if (!entries) {
    directory->retire(entries.error());
    return std::vector<Found>{};
  }
  std::vector<Found> found;
  for (const auto& entry : *entries) {
    if (!entry.is_directory) continue;
    const auto path = in(*directory, entry.name);
    const auto name = parse_directory_name(entry.name);
    if (!name)
      return fail(ErrorCode::invalid_config,
                  "Found directory {}, '{}' is not in the form of topic-partition or topic-partition.uniqueId-delete "
                  "(if marked for deletion). A log directory may hold nothing else: move it away",
                  path, entry.name);
    switch (name->kind) {
      case DirectoryKind::live:
        found.push_back({name->partition, path});
        break;
      case DirectoryKind::deleted:
        schedule_removal({.paths = {path}, .directory = directory, .after = {}});
        break;
      case DirectoryKind::future:
      case DirectoryKind::stray:
        log_.warn("Leaving {} alone", path);
        break;
    }
  }
  return found;
}

Status LogSet::load() {
  const auto begin = services_.clock.now();
  std::vector<std::pair<std::shared_ptr<DirectoryHealth>, std::vector<Found>>> work;
  absl::flat_hash_map<TopicPartition, std::string> paths;
  for (const auto& directory : dirs_.online()) {
    auto found = survey(directory);
    if (!found) return found.error();
    for (const auto& one : *found)
      if (auto [other, is_new] = paths.emplace(one.partition, one.path); !is_new)
        return fail(ErrorCode::invalid_config, "Duplicate log directories found: {}, {}", other->second, one.path);
    work.emplace_back(directory, std::move(found).value());
  }
  std::vector<std::thread> threads;
  for (auto& [directory, found] : work)
    threads.emplace_back([this, directory = directory, found = std::move(found)]() mutable {
      if (auto s = directory->watch(load_directory(directory, std::move(found))); !s)
        log_.error("Cannot load the logs in {}: {}", directory->path(), s.error().text());
    });
  for (auto& thread : threads) thread.join();
  drop_offline();
  if (dirs_.online().empty()) return fail(ErrorCode::kafka_storage_error, "none of the log.dirs can be used");
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(services_.clock.now() - begin);
  log_.info("Loaded {} logs in {}ms", partitions().size(), took.count());
  return {};
}

Status LogSet::load_directory(const std::shared_ptr<DirectoryHealth>& directory, std::vector<Found> found) {
  Opening opening;
  opening.directory = directory;
  auto& files = services_.files;
  for (auto [name, into] : {std::pair{kRecoveryPointCheckpoint, &opening.recovery_points},
                            std::pair{kLogStartCheckpoint, &opening.log_starts},
                            std::pair{kHighWatermarkCheckpoint, &opening.high_watermarks}}) {
    auto offsets = load_offset_checkpoint(files, in(*directory, name));
    if (!offsets) return fail(ErrorCode::kafka_storage_error, "{}", offsets.error().detail);
    *into = std::move(offsets).value();
    absl::MutexLock lock(&mutex_);
    for (const auto& [partition, offset] : *into) remembered_.insert(partition);
  }
  auto clean = dirs_.take_clean_marker(*directory);
  if (!clean) return clean.error();
  opening.clean_stop = *clean;
  if (!opening.clean_stop && !found.empty())
    log_.info("Attempting recovery for all logs in {} since no clean shutdown file was found", directory->path());

  base::BlockingPool pool(options_.recovery_threads_per_dir, "log-recovery");
  pool.start();
  for (const auto& one : found) pool.submit([this, &opening, &one] { load_one(opening, one); });
  pool.stop();
  return {};
}

void LogSet::load_one(Opening& opening, const Found& found) {
  if (!opening.directory->online()) return;
  auto loaded = load_log(services_, {.partition = found.partition,
                                     .directory = found.path,
                                     .health = opening.directory,
                                     .settings = settings_of_(found.partition.topic),
                                     .clean_stop = opening.clean_stop,
                                     .recovery_point = find_in(opening.recovery_points, found.partition),
                                     .log_start = find_in(opening.log_starts, found.partition),
                                     .high_watermark = find_in(opening.high_watermarks, found.partition)});
  if (!loaded) {
    // A log that cannot be opened is a disk that cannot be trusted: what else is on it may be no better.
    log_.error("Cannot load {}: {}", found.path, loaded.error().text());
    opening.directory->retire(loaded.error());
    return;
  }
  if (loaded->dropped_bytes > 0)
    log_.warn("{}: dropped {} bytes at the end, the log goes on at offset {}: {}", found.path, loaded->dropped_bytes,
              loaded->log->log_end_offset(), loaded->why_dropped);
  absl::MutexLock lock(&mutex_);
  remembered_.erase(found.partition);
  auto marks = loaded->log->marks();
  entries_[found.partition] = {opening.directory, std::move(marks), std::move(loaded->log)};
}

void LogSet::drop_offline() {
  absl::MutexLock lock(&mutex_);
  absl::erase_if(entries_, [](const auto& entry) { return !entry.second.directory->online(); });
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
  return found == entries_.end() ? nullptr : std::move(found->second.log);
}

std::shared_ptr<DirectoryHealth> LogSet::place_for_new() const {
  absl::flat_hash_map<const DirectoryHealth*, std::size_t> counts;
  for (const auto& [name, entry] : entries_) ++counts[entry.directory.get()];
  std::shared_ptr<DirectoryHealth> best;
  for (const auto& directory : dirs_.all())
    if (directory->online() && (!best || counts[directory.get()] < counts[best.get()])) best = directory;
  return best;
}

Result<std::unique_ptr<Log>> LogSet::create(const TopicPartition& partition, std::optional<base::Uuid> topic_id,
                                            const LogSettings& settings) {
  forget_old_offsets_of(partition);
  std::shared_ptr<DirectoryHealth> directory;
  {
    absl::MutexLock lock(&mutex_);
    if (entries_.contains(partition)) return fail(ErrorCode::invalid_request, "the log of {} exists", partition);
    directory = place_for_new();
    if (!directory) return fail(ErrorCode::kafka_storage_error, "none of the log.dirs can be used");
    entries_[partition] = {directory, nullptr, nullptr};  // counts from now on
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
}

// Commit point: the rename. Before it the log is there, after it only its files are.
Status LogSet::remove(std::unique_ptr<Log> log) {
  const auto partition = log->partition();
  const auto directory = log->shared_health();
  const auto delay = log->settings().file_delete_delay;
  const auto from = log->directory();
  log->abandon();
  log.reset();
  const auto to = in(*directory, directory_name(partition, DirectoryKind::deleted, services_.random));
  auto renamed = directory->check();
  if (renamed) renamed = directory->watch(services_.files.rename(from, to));
  if (renamed) renamed = directory->watch(services_.files.sync_directory(directory->path()));
  {
    absl::MutexLock lock(&mutex_);
    entries_.erase(partition);
    remembered_.insert(partition);
  }
  if (!renamed) return renamed;
  schedule_removal({.paths = {to}, .directory = directory, .after = delay});
  return {};
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

void LogSet::write_checkpoint(std::string_view name, OffsetOf offset_of) {
  for (const auto& directory : dirs_.online()) write_checkpoint_in(directory, name, offset_of);
}

void LogSet::write_checkpoint_in(const std::shared_ptr<DirectoryHealth>& directory, std::string_view name,
                                 OffsetOf offset_of) {
  absl::MutexLock one_at_a_time(&checkpoint_mutex_);
  OffsetCheckpoint offsets;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [partition, entry] : entries_) {
      if (entry.directory != directory || !entry.marks) continue;
      if (const auto offset = offset_of(*entry.marks)) offsets.emplace(partition, *offset);
    }
  }
  auto written = directory->watch(store_offset_checkpoint(services_.files, in(*directory, name), offsets));
  if (!written) log_.error("Cannot write {} in {}: {}", name, directory->path(), written.error().text());
}

void LogSet::checkpoint_recovery_points() { write_checkpoint(kRecoveryPointCheckpoint, recovery_point_of); }
void LogSet::checkpoint_log_starts() { write_checkpoint(kLogStartCheckpoint, log_start_of); }
void LogSet::checkpoint_high_watermarks() { write_checkpoint(kHighWatermarkCheckpoint, high_watermark_of); }

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
      if (job.due == base::Instant{}) job.due = now + job.every;  // not at once: nothing has changed since the start
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
  write_checkpoint_in(directory, kRecoveryPointCheckpoint, recovery_point_of);
  write_checkpoint_in(directory, kLogStartCheckpoint, log_start_of);
  write_checkpoint_in(directory, kHighWatermarkCheckpoint, high_watermark_of);
  // Last: it says that all of the above is true.
  return all_well && directory->online() && directory->watch(dirs_.leave_clean_marker(*directory)).ok();
}

}  // namespace storage
