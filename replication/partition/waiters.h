// Who waits for a partition to get further: long polls and acks=all produces. Waiting costs an entry in this list, no
// thread and no coroutine.
//
// Guarded by the partition's lock. What is taken out is woken by the caller after it has let go of that lock.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/ids.h"

namespace replication {

// Any thread may wake, also without reason; implementations look again at what they wait for. Must not block.
class Waiter {
 public:
  virtual ~Waiter() = default;
  virtual void wake() = 0;
};
using WaiterList = std::vector<std::shared_ptr<Waiter>>;

class Waiters {
 public:
  // Woken once, when `reach` <= the high watermark, or whenever the partition changes its role or goes away.
  void add(base::Offset reach, std::shared_ptr<Waiter> waiter) { entries_.push_back({reach, std::move(waiter)}); }
  void remove(const Waiter& waiter) {
    std::erase_if(entries_, [&](const Entry& e) { return e.waiter.get() == &waiter; });
  }

  WaiterList take_reached(base::Offset high_watermark) {
    return take([&](const Entry& e) { return e.reach <= high_watermark; });
  }
  WaiterList take_all() {
    return take([](const Entry&) { return true; });
  }
  bool empty() const { return entries_.empty(); }

 private:
  struct Entry {
    base::Offset reach;
    std::shared_ptr<Waiter> waiter;
  };
  template <class Which>
  WaiterList take(Which which) {
    WaiterList out;
    auto rest = std::partition(entries_.begin(), entries_.end(), [&](const Entry& e) { return !which(e); });
    for (auto at = rest; at != entries_.end(); ++at) out.push_back(std::move(at->waiter));
    entries_.erase(rest, entries_.end());
    return out;
  }

  std::vector<Entry> entries_;
};

inline void wake_all(const WaiterList& waiters) {
  for (const auto& waiter : waiters) waiter->wake();
}

}  // namespace replication
