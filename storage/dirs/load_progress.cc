#include "storage/dirs/load_progress.h"

#include <fmt/format.h>

#include <algorithm>

namespace storage {
namespace {

constexpr double kMiB = 1 << 20;
constexpr double kGiB = 1 << 30;

double in_seconds(base::Duration x) { return std::chrono::duration<double>(x).count(); }

std::optional<std::chrono::seconds> time_left(const LoadCounts& counts, base::Duration elapsed) {
  if (counts.done()) return std::chrono::seconds{0};
  const bool by_bytes = counts.bytes > 0;
  const auto total = static_cast<double>(by_bytes ? counts.bytes : counts.partitions);
  const auto done = static_cast<double>(by_bytes ? counts.bytes_done : counts.partitions_done);
  if (done <= 0 || elapsed <= base::Duration{0}) return std::nullopt;
  // What was cut from a damaged log is never read, and the last bytes may be read before their partition is open.
  const double left = std::max(0.0, total - done);
  const double seconds = in_seconds(elapsed) * left / done;
  return std::chrono::seconds{std::max<std::int64_t>(1, static_cast<std::int64_t>(seconds + 0.5))};
}

}  // namespace

LoadCounts sum(LoadCountsOfAll directories) {
  LoadCounts all;
  for (const auto& counts : directories) {
    all.partitions += counts.partitions;
    all.partitions_done += counts.partitions_done;
    all.bytes += counts.bytes;
    all.bytes_done += counts.bytes_done;
  }
  return all;
}

std::optional<std::chrono::seconds> time_left(LoadCountsOfAll directories, base::Duration elapsed) {
  std::chrono::seconds longest{0};
  for (const auto& counts : directories) {
    const auto left = time_left(counts, elapsed);
    if (!left) return std::nullopt;
    longest = std::max(longest, *left);
  }
  return longest;
}

std::string describe(LoadCountsOfAll directories, base::Duration elapsed) {
  const auto counts = sum(directories);
  auto text = fmt::format("{} of {} partitions", counts.partitions_done, counts.partitions);
  if (counts.bytes > 0) {
    const bool large = static_cast<double>(counts.bytes) >= kGiB;
    const double unit = large ? kGiB : kMiB;
    text += fmt::format(", {:.1f} of {:.1f} {}", static_cast<double>(counts.bytes_done) / unit,
                        static_cast<double>(counts.bytes) / unit, large ? "GiB" : "MiB");
    if (elapsed > base::Duration{0})
      text += fmt::format(" at {:.0f} MiB/s", static_cast<double>(counts.bytes_done) / kMiB / in_seconds(elapsed));
  } else if (elapsed > base::Duration{0}) {
    text += fmt::format(" at {:.0f} a second", static_cast<double>(counts.partitions_done) / in_seconds(elapsed));
  }
  if (const auto left = time_left(directories, elapsed)) text += fmt::format(", about {}s left", left->count());
  return text;
}

}  // namespace storage
