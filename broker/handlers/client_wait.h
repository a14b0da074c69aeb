// The time a client chose to wait for its answer: up to 24 days, which it may not live to see.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>

#include "base/loop.h"

namespace broker {

// Lives on its loop, inside what waits. A wait whose client is gone ends at the next look, so that connections that
// come, wait and go cannot pile up what they waited with.
class ClientWait {
 public:
  using Milliseconds = std::chrono::milliseconds;

  explicit ClientWait(base::Loop& loop, Milliseconds look_every = std::chrono::seconds(10))
      : timer_(loop.make_timer()), look_every_(look_every) {}

  // `over` runs once, unless cancelled. It owns what this lives in.
  void start(Milliseconds left, std::function<bool()> wanted, std::function<void()> over) {
    const auto step = std::min(left, look_every_);
    timer_->arm(step, [this, left = left - step, wanted = std::move(wanted), over = std::move(over)] {
      if (left.count() <= 0 || !wanted()) return over();
      start(left, wanted, over);
    });
  }
  void cancel() { timer_->cancel(); }

 private:
  std::unique_ptr<base::Timer> timer_;
  const Milliseconds look_every_;
};

}  // namespace broker
