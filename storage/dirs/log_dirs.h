// The data directories: their locks, whose they are, how the last broker left them, which of them still work.
//
// Order at start: open() creates and locks them and reads meta.properties; the broker learns its id and cluster id;
// claim() compares and writes; take_clean_marker() before the first log is touched. At an orderly stop
// leave_clean_marker() comes last, after every log was closed and every checkpoint written.
//
// A directory that cannot be created, read or written goes offline, and the others go on; a directory that another
// process has locked, that belongs to another broker, or of which two claims differ, stops the start.
// Waits for the disk. One thread, except that health() objects belong to everybody.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "storage/dirs/directory_health.h"
#include "storage/dirs/identity.h"

namespace storage {

inline constexpr std::string_view kLockFile = ".lock";
inline constexpr std::string_view kMetaProperties = "meta.properties";
inline constexpr std::string_view kCleanMarker = ".kafka_cleanshutdown";

class LogDirs {
 public:
  // `on_failure`: see DirectoryHealth. `paths` as configured; a path given twice is refused by open().
  LogDirs(base::FileSystem& files, const base::Clock& clock, std::vector<std::string> paths,
          DirectoryHealth::OnFailure on_failure);

  // Fails also when no directory is left.
  base::Status open();
  // What the directories say together.
  const Identity& stored() const { return stored_; }
  base::Status claim(const Identity& ours);

  // Whether the last broker stopped in order here. The marker is gone, on disk too, when this returns.
  base::Result<bool> take_clean_marker(const DirectoryHealth& directory);
  base::Status leave_clean_marker(const DirectoryHealth& directory);

  const std::vector<std::shared_ptr<DirectoryHealth>>& all() const { return healths_; }
  std::vector<std::shared_ptr<DirectoryHealth>> online() const;

 private:
  struct Claim {
    std::shared_ptr<DirectoryHealth> directory;
    std::unique_ptr<base::FileLock> lock;
    Identity stored;
  };
  base::Status open_one(const std::shared_ptr<DirectoryHealth>& directory);
  base::Status none_left() const;

  base::FileSystem& files_;
  const base::Clock& clock_;
  std::vector<std::shared_ptr<DirectoryHealth>> healths_;
  std::vector<Claim> claims_;  // of the directories that opened
  Identity stored_;
};

}  // namespace storage
