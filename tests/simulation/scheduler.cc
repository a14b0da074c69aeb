#include "tests/simulation/scheduler.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace simulation {

// SplitMix64.
std::uint64_t Dice::next() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

base::Duration Dice::between(base::Duration from, base::Duration to) {
  return from + base::Duration{below(static_cast<std::uint64_t>((to - from).count()) + 1)};
}

bool Scheduler::later(const Event& a, const Event& b) {
  return std::tie(a.when, a.tie, a.number) > std::tie(b.when, b.tie, b.number);
}

void Scheduler::after(base::Duration delay, std::function<void()> work) {
  if (closed_) return;
  const auto when = now_ + std::max(delay, base::Duration::zero());
  heap_.push_back({when, dice_.next(), made_++, std::move(work)});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

bool Scheduler::step(base::Instant until) {
  if (heap_.empty() || heap_.front().when > until) {
    now_ = std::max(now_, until);
    return false;
  }
  std::pop_heap(heap_.begin(), heap_.end(), later);
  Event event = std::move(heap_.back());
  heap_.pop_back();
  now_ = event.when;
  ++count_;
  note(static_cast<std::uint64_t>(now_.time_since_epoch().count()) ^ event.number);
  event.work();
  return true;
}

void Scheduler::note(std::uint64_t what) { fingerprint_ = (fingerprint_ ^ what) * 0x100000001b3 + (what >> 32); }

void Scheduler::close() {
  closed_ = true;
  const auto dropped = std::exchange(heap_, {});
}

base::Timestamp SimClock::wall() const {
  const auto passed = std::chrono::floor<std::chrono::milliseconds>(timeline_.now().time_since_epoch());
  return base::timestamp_from_ms(1'700'000'000'000) + passed + ahead_;
}

}  // namespace simulation
