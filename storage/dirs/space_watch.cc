#include "storage/dirs/space_watch.h"

#include <algorithm>
#include <limits>

namespace storage {
namespace {

constexpr std::chrono::minutes kWarnEvery{1};
constexpr std::uint64_t kMostBytes = std::numeric_limits<std::int64_t>::max();

}  // namespace

std::int64_t room_in(const Space& space) {
  const auto free = std::min(space.free, kMostBytes), least = std::min(space.least, kMostBytes);
  const auto needed = space.was_full ? least + std::min(least / 20, kMostBytes - least) : least;
  return free < needed ? 0 : static_cast<std::int64_t>(free - least) + (free == least ? 1 : 0);
}

SpaceWatch::SpaceWatch(base::FileSystem& files, const base::Clock& clock,
                       std::vector<std::shared_ptr<DirectoryHealth>> directories, std::function<std::uint64_t()> least)
    : files_(files), clock_(clock), least_(std::move(least)) {
  for (auto& directory : directories) watched_.push_back({.directory = std::move(directory)});
}

void SpaceWatch::check() {
  const auto least = least_();
  for (auto& watched : watched_)
    if (watched.directory->online()) check(watched, least);
}

void SpaceWatch::check(Watched& watched, std::uint64_t least) {
  auto& directory = *watched.directory;
  const auto free = files_.free_bytes(directory.path());
  if (!free) return;  // whoever uses the directory next will learn what is wrong with it
  directory.set_free_bytes(*free);
  // A write may have found no room although there seemed to be some.
  const bool was_full = watched.full || !directory.has_room();
  const auto room = room_in({.free = *free, .least = least, .was_full = was_full});
  directory.set_room(room);
  if (room > 0) {
    if (watched.full) log_.info("Log directory {} takes records again: {} bytes are free", directory.path(), *free);
    watched.full = false;
    watched.warned.reset();
    return;
  }
  watched.full = true;
  const auto now = clock_.now();
  if (watched.warned && now - *watched.warned < kWarnEvery) return;
  watched.warned = now;
  log_.warn(
      "The disk of log directory {} is nearly full: {} bytes are free, log.dir.min.free.bytes is {}. Producers are "
      "refused until there is more; reading, deleting and retention go on.",
      directory.path(), *free, least);
}

}  // namespace storage
