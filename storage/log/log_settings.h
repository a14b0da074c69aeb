// What one log needs to know of its topic's settings. Plain values; replaced whole when the settings change.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

#include "storage/log/retention.h"
#include "storage/segment/segment.h"

namespace config {
struct TopicSettings;
}

namespace storage {

inline constexpr auto kNeverFlush = std::numeric_limits<std::int64_t>::max();  // but at a roll and an orderly stop

struct LogSettings {
  std::uint64_t segment_bytes = std::uint64_t{1} << 30;                   // segment.bytes
  std::chrono::milliseconds roll_after = std::chrono::hours(168);         // segment.ms; compacted: <= the longest lag
  std::chrono::milliseconds roll_jitter{0};                               // segment.jitter.ms; drawn anew per segment
  IndexSettings index;                                                    // segment.index.bytes, index.interval.bytes
  std::int64_t flush_messages = kNeverFlush;                              // flush.messages
  std::chrono::milliseconds flush_after{kNeverFlush};                     // flush.ms
  bool preallocate = false;                                               // new data files at full size
  int record_version = 2;                                                 // message.format.version: 0, 1 or 2
  std::chrono::milliseconds file_delete_delay = std::chrono::minutes(1);  // file.delete.delay.ms

  RetentionRules retention;  // nothing is ever deleted by default

  static LogSettings from(const config::TopicSettings& topic);
};

}  // namespace storage
