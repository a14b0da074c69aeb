// Reads all segments of some log directories with several threads, and shows how far it is.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "storage/check/partition_check.h"

namespace tools {

struct WalkProgress {
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;
};

// Surveys the partitions, reads all their segments with `threads` threads, and finishes them. `show` is called on this
// thread about ten times a second while it waits. Returns the bytes read, or why it could not go on.
base::Result<std::uint64_t> walk(const std::vector<storage::PartitionCheck*>& partitions, std::size_t threads,
                                 const std::function<void(const WalkProgress&)>& show);

}  // namespace tools
