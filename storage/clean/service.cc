#include "storage/clean/service.h"

#include <algorithm>

#include "config/broker_settings.h"

namespace storage {

using Kind = CleanOutcome::Kind;

CleanServiceSettings CleanServiceSettings::from(const config::BrokerSettings& broker) {
  return {.threads = static_cast<std::size_t>(broker.log_cleaner_threads),
          .key_bytes = static_cast<std::size_t>(broker.log_cleaner_dedupe_buffer_size),
          .load_factor = broker.log_cleaner_io_buffer_load_factor,
          .buffer_bytes = static_cast<std::size_t>(broker.log_cleaner_io_buffer_size),
          .bytes_per_second = broker.log_cleaner_io_max_bytes_per_second,
          .backoff = std::chrono::milliseconds{broker.log_cleaner_backoff_ms}};
}

CleanService::CleanService(CleanServiceParts parts, CleanServiceSettings settings)
    : parts_(std::move(parts)), settings_(settings), throttle_(settings.bytes_per_second) {}

CleanService::~CleanService() { stop(); }

// --- threads ---------------------------------------------------------------------------------------------------------

void CleanService::start() {
  absl::MutexLock lock(&mutex_);
  started_ = true;
  ensure_threads();
}

void CleanService::ensure_threads() {
  if (!started_ || stopping_) return;
  threads_.resize(std::max(threads_.size(), settings_.threads));
  for (std::size_t i = 0; i < settings_.threads; ++i) {
    auto& thread = threads_[i];
    if (thread.running) continue;
    if (thread.thread.joinable()) thread.thread.join();  // it has said its last word
    thread.running = true;
    thread.thread = std::thread([this, i] { run_thread(i); });
  }
}

void CleanService::run_thread(std::size_t index) {
  for (;;) {
    const bool cleaned = clean_next();
    absl::MutexLock lock(&mutex_);
    if (!cleaned) {
      struct Waiting {
        const bool& stopping;
        const std::uint64_t& version;
        std::uint64_t seen;
      } waiting{stopping_, settings_version_, settings_version_};
      mutex_.AwaitWithTimeout(absl::Condition(
                                  +[](Waiting* w) { return w->stopping || w->version != w->seen; }, &waiting),
                              absl::FromChrono(std::max(settings_.backoff, std::chrono::milliseconds{1})));
    }
    if (!stopping_ && index < settings_.threads) continue;
    threads_[index].running = false;
    return;
  }
}

void CleanService::stop() {
  std::vector<Thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    for (auto& thread : threads_) threads.push_back({std::move(thread.thread), false});
  }
  for (auto& thread : threads)
    if (thread.thread.joinable()) thread.thread.join();
}

void CleanService::change_settings(const CleanServiceSettings& settings) {
  absl::MutexLock lock(&mutex_);
  if (settings == settings_) return;
  if (settings.bytes_per_second != settings_.bytes_per_second) throttle_ = Throttle(settings.bytes_per_second);
  settings_ = settings;
  ++settings_version_;
  ensure_threads();
}

bool CleanService::spend(std::size_t bytes) {
  absl::MutexLock lock(&mutex_);
  const auto wait = throttle_.spend(bytes, parts_.clock.now());
  if (wait > base::Duration{} && !stopping_) {
    struct Waiting {
      const bool& stopping;
      const std::uint64_t& version;
      std::uint64_t seen;
    } waiting{stopping_, settings_version_, settings_version_};
    mutex_.AwaitWithTimeout(absl::Condition(
                                +[](Waiting* w) { return w->stopping || w->version != w->seen; }, &waiting),
                            absl::FromChrono(wait));
  }
  return !stopping_;
}

// --- which log -------------------------------------------------------------------------------------------------------

std::optional<CleanService::Task> CleanService::consider(const TopicPartition& partition, const CleanSettings& settings,
                                                         double& dirtiest) {
  auto look = look_at(parts_.with_log, partition);
  if (!look || !look->health->online()) return std::nullopt;
  {
    absl::MutexLock lock(&mutex_);
    const auto known = uncleanable_.find(partition);
    if (known != uncleanable_.end() && known->second == look->marks) return std::nullopt;
    if (known != uncleanable_.end()) uncleanable_.erase(known);
  }
  // The lags cost looks into files: not for a log that could not be due in any case.
  const auto most = dirty_range(look->outline, std::nullopt);
  if (!most.empty()) dirtiest = std::max(dirtiest, most.ratio());
  const auto dirty_enough = [&](const DirtyRange& range) { return range.ratio() > settings.min_dirty_ratio; };
  if (most.empty() || (!dirty_enough(most) && settings.max_lag == CleanSettings::kNoMaxLag)) return std::nullopt;

  const auto now = parts_.clock.wall();
  Task task{.partition = partition, .settings = settings, .look = std::move(*look)};
  auto range = find_dirty_range(parts_.files, task.look, settings, now);
  std::optional<Timestamp> oldest;
  if (range && !range->empty() && !dirty_enough(*range)) {
    auto found = find_oldest_dirty(parts_.files, task.look, *range);
    if (found)
      oldest = *found;
    else
      range = found.error();
  }
  if (!range) {
    // Files of a log that changes may be gone. What is wrong with them otherwise a cleaning finds out.
    log_.debug("Cannot tell how dirty {} is: {}", partition, range.error().text());
    return std::nullopt;
  }
  if (!is_due(*range, settings, oldest, now)) return std::nullopt;
  task.ratio = range->ratio();
  return task;
}

void CleanService::forget_all_but(const std::vector<TopicPartition>& partitions) {
  if (uncleanable_.empty() && complaints_.empty()) return;
  const absl::flat_hash_set<TopicPartition> there(partitions.begin(), partitions.end());
  const auto gone = [&](const auto& entry) { return !there.contains(entry.first); };
  absl::erase_if(uncleanable_, gone);
  absl::erase_if(complaints_, gone);
}

std::optional<CleanService::Task> CleanService::take_dirtiest() {
  std::optional<Task> best;
  double dirtiest = 0;
  const auto partitions = parts_.partitions();
  {
    absl::MutexLock lock(&mutex_);
    forget_all_but(partitions);
  }
  for (const auto& partition : partitions) {
    const auto settings = parts_.settings_of(partition.topic);
    if (!settings) continue;
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return std::nullopt;
      if (in_progress_.contains(partition) || put_off_.contains(partition)) continue;
    }
    auto task = consider(partition, *settings, dirtiest);
    if (task && (!best || task->ratio > best->ratio)) best = std::move(task);
  }
  absl::MutexLock lock(&mutex_);
  counts_.max_dirty_ratio = dirtiest;
  if (!best) {
    put_off_.clear();
    return best;
  }
  // Another thread may have been faster; then this one looks again after its pause.
  if (!in_progress_.insert(best->partition).second) return std::nullopt;
  return best;
}

bool CleanService::clean_next() {
  const auto task = take_dirtiest();
  if (!task) return false;
  CleanerMemory memory;
  {
    absl::MutexLock lock(&mutex_);
    const auto threads = std::max<std::size_t>(settings_.threads, 1);
    memory = {.key_bytes = settings_.key_bytes / threads,
              .load_factor = settings_.load_factor,
              .buffer_bytes = settings_.buffer_bytes / threads};
  }
  Cleaner cleaner({.files = parts_.files,
                   .clock = parts_.clock,
                   .random = parts_.random,
                   .with_log = parts_.with_log,
                   .go_on = [this](std::size_t bytes) { return spend(bytes); }});
  const auto outcome = cleaner.clean(task->partition, task->settings, memory);
  done(*task, outcome);
  return true;
}

void CleanService::done(const Task& task, const CleanOutcome& outcome) {
  const auto& report = outcome.report;
  if (outcome.kind == Kind::cleaned) {
    parts_.cleaned(task.look.health);
    log_.info(
        "Cleaned {} up to offset {}: {} keys, {} segments of {} bytes became {} of {} bytes; read {} bytes of new "
        "records in {}ms, rewrote in {}ms",
        task.partition, report.cleaned_to, report.keys, report.segments_before, report.bytes_before,
        report.segments_after, report.bytes_after, report.mapped_bytes,
        std::chrono::duration_cast<std::chrono::milliseconds>(report.mapping).count(),
        std::chrono::duration_cast<std::chrono::milliseconds>(report.copying).count());
    if (report.range.beyond_end)
      log_.warn("The cleaner's checkpoint of {} lay above the log end: it was cleaned from its start", task.partition);
  }
  if (outcome.kind == Kind::uncleanable) mark_uncleanable(task, outcome.why);
  if (outcome.kind == Kind::disk_failed) log_.error("Cleaning {} failed: {}", task.partition, outcome.why);
  absl::MutexLock lock(&mutex_);
  in_progress_.erase(task.partition);
  if (outcome.kind == Kind::given_up) put_off_.insert(task.partition);
  if (outcome.kind == Kind::cleaned) {
    complaints_.erase(task.partition);
    ++counts_.cleanings;
    counts_.last_cleaning = parts_.clock.wall();
    counts_.bytes_read += report.mapped_bytes + report.bytes_before;
    counts_.bytes_written += report.bytes_after;
  } else if (outcome.kind == Kind::given_up && !stopping_ && complaints_[task.partition] != outcome.why) {
    complaints_[task.partition] = outcome.why;
    log_.info("Gave up cleaning {} for now: {}", task.partition, outcome.why);
  }
}

void CleanService::mark_uncleanable(const Task& task, const std::string& why) {
  log_.error(
      "Marking {} as uncleanable: {}. It is not compacted any more and grows, everything else goes on; check its files "
      "in {}, and restart the broker when they are mended",
      task.partition, why, task.look.directory);
  absl::MutexLock lock(&mutex_);
  uncleanable_[task.partition] = task.look.marks;
}

CleanService::Counts CleanService::counts() const {
  absl::MutexLock lock(&mutex_);
  auto counts = counts_;
  counts.uncleanable = uncleanable_.size();
  return counts;
}

bool CleanService::is_uncleanable(const TopicPartition& partition) const {
  absl::MutexLock lock(&mutex_);
  return uncleanable_.contains(partition);
}

}  // namespace storage
