// Which segments at the front of a log may go: by log start, by size, by age (pure; on-disk formats, section 7).
//
//   log start   while the next segment begins at or below it; the last segment never goes for this reason
//   size        while the log is not smaller than the limit without the segment: it may stay up to one segment above
//   time        while the youngest record of the segment is older than the limit
//
// Whatever the reason, a segment goes only when all of it lies below the high watermark, and an empty last one stays.
// All of them may go, the active one included: the log then rolls first.
#pragma once

#include <absl/functional/function_ref.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/error.h"
#include "base/ids.h"

namespace storage {

struct RetentionRules {
  bool deletes = true;  // cleanup.policy holds delete; otherwise only the log start counts
  std::optional<std::chrono::milliseconds> max_age = std::nullopt;  // retention.ms; nothing: for ever
  std::optional<std::uint64_t> max_bytes = std::nullopt;            // retention.bytes

  bool operator==(const RetentionRules&) const = default;
};

enum class RetentionReason { time, size, log_start };

struct RetentionSegment {
  base::Offset end;  // where the next segment begins, or the log end
  std::uint64_t size_bytes = 0;
};

// What the rules ask of a log. Functions, so that a log of thousands of segments is asked about the first few only.
struct RetentionView {
  std::size_t segments = 0;
  absl::FunctionRef<RetentionSegment(std::size_t)> segment;
  // Of any record in that segment; where records bear none, when the file was written last. May ask the disk.
  absl::FunctionRef<base::Result<base::Timestamp>(std::size_t)> youngest;
  absl::FunctionRef<std::uint64_t()> size_bytes;  // of all segments
  base::Offset log_start;
  base::Offset high_watermark;
};

struct Deletable {
  std::size_t segments = 0;  // so many at the front; 0: none
  RetentionReason why = RetentionReason::time;
};

// The first reason for which any may go, in the order time, size, log start. Ask again after they are gone.
base::Result<Deletable> find_deletable(const RetentionRules& rules, const RetentionView& log, base::Timestamp now);

}  // namespace storage
