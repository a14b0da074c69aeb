#include "broker/network/connection_limits.h"

#include <absl/time/time.h>

#include "base/check.h"

namespace broker {

ConnectionLimits::ConnectionLimits(Limits limits)
    : limits_(std::move(limits)), by_listener_(limits_.listeners.size(), 0) {}

bool ConnectionLimits::has_room(std::size_t listener) {
  absl::MutexLock lock(&mutex_);
  const auto& own = limits_.listeners.at(listener);
  const bool room = by_listener_[listener] < own.max && (own.above_total || total_ < limits_.total);
  if (!room) refused_room_ = true;
  return room;
}

ConnectionLimits::Place ConnectionLimits::admit(std::size_t listener, const std::string& address) {
  absl::MutexLock lock(&mutex_);
  const auto override_of = limits_.per_address_overrides.find(address);
  const int limit = override_of == limits_.per_address_overrides.end() ? limits_.per_address : override_of->second;
  const auto here = by_address_.find(address);
  if ((here == by_address_.end() ? 0 : here->second) >= limit) return {};
  ++by_address_[address];
  ++by_listener_.at(listener);
  ++total_;
  return Place(this, listener, address);
}

bool ConnectionLimits::above_total() {
  absl::MutexLock lock(&mutex_);
  return total_ > limits_.total;
}

void ConnectionLimits::leave(std::size_t listener, const std::string& address) {
  bool tell = false;
  {
    absl::MutexLock lock(&mutex_);
    const auto here = by_address_.find(address);
    base::invariant(here != by_address_.end() && total_ > 0, "who leaves has been counted");
    if (--here->second == 0) by_address_.erase(here);
    --by_listener_.at(listener);
    --total_;
    tell = std::exchange(refused_room_, false);
  }
  if (tell && when_room_) when_room_();
}

int ConnectionLimits::open() {
  absl::MutexLock lock(&mutex_);
  return total_;
}

bool ConnectionLimits::wait_until_empty(base::Duration at_most) {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(
                                     +[](int* total) { return *total == 0; }, &total_),
                                 absl::FromChrono(at_most));
}

}  // namespace broker
