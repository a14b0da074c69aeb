// max.connections, its per-listener and its per-address kin.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace broker {

// Any thread may call. As in Kafka, a listener at its limit (or at the broker's) stops accepting, so that clients wait
// in the backlog; an address above its own limit is let in by the kernel and closed at once.
class ConnectionLimits {
 public:
  struct Limits {
    int total = 0;
    int per_address = 0;
    absl::flat_hash_map<std::string, int> per_address_overrides;
    struct Listener {
      int max = 0;
      bool above_total = false;  // admitted beyond the total; somebody else has to go
    };
    std::vector<Listener> listeners;
  };
  explicit ConnectionLimits(Limits limits);

  // A counted connection; destroying it makes room.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : limits_(std::exchange(other.limits_, nullptr)),
          listener_(other.listener_),
          address_(std::move(other.address_)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (limits_) limits_->leave(listener_, address_);
    }
    explicit operator bool() const { return limits_ != nullptr; }

   private:
    friend class ConnectionLimits;
    Place(ConnectionLimits* limits, std::size_t listener, std::string address)
        : limits_(limits), listener_(listener), address_(std::move(address)) {}
    ConnectionLimits* limits_ = nullptr;
    std::size_t listener_ = 0;
    std::string address_;
  };

  // May this listener accept? If not, `when_room` of the constructor's owner is called after the next one has left.
  bool has_room(std::size_t listener) ABSL_LOCKS_EXCLUDED(mutex_);
  // An empty place when the address has its share.
  Place admit(std::size_t listener, const std::string& address) ABSL_LOCKS_EXCLUDED(mutex_);
  bool above_total() ABSL_LOCKS_EXCLUDED(mutex_);

  // Set once before the first admit(). Called when a listener that was refused room may try again.
  void on_room(std::function<void()> when_room) { when_room_ = std::move(when_room); }

  int open() ABSL_LOCKS_EXCLUDED(mutex_);
  // True when everyone has left in time.
  bool wait_until_empty(base::Duration at_most) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void leave(std::size_t listener, const std::string& address) ABSL_LOCKS_EXCLUDED(mutex_);

  const Limits limits_;
  std::function<void()> when_room_;
  absl::Mutex mutex_;
  int total_ ABSL_GUARDED_BY(mutex_) = 0;
  bool refused_room_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<int> by_listener_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, int> by_address_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace broker
