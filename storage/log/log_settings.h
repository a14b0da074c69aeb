// What one log needs to know of its topic's settings. Plain values; replaced whole when the settings change.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

#include "storage/segment/segment.h"

namespace storage {

struct LogSettings {
  std::uint64_t segment_bytes = std::uint64_t{1} << 30;             // segment.bytes
  std::chrono::milliseconds segment_age = std::chrono::hours(168);  // segment.ms
  std::chrono::milliseconds segment_jitter{0};                      // segment.jitter.ms
  IndexSettings index;                                              // segment.index.bytes, index.interval.bytes
  bool compacted = false;                                           // cleanup.policy
  // max.compaction.lag.ms: a compacted log also rolls when its oldest record may not stay uncompacted any longer.
  std::chrono::milliseconds longest_compaction_lag = std::chrono::milliseconds::max();
  std::chrono::milliseconds file_delete_delay = std::chrono::minutes(1);  // file.delete.delay.ms

  std::chrono::milliseconds rolls_after() const {
    return compacted ? std::min(segment_age, longest_compaction_lag) : segment_age;
  }
};

}  // namespace storage
