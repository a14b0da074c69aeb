// How LogSet takes a log to another data directory. Somebody else fills the copy (replication/partition/log_moves);
// here are the steps on the disk:
//
//   1  <topic>-<p>.<hex>-future is made in the new directory, and filled
//   2  the copy is whole: it is closed, which syncs it, and a file in it says so (kCopyIsWhole). From here on nothing
//   is
//      appended to either.
//   3  the old directory is renamed to ...-delete                      <- commit point
//   4  the copy is renamed to <topic>-<p> and opened as the log
//
// Stopped before 3, the next start finds the old log in its place; the copy is left as a sign that a move was wanted,
// and is made anew. Stopped behind 3, it finds a whole copy and no log, and does 4.
// Apache Kafka does 4 before 3: stopped in between it finds two logs and refuses to start. It ignores our file.
#include <algorithm>

#include "base/check.h"
#include "storage/dirs/log_set.h"

namespace storage {
namespace {

using base::ErrorCode;
using base::fail;

// With this suffix whoever opens the directory as a log removes it, Kafka too.
constexpr std::string_view kCopyIsWhole = "weir-copy-is-whole.deleted";

std::string in(const std::string& directory, std::string_view name) { return directory + "/" + std::string(name); }

std::string marker_in(const std::string& copy) { return in(copy, kCopyIsWhole); }

}  // namespace

// Step 4, also of a move that was stopped.
Status LogSet::put_in_place(const std::string& copy, const std::string& place, const std::string& directory) {
  if (auto s = services_.files.rename(copy, place); !s) return s;
  return services_.files.sync_directory(directory);
}

std::vector<LogSet::FoundCopy> LogSet::settle_copies(std::vector<FoundCopy> copies,
                                                     const absl::flat_hash_map<TopicPartition, std::string>& live) {
  std::vector<FoundCopy> in_place;
  for (auto& copy : copies) {
    auto& health = *copy.directory;
    auto whole = services_.files.exists(marker_in(copy.path));
    if (!whole) {
      (void)health.watch(Status(whole.error()));
      continue;
    }
    if (*whole && !live.contains(copy.partition)) {
      const auto place = in(health.path(), directory_name(copy.partition));
      log_.info("{} is in its new directory: the last broker was stopped while it moved", place);
      if (auto s = health.watch(put_in_place(copy.path, place, health.path())); !s) continue;
      copy.path = place;
      in_place.push_back(std::move(copy));
      continue;
    }
    // A stop between steps 2 and 3: the old log goes on, the copy is only a sign.
    if (*whole)
      if (auto s = health.watch(services_.files.remove(marker_in(copy.path))); !s) continue;
    absl::MutexLock lock(&mutex_);
    interrupted_moves_.push_back(std::move(copy));
  }
  return in_place;
}

std::shared_ptr<DirectoryHealth> LogSet::interrupted_move_of(const TopicPartition& partition) const {
  absl::MutexLock lock(&mutex_);
  for (const auto& copy : interrupted_moves_)
    if (copy.partition == partition) return copy.directory;
  return nullptr;
}

void LogSet::forget_interrupted_moves(const TopicPartition& partition) {
  std::vector<FoundCopy> stale;
  {
    absl::MutexLock lock(&mutex_);
    const auto kept = std::stable_partition(interrupted_moves_.begin(), interrupted_moves_.end(),
                                            [&](const FoundCopy& copy) { return copy.partition != partition; });
    stale.assign(std::make_move_iterator(kept), std::make_move_iterator(interrupted_moves_.end()));
    interrupted_moves_.erase(kept, interrupted_moves_.end());
  }
  for (const auto& copy : stale) (void)throw_away(copy.path, copy.directory, partition, {});
}

Status LogSet::throw_away(const std::string& path, const std::shared_ptr<DirectoryHealth>& directory,
                          const TopicPartition& partition, std::chrono::milliseconds delay) {
  const auto to = in(directory->path(), directory_name(partition, DirectoryKind::deleted, services_.random));
  auto renamed = directory->check();
  if (renamed) renamed = directory->watch(services_.files.rename(path, to));
  if (renamed) renamed = directory->watch(services_.files.sync_directory(directory->path()));
  if (renamed) schedule_removal({.paths = {to}, .directory = directory, .after = delay});
  return renamed;
}

Result<std::unique_ptr<Log>> LogSet::create_copy(const CopyOf& what, const std::shared_ptr<DirectoryHealth>& to) {
  const auto& partition = what.partition;
  const auto name = directory_name(partition, DirectoryKind::future, services_.random);
  // A name that had to be cut could not be understood at the next start.
  if (const auto read = parse_directory_name(name); !read || read->partition != partition)
    return fail(ErrorCode::invalid_topic_exception, "the name of {} is too long for a move", partition);
  // The old sign goes after the new one is there, unless it points elsewhere.
  const auto wanted_before = interrupted_move_of(partition);
  if (wanted_before && wanted_before != to) forget_interrupted_moves(partition);
  auto made = create_log(services_, {.partition = partition,
                                     .directory = in(to->path(), name),
                                     .health = to,
                                     .settings = what.settings,
                                     .topic_id = what.topic_id});
  if (made) forget_interrupted_moves(partition);
  return made;
}

Status LogSet::remove_copy(std::unique_ptr<Log> copy) {
  const auto path = copy->directory();
  const auto directory = copy->shared_health();
  const auto partition = copy->partition();
  copy->abandon();
  copy.reset();
  return throw_away(path, directory, partition, {});
}

Result<std::unique_ptr<Log>> LogSet::exchange(Log& old, std::unique_ptr<Log> copy) {
  const auto partition = old.partition();
  const auto from = old.shared_health();
  const auto to = copy->shared_health();
  const auto copy_path = copy->directory();
  const auto place = in(to->path(), directory_name(partition));
  base::invariant(copy->log_end_offset() == old.log_end_offset(), "a copy is whole when it takes the log's place");
  LoadRequest request{.partition = partition,
                      .directory = place,
                      .health = to,
                      .settings = old.settings(),
                      .clean_stop = true,
                      .recovery_point = copy->log_end_offset(),
                      .log_start = old.log_start_offset(),
                      .high_watermark = old.high_watermark(),
                      .cleaned_to = copy->marks()->cleaned_to.load()};
  if (auto s = copy->close(); !s) return s.error();
  copy->abandon();  // what still syncs older segments of it must not mind the new name
  copy.reset();
  if (auto s = to->watch(base::write_file_atomically(services_.files, marker_in(copy_path), "")); !s) return s.error();
  if (auto s = from->check(); !s) return s.error();
  old.abandon();
  if (auto s = throw_away(old.directory(), from, partition, old.settings().file_delete_delay); !s) return s.error();
  if (auto s = to->watch(put_in_place(copy_path, place, to->path())); !s) return s.error();
  auto loaded = load_log(services_, std::move(request));
  if (!loaded) return loaded.error();
  absl::MutexLock lock(&mutex_);
  auto& entry = entries_[partition];
  entry.directory = to;
  entry.marks = loaded->log->marks();
  return std::move(loaded->log);
}

void LogSet::prefer(const TopicPartition& partition, std::shared_ptr<DirectoryHealth> directory) {
  absl::MutexLock lock(&mutex_);
  preferred_[partition] = std::move(directory);
}

}  // namespace storage
