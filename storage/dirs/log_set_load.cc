// How LogSet opens the logs at the start.
#include <algorithm>

#include "base/check.h"
#include "storage/dirs/log_set.h"

namespace storage {
namespace {

using base::ErrorCode;
using base::fail;

std::string in(const DirectoryHealth& directory, std::string_view name) {
  return directory.path() + "/" + std::string(name);
}

std::optional<Offset> find_in(const OffsetCheckpoint& offsets, const TopicPartition& partition) {
  const auto found = offsets.find(partition);
  return found == offsets.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

Result<LogSet::Survey> LogSet::survey(const std::shared_ptr<DirectoryHealth>& directory) {
  auto entries = services_.files.list(directory->path());
  if (!entries) {
    directory->retire(entries.error());
    return Survey{};
  }
  Survey found;
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
        found.logs.push_back({name->partition, path});
        break;
      case DirectoryKind::deleted:
        schedule_removal({.paths = {path}, .directory = directory, .after = {}});
        break;
      case DirectoryKind::future:
        found.copies.push_back({name->partition, path, directory});
        break;
      case DirectoryKind::stray:
        log_.warn("Leaving {} alone", path);
        break;
    }
  }
  return found;
}

Status LogSet::open() {
  std::vector<std::pair<std::shared_ptr<DirectoryHealth>, std::vector<Found>>> all;
  absl::flat_hash_map<TopicPartition, std::string> paths;
  std::vector<FoundCopy> copies;
  for (const auto& directory : dirs_.online()) {
    auto found = survey(directory);
    if (!found) return found.error();
    for (const auto& one : found->logs)
      if (auto [other, is_new] = paths.emplace(one.partition, one.path); !is_new)
        return fail(ErrorCode::invalid_config, "Duplicate log directories found: {}, {}", other->second, one.path);
    all.emplace_back(directory, std::move(found->logs));
    copies.insert(copies.end(), std::make_move_iterator(found->copies.begin()),
                  std::make_move_iterator(found->copies.end()));
  }
  for (auto& moved : settle_copies(std::move(copies), paths))
    for (auto& [directory, found] : all)
      if (directory == moved.directory) found.push_back({moved.partition, moved.path});
  for (const auto& [directory, found] : all)
    if (auto s = directory->watch(open_directory(directory, found)); !s)
      log_.error("Cannot load the logs in {}: {}", directory->path(), s.error().text());
  if (dirs_.online().empty()) return fail(ErrorCode::kafka_storage_error, "none of the log.dirs can be used");
  return {};
}

Status LogSet::open_directory(const std::shared_ptr<DirectoryHealth>& directory, const std::vector<Found>& found) {
  OffsetCheckpoint recovery_points, log_starts, high_watermarks, cleaned;
  for (auto [name, into] :
       {std::pair{kRecoveryPointCheckpoint, &recovery_points}, std::pair{kLogStartCheckpoint, &log_starts},
        std::pair{kHighWatermarkCheckpoint, &high_watermarks}, std::pair{kCleanerCheckpoint, &cleaned}}) {
    auto offsets = load_offset_checkpoint(services_.files, in(*directory, name));
    if (!offsets) return fail(ErrorCode::kafka_storage_error, "{}", offsets.error().detail);
    *into = std::move(offsets).value();
  }
  auto clean = dirs_.take_clean_marker(*directory);
  if (!clean) return clean.error();
  auto& progress = progress_.emplace_back(std::make_unique<DirectoryProgress>())->progress;
  progress_.back()->directory = directory->path();
  progress.partitions = found.size();
  std::unique_ptr<Crew> crew(
      new Crew{directory, *clean, base::BlockingPool(options_.recovery_threads_per_dir, "log-recovery"), {}});
  absl::MutexLock lock(&mutex_);
  for (const auto* offsets : {&recovery_points, &log_starts, &high_watermarks, &cleaned})
    for (const auto& [partition, offset] : *offsets) remembered_.insert(partition);
  for (const auto& one : found) {
    remembered_.erase(one.partition);
    const StoredOffsets stored{.recovery_point = find_in(recovery_points, one.partition),
                               .log_start = find_in(log_starts, one.partition),
                               .high_watermark = find_in(high_watermarks, one.partition),
                               .cleaned_to = find_in(cleaned, one.partition)};
    auto loading = std::make_shared<Loading>(one.partition, one.path, stored, progress);
    crew->work.push_back(loading);
    entries_[one.partition] = {directory, nullptr, nullptr, std::move(loading)};
  }
  crews_.push_back(std::move(crew));
  return {};
}

void LogSet::start_loading() {
  loading_since_ = services_.clock.now();
  absl::MutexLock lock(&mutex_);
  for (const auto& crew : crews_) {
    unopened_ += crew->work.size();
    if (crew->work.empty()) continue;
    if (!crew->clean_stop)
      log_.info("Attempting recovery for all logs in {} since no clean shutdown file was found",
                crew->directory->path());
    crew->pool.start();
    crew->pool.submit([this, &crew = *crew] { measure_and_load(crew); });
  }
}

void LogSet::measure_and_load(Crew& crew) {
  if (!crew.clean_stop) {
    for (const auto& loading : crew.work) {
      if (loading->give_up) break;
      const auto from = loading->stored.recovery_point.value_or(Offset{0});
      // What cannot be measured will fail to open, and be reported then.
      if (auto bytes = bytes_to_recover(services_.files, loading->path, from)) loading->bytes = *bytes;
      loading->progress.bytes += loading->bytes;
    }
    std::stable_sort(crew.work.begin(), crew.work.end(),
                     [](const auto& a, const auto& b) { return a->bytes < b->bytes; });
  }
  for (const auto& loading : crew.work) crew.pool.submit([this, &crew, loading] { load_one(crew, loading); });
}

void LogSet::load_one(Crew& crew, const std::shared_ptr<Loading>& loading) {
  bool wanted = false;
  {
    absl::MutexLock lock(&mutex_);
    wanted = loading->running = !loading->give_up;
  }
  std::unique_ptr<Log> log;
  if (wanted && crew.directory->online()) log = open_log(crew, *loading);
  loaded(*loading, std::move(log));
}

// Null: the directory is lost, or the opening was given up.
std::unique_ptr<Log> LogSet::open_log(Crew& crew, Loading& loading) {
  auto opened = load_log(
      services_, {.partition = loading.partition,
                  .directory = loading.path,
                  .health = crew.directory,
                  .settings = settings_of_(loading.partition.topic),
                  .clean_stop = crew.clean_stop,
                  .recovery_point = loading.stored.recovery_point,
                  .log_start = loading.stored.log_start,
                  .high_watermark = loading.stored.high_watermark,
                  .cleaned_to = loading.stored.cleaned_to,
                  .crew = {.give_up = &loading.give_up,
                           .bytes_read = &loading.progress.bytes_done,
                           .helpers = options_.recovery_threads_per_dir - 1,
                           .offer = [&crew](std::function<void()> work) { crew.pool.submit(std::move(work)); }}});
  if (opened) {
    if (opened->dropped_bytes > 0)
      log_.warn("{}: dropped {} bytes at the end, the log goes on at offset {}: {}", loading.path,
                opened->dropped_bytes, opened->log->log_end_offset(), opened->why_dropped);
    return std::move(opened->log);
  }
  if (!loading.give_up) {
    // A log that cannot be opened is a disk that cannot be trusted: what else is on it may be no better.
    log_.error("Cannot load {}: {}", loading.path, opened.error().text());
    crew.directory->retire(opened.error());
  }
  return nullptr;
}

void LogSet::loaded(Loading& loading, std::unique_ptr<Log> log) {
  std::vector<std::function<void()>> then;
  {
    absl::MutexLock lock(&mutex_);
    loading.running = false;
    --unopened_;
    if (!log && loading.give_up) return;
    ++loading.progress.partitions_done;
    then.swap(loading.then);
    const auto entry = entries_.find(loading.partition);
    base::invariant(entry != entries_.end(), "a log that is being opened is listed");
    if (log)
      entry->second = {entry->second.directory, log->marks(), std::move(log), nullptr};
    else
      entries_.erase(entry);
    if (unopened_ == 0) {
      const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(services_.clock.now() - loading_since_);
      log_.info("Loaded {} logs in {}ms", progress().partitions_done, took.count());
    }
  }
  for (const auto& call : then) call();
}

LoadCounts LogSet::progress() const {
  std::vector<LoadCounts> directories;
  for (const auto& one : progress_) directories.push_back(one->progress.counts());
  return sum(directories);
}

std::vector<std::pair<std::string, LoadCounts>> LogSet::progress_by_directory() const {
  std::vector<std::pair<std::string, LoadCounts>> out;
  for (const auto& one : progress_) out.emplace_back(one->directory, one->progress.counts());
  return out;
}

bool LogSet::when_loaded(const TopicPartition& partition, std::function<void()> then) {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(partition);
  if (found == entries_.end() || !found->second.loading) return false;
  found->second.loading->then.push_back(std::move(then));
  return true;
}

void LogSet::wait_loaded() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](std::size_t* unopened) { return *unopened == 0; }, &unopened_));
}

void LogSet::stop_loading() {
  std::vector<std::unique_ptr<Crew>> crews;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [partition, entry] : entries_)
      if (entry.loading) entry.loading->give_up = true;
    crews.swap(crews_);
  }
  for (const auto& crew : crews) crew->pool.stop();
}

Status LogSet::load() {
  if (auto s = open(); !s) return s;
  start_loading();
  wait_loaded();
  if (dirs_.online().empty()) return fail(ErrorCode::kafka_storage_error, "none of the log.dirs can be used");
  return {};
}

bool LogSet::all_loaded(const DirectoryHealth& directory) const {
  absl::MutexLock lock(&mutex_);
  return std::none_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
    return entry.second.loading && entry.second.directory.get() == &directory;
  });
}

// Periodic: says how far we are, and lets the threads go when there is nothing left to open.
void LogSet::report_loading() {
  std::vector<std::unique_ptr<Crew>> finished;
  {
    absl::MutexLock lock(&mutex_);
    if (crews_.empty()) return;
    if (unopened_ == 0) finished.swap(crews_);
  }
  if (finished.empty()) {
    std::vector<LoadCounts> directories;
    for (const auto& one : progress_) directories.push_back(one->progress.counts());
    log_.info("Loading logs: {}", describe(directories, services_.clock.now() - loading_since_));
  }
  for (const auto& crew : finished) crew->pool.stop();
}

}  // namespace storage
