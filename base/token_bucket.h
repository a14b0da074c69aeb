// Rate arithmetic: so many events per second, with a burst.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace base {

// Plain value, time passed in. Starts full.
class TokenBucket {
 public:
  struct Rate {
    double per_second = 1;
    double burst = 1;
  };
  explicit TokenBucket(Rate rate) : rate_(rate), tokens_(rate.burst) {}

  bool take(Instant now) {
    if (now > filled_) {
      const double seconds = std::chrono::duration<double>(now - filled_).count();
      tokens_ = started_ ? std::min(rate_.burst, tokens_ + seconds * rate_.per_second) : rate_.burst;
      filled_ = now;
      started_ = true;
    }
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  Rate rate_;
  double tokens_;
  Instant filled_{};
  bool started_ = false;
};

}  // namespace base
