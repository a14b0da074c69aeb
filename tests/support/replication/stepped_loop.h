// A loop without a thread: work and timers run when the test says so, on the test's thread.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "base/loop.h"

namespace test_support {

class SteppedLoop final : public base::Loop {
 public:
  explicit SteppedLoop(base::ManualClock& clock) : Loop("stepped"), clock_(clock) {}
  ~SteppedLoop() override { work_.clear(); }

  void post(std::function<void()> work) override { work_.push_back(std::move(work)); }
  bool in_loop() const override { return true; }
  std::unique_ptr<base::Timer> make_timer() override { return std::make_unique<SteppedTimer>(*this); }

  // Everything there is to do now.
  void run() {
    while (!work_.empty()) {
      auto next = std::move(work_.front());
      work_.pop_front();
      next();
    }
  }
  // Time passes, and every timer fires at its own.
  void pass(std::chrono::milliseconds time) {
    const auto end = clock_.now() + time;
    run();
    while (!timers_.empty() && timers_.begin()->first.first <= end) {
      auto node = timers_.extract(timers_.begin());
      advance_to(node.key().first);
      node.mapped()();
      run();
    }
    advance_to(end);
  }
  std::size_t timers() const { return timers_.size(); }

 private:
  using Due = std::pair<base::Instant, std::uint64_t>;

  class SteppedTimer final : public base::Timer {
   public:
    explicit SteppedTimer(SteppedLoop& loop) : loop_(loop) {}
    ~SteppedTimer() override { cancel(); }
    void arm(base::Duration after, std::function<void()> then) override {
      cancel();
      due_ = {loop_.clock_.now() + after, ++loop_.armed_};
      loop_.timers_.emplace(due_, std::move(then));
    }
    void cancel() override { loop_.timers_.erase(due_); }

   private:
    SteppedLoop& loop_;
    Due due_{};
  };

  void advance_to(base::Instant when) {
    if (when > clock_.now()) clock_.advance(std::chrono::ceil<std::chrono::milliseconds>(when - clock_.now()));
  }

  base::ManualClock& clock_;
  std::deque<std::function<void()>> work_;
  std::map<Due, std::function<void()>> timers_;
  std::uint64_t armed_ = 0;
};

}  // namespace test_support
