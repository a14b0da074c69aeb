// log.cleaner.io.max.bytes.per.second: bytes read and written by all cleaner threads together. Plain value, time passed
// in.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "base/clock.h"

namespace storage {

class Throttle {
 public:
  explicit Throttle(double bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  // How long to wait after so many bytes. What others have spent comes first.
  base::Duration spend(std::size_t bytes, base::Instant now) {
    const auto seconds = static_cast<double>(bytes) / bytes_per_second_;
    if (!(seconds > 1e-9)) return {};  // no limit, or none that a clock could tell
    if (paid_until_ < now) paid_until_ = now;
    paid_until_ +=
        std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(std::min(seconds, kLongestSeconds)));
    return paid_until_ - now;
  }

 private:
  static constexpr double kLongestSeconds = 3600;  // so that a limit near zero does not overflow

  double bytes_per_second_;
  base::Instant paid_until_{};
};

}  // namespace storage
