// Measures the free space of every data directory from time to time, and lets clients append only where there is room
// (log.dir.min.free.bytes). Between two looks DirectoryHealth counts down what is appended.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/logging.h"
#include "storage/dirs/directory_health.h"

namespace storage {

// What clients may append where `free` bytes are left. A directory that was full opens again only with a twentieth more
// than the least, lest it close with the next append.
struct Space {
  std::uint64_t free = 0;
  std::uint64_t least = 0;
  bool was_full = false;
};
std::int64_t room_in(const Space& space);

// check() by one thread at a time; waits for statvfs.
class SpaceWatch {
 public:
  // `least` is asked at every look, so that it may be changed at any time.
  SpaceWatch(base::FileSystem& files, const base::Clock& clock,
             std::vector<std::shared_ptr<DirectoryHealth>> directories, std::function<std::uint64_t()> least);
  // Warns when a directory fills up, and again every minute while it is full.
  void check();

 private:
  struct Watched {
    std::shared_ptr<DirectoryHealth> directory;
    bool full = false;
    std::optional<base::Instant> warned{};
  };
  void check(Watched& watched, std::uint64_t least);

  base::FileSystem& files_;
  const base::Clock& clock_;
  std::vector<Watched> watched_;
  const std::function<std::uint64_t()> least_;
  const base::Logger log_{"kafka.log.LogManager"};
};

}  // namespace storage
