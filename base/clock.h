// The only place that asks what time it is.
#pragma once

#include <atomic>
#include <chrono>

#include "base/ids.h"

namespace base {

using Duration = std::chrono::nanoseconds;
// Monotonic: deadlines and ages. Never compared with a Timestamp, which people may set back.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// Any thread may call.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual Timestamp wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  Instant now() const override { return std::chrono::steady_clock::now(); }
  Timestamp wall() const override {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }
};

// Moves only when told to; wall and monotonic time may drift apart on purpose.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp wall = timestamp_from_ms(1'700'000'000'000)) : wall_ms_(to_ms(wall)) {}
  Instant now() const override { return Instant{Duration{now_ns_.load()}}; }
  Timestamp wall() const override { return timestamp_from_ms(wall_ms_.load()); }

  void advance(std::chrono::milliseconds by) {
    now_ns_ += Duration{by}.count();
    wall_ms_ += by.count();
  }
  void jump_wall(std::chrono::milliseconds by) { wall_ms_ += by.count(); }

 private:
  std::atomic<std::int64_t> now_ns_{1'000'000'000};
  std::atomic<std::int64_t> wall_ms_;
};

}  // namespace base
