// How far the opening of the logs has come: counted by the threads that open, read by whoever wants to know.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
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

// At the pace so far; nothing while there is none.
std::optional<std::chrono::seconds> time_left(const LoadCounts& counts, base::Duration elapsed);
// "120 of 2000 partitions, 3.2 of 10.1 GiB, about 45s left"
std::string describe(const LoadCounts& counts, base::Duration elapsed);

// Any thread.
struct LoadProgress {
  std::atomic<std::uint64_t> partitions{0};
  std::atomic<std::uint64_t> partitions_done{0};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> bytes_done{0};

  LoadCounts counts() const { return {partitions, partitions_done, bytes, bytes_done}; }
};

}  // namespace storage
