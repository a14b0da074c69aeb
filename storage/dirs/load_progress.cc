#include "storage/dirs/load_progress.h"

#include <fmt/format.h>

#include <algorithm>

namespace storage {
namespace {

constexpr double kMiB = 1 << 20;
constexpr double kGiB = 1 << 30;

}  // namespace

std::optional<std::chrono::seconds> time_left(const LoadCounts& counts, base::Duration elapsed) {
  if (counts.done()) return std::chrono::seconds{0};
  const bool by_bytes = counts.bytes > 0;
  const auto total = static_cast<double>(by_bytes ? counts.bytes : counts.partitions);
  const auto done = static_cast<double>(by_bytes ? counts.bytes_done : counts.partitions_done);
  if (done <= 0 || elapsed <= base::Duration{0}) return std::nullopt;
  // What was cut from a damaged log is never read, and the last bytes may be read before their partition is open.
  const double left = std::max(0.0, total - done);
  const double seconds = std::chrono::duration<double>(elapsed).count() * left / done;
  return std::chrono::seconds{std::max<std::int64_t>(1, static_cast<std::int64_t>(seconds + 0.5))};
}

std::string describe(const LoadCounts& counts, base::Duration elapsed) {
  auto text = fmt::format("{} of {} partitions", counts.partitions_done, counts.partitions);
  if (counts.bytes > 0) {
    const bool large = static_cast<double>(counts.bytes) >= kGiB;
    const double unit = large ? kGiB : kMiB;
    text += fmt::format(", {:.1f} of {:.1f} {}", static_cast<double>(counts.bytes_done) / unit,
                        static_cast<double>(counts.bytes) / unit, large ? "GiB" : "MiB");
  }
  if (const auto left = time_left(counts, elapsed)) text += fmt::format(", about {}s left", left->count());
  return text;
}

}  // namespace storage
