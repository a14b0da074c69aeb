// max.connection.creation.rate, over all listeners and of each: how long the next client stays in the backlog.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/clock.h"
#include "base/token_bucket.h"
#include "broker/network/network_settings.h"

namespace broker {

// Used by one thread, time passed in. A second's worth of clients may come at once.
class ConnectionRate {
 public:
  explicit ConnectionRate(const NetworkSettings& settings) : total_(bucket(settings.max_connection_rate)) {
    for (const auto& listener : settings.listeners)
      listeners_.push_back({.own = bucket(listener.max_connection_rate),
                            .beside_total = listener.inter_broker && settings.listeners.size() > 1});
  }

  // Zero: accept, and say so.
  base::Duration delay(std::size_t listener, base::Instant now) {
    auto& of = listeners_.at(listener);
    const auto own = of.own.wait(now, kLongest);
    return of.beside_total ? own : std::max(own, total_.wait(now, kLongest));
  }
  void accepted(std::size_t listener, base::Instant now) {
    auto& of = listeners_.at(listener);
    of.own.take(now);
    if (!of.beside_total) total_.take(now);
  }

 private:
  static constexpr base::Duration kLongest = std::chrono::seconds(1);  // then we look again

  static base::TokenBucket bucket(int per_second) {
    return base::TokenBucket({.per_second = static_cast<double>(per_second), .burst = static_cast<double>(per_second)});
  }

  struct OfListener {
    base::TokenBucket own;
    bool beside_total = false;  // brokers get in whatever clients do
  };
  base::TokenBucket total_;
  std::vector<OfListener> listeners_;
};

}  // namespace broker
