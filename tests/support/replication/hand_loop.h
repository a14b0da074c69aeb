// A loop and a pool that run when the test says so, by a clock that it moves. One thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/loop.h"

namespace test_support {

class HandLoop final : public base::Loop {
 public:
  explicit HandLoop(base::ManualClock& clock) : base::Loop("hand"), clock_(clock) {}

  void post(std::function<void()> work) override { posted_.push_back(std::move(work)); }
  bool in_loop() const override { return true; }
  std::unique_ptr<base::Timer> make_timer() override { return std::make_unique<HandTimer>(*this); }

  // One thing that is due. False: there is none.
  bool step() {
    if (!posted_.empty()) {
      const auto work = std::move(posted_.front());
      posted_.pop_front();
      return work(), true;
    }
    for (auto* timer : armed_)
      if (timer->at <= clock_.now()) {
        armed_.erase(timer);
        const auto then = std::exchange(timer->then, nullptr);
        return then(), true;
      }
    return false;
  }
  bool has_work() const { return !posted_.empty(); }
  std::size_t armed() const { return armed_.size(); }

 private:
  struct HandTimer final : base::Timer {
    explicit HandTimer(HandLoop& of) : loop(of) {}
    ~HandTimer() override { cancel(); }
    void arm(base::Duration after, std::function<void()> what) override {
      cancel();
      at = loop.clock_.now() + after;
      number = ++loop.timers_;
      then = std::move(what);
      loop.armed_.insert(this);
    }
    void cancel() override { loop.armed_.erase(this); }

    HandLoop& loop;
    base::Instant at{};
    std::uint64_t number = 0;
    std::function<void()> then;
  };
  struct Earlier {
    bool operator()(const HandTimer* a, const HandTimer* b) const {
      return std::pair(a->at, a->number) < std::pair(b->at, b->number);
    }
  };

  base::ManualClock& clock_;
  std::deque<std::function<void()>> posted_;
  std::set<HandTimer*, Earlier> armed_;
  std::uint64_t timers_ = 0;
};

class HandPool final : public base::BlockingPool {
 public:
  HandPool() : base::BlockingPool(0, "hand") {}
  void submit(std::function<void()> work) override { queue_.push_back(std::move(work)); }
  bool step() {
    if (queue_.empty()) return false;
    const auto work = std::move(queue_.front());
    queue_.pop_front();
    return work(), true;
  }
  std::size_t waiting() const { return queue_.size(); }

 private:
  std::deque<std::function<void()>> queue_;
};

}  // namespace test_support
