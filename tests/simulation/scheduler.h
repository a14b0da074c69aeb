// One queue of events for a whole simulated world, and the time it passes.
//
// Everything that happens is an event: a message arriving, a timer firing, a loop taking its next piece of work. The
// next event is the earliest; among those due at the same instant the seed decides. Nothing else decides anything, so a
// seed is a run: same seed, same order, same end. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace simulation {

// What parts of the world need to let something happen later.
class Timeline {
 public:
  virtual ~Timeline() = default;
  virtual void after(base::Duration delay, std::function<void()> work) = 0;
  virtual base::Instant now() const = 0;
};

// Cheap and seedable; good enough to choose between events.
class Dice final : public base::Random {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override;
  // True once in `n`.
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  bool percent(std::uint64_t n) { return below(100) < n; }
  // Uniform in [from, to].
  base::Duration between(base::Duration from, base::Duration to);

 private:
  std::uint64_t state_;
};

class Scheduler final : public Timeline {
 public:
  explicit Scheduler(std::uint64_t seed) : dice_(seed) {}

  void after(base::Duration delay, std::function<void()> work) override;
  base::Instant now() const override { return now_; }
  Dice& dice() { return dice_; }

  // Runs the next event; false when none is due at or before `until`, to which the time then moves.
  bool step(base::Instant until);
  void run_until(base::Instant until) {
    while (step(until)) {
    }
  }
  std::uint64_t events() const { return count_; }
  // Of all that happened so far: two runs of one seed must agree on it.
  std::uint64_t fingerprint() const { return fingerprint_; }
  void note(std::uint64_t what);
  // What is still to come is destroyed; nothing more is taken in.
  void close();

 private:
  struct Event {
    base::Instant when;
    std::uint64_t tie;
    std::uint64_t number;
    std::function<void()> work;
  };
  static bool later(const Event& a, const Event& b);

  Dice dice_;
  base::Instant now_{std::chrono::seconds(1)};
  std::uint64_t count_ = 0;
  std::uint64_t made_ = 0;
  std::uint64_t fingerprint_ = 0;
  bool closed_ = false;
  std::vector<Event> heap_;
};

// The time as one machine sees it: everybody's time goes at the same pace, but clocks on the wall differ.
class SimClock final : public base::Clock {
 public:
  SimClock(const Timeline& timeline, std::chrono::milliseconds ahead) : timeline_(timeline), ahead_(ahead) {}
  base::Instant now() const override { return timeline_.now(); }
  base::Timestamp wall() const override;

 private:
  const Timeline& timeline_;
  const std::chrono::milliseconds ahead_;
};

}  // namespace simulation
