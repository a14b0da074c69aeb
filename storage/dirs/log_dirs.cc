#include "storage/dirs/log_dirs.h"

#include <set>

#include "storage/dirs/checkpoints.h"

namespace storage {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

namespace {

// What 3.7 and later write; earlier ones left an empty file. Every release asks only whether it is there.
constexpr std::string_view kCleanMarkerText = R"({"version":0,"brokerEpoch":-1})";

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string in(const DirectoryHealth& directory, std::string_view name) {
  return directory.path() + "/" + std::string(name);
}

}  // namespace

LogDirs::LogDirs(base::FileSystem& files, const base::Clock& clock, std::vector<std::string> paths,
                 DirectoryHealth::OnFailure on_failure)
    : files_(files), clock_(clock) {
  for (auto& path : paths)
    healths_.push_back(std::make_shared<DirectoryHealth>(without_trailing_slashes(std::move(path)), on_failure));
}

Status LogDirs::none_left() const {
  if (!online().empty()) return {};
  return fail(ErrorCode::kafka_storage_error, "none of the log.dirs can be used");
}

Status LogDirs::open() {
  std::set<std::string> paths;
  for (const auto& directory : healths_)
    if (!paths.insert(directory->path()).second)
      return fail(ErrorCode::invalid_config, "log.dirs names {} twice", directory->path());
  for (const auto& directory : healths_)
    if (auto s = open_one(directory); !s) return s;
  if (auto s = none_left(); !s) return s;

  for (const auto& claim : claims_) {
    for (const auto& earlier : claims_) {
      if (&earlier == &claim) break;
      const auto differs = [](const auto& a, const auto& b) { return a && b && *a != *b; };
      if (differs(earlier.stored.broker_id, claim.stored.broker_id) ||
          differs(earlier.stored.cluster_id, claim.stored.cluster_id))
        return fail(ErrorCode::invalid_config,
                    "BrokerMetadata is not consistent across log.dirs: {} and {} belong to different brokers or "
                    "clusters (see meta.properties in each). Were data copied from elsewhere?",
                    earlier.directory->path(), claim.directory->path());
    }
    if (claim.stored.broker_id) stored_.broker_id = claim.stored.broker_id;
    if (claim.stored.cluster_id) stored_.cluster_id = claim.stored.cluster_id;
  }
  return {};
}

// An error stops the start; what only costs this directory is told to its health.
Status LogDirs::open_one(const std::shared_ptr<DirectoryHealth>& directory) {
  auto& health = *directory;
  if (!health.watch(files_.create_directories(health.path()))) return {};
  if (auto listed = files_.list(health.path()); !listed) {
    health.retire(listed.error());
    return {};
  }
  // Made beforehand, so that a lock refused can only mean that somebody else holds it.
  const auto lock_path = in(health, kLockFile);
  if (auto there = files_.open(lock_path, base::OpenMode::create_or_open); !there) {
    health.retire(there.error());
    return {};
  }
  auto lock = files_.lock(lock_path);
  if (!lock)
    return fail(ErrorCode::kafka_storage_error,
                "Failed to acquire lock on file .lock in {}. Another broker uses this directory: stop it, or give this "
                "one other log.dirs",
                health.path());
  auto text = read_file_if_there(files_, in(health, kMetaProperties));
  if (!text) {
    health.retire(text.error());
    return {};
  }
  Claim claim{.directory = directory, .lock = std::move(lock).value(), .stored = {}};
  if (*text) {
    auto identity = parse_identity(**text);
    if (!identity) return fail(identity.error().code, "{}: {}", in(health, kMetaProperties), identity.error().detail);
    claim.stored = *identity;
  }
  claims_.push_back(std::move(claim));
  return {};
}

Status LogDirs::claim(const Identity& ours) {
  if (auto s = check_identity(stored_, ours); !s) return s;
  for (auto& claim : claims_) {
    if (!claim.directory->online()) continue;
    if (claim.stored.broker_id && claim.stored.cluster_id) continue;
    const auto written = claim.directory->watch(
        write_file_atomically(files_, in(*claim.directory, kMetaProperties), format_identity(ours, clock_.wall())));
    if (written) claim.stored = ours;
  }
  stored_ = ours;
  return none_left();
}

Result<bool> LogDirs::take_clean_marker(const DirectoryHealth& directory) {
  const auto path = in(directory, kCleanMarker);
  auto there = files_.exists(path);
  if (!there || !*there) return there;
  if (auto s = files_.remove(path); !s) return s.error();
  // Should power fail once appends have begun, the marker must not be back.
  if (auto s = files_.sync_directory(directory.path()); !s) return s.error();
  return true;
}

Status LogDirs::leave_clean_marker(const DirectoryHealth& directory) {
  return write_file_atomically(files_, in(directory, kCleanMarker), kCleanMarkerText);
}

std::vector<std::shared_ptr<DirectoryHealth>> LogDirs::online() const {
  std::vector<std::shared_ptr<DirectoryHealth>> left;
  for (const auto& directory : healths_)
    if (directory->online()) left.push_back(directory);
  return left;
}

}  // namespace storage
