// How far the opening of the logs has come: counted by the threads that open, read by whoever wants to know.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"

namespace storage {

struct LoadCounts {
  std::uint64_t partitions = 0;
  std::uint64_t partitions_done = 0;
  std::uint64_t bytes = 0;  // to be read, once measured; nothing after a clean stop
  std::uint64_t bytes_done = 0;

  bool done() const { return partitions_done == partitions; }
};

// One for each data directory. They are opened side by side, each at the pace of its own disk and threads.
using LoadCountsOfAll = std::span<const LoadCounts>;
LoadCounts sum(LoadCountsOfAll directories);
// Of the directory that takes longest, each at its pace so far; nothing while one has none.
std::optional<std::chrono::seconds> time_left(LoadCountsOfAll directories, base::Duration elapsed);
// "120 of 2000 partitions, 3.2 of 10.1 GiB at 512 MiB/s, about 45s left"
std::string describe(LoadCountsOfAll directories, base::Duration elapsed);

// Of one data directory. Any thread.
struct LoadProgress {
  std::atomic<std::uint64_t> partitions{0};
  std::atomic<std::uint64_t> partitions_done{0};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> bytes_done{0};

  LoadCounts counts() const { return {partitions, partitions_done, bytes, bytes_done}; }
};

}  // namespace storage
