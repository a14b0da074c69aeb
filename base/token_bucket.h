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
    fill(now);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

  // How long until take() would succeed; at most `longest`, also at a rate of nothing.
  Duration wait(Instant now, Duration longest) {
    fill(now);
    if (tokens_ >= 1) return Duration::zero();
    const std::chrono::duration<double> left{(1 - tokens_) / rate_.per_second};
    // A moment more than that: what is rounded down would find nothing yet.
    return left < longest ? std::chrono::duration_cast<Duration>(left) + std::chrono::microseconds(1) : longest;
  }

 private:
  void fill(Instant now) {
    if (now <= filled_) return;
    const double seconds = std::chrono::duration<double>(now - filled_).count();
    tokens_ = started_ ? std::min(rate_.burst, tokens_ + seconds * rate_.per_second) : rate_.burst;
    filled_ = now;
    started_ = true;
  }

  Rate rate_;
  double tokens_;
  Instant filled_{};
  bool started_ = false;
};

}  // namespace base
