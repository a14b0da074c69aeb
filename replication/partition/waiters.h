// Who waits for a partition to get further: long polls and acks=all produces. Waiting costs an entry here, no thread
// and no coroutine; a thousand consumers may wait on one partition, so nothing but waking them all looks at each.
//
// Guarded by the partition's lock. What is taken out is woken by the caller after it has let go of that lock.
#pragma once

#include <absl/container/btree_map.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/loop.h"

namespace replication {

class Waiter;
using WaiterList = std::vector<std::shared_ptr<Waiter>>;

// Woken also without reason: implementations look again at what they wait for.
class Waiter {
 public:
  // `home`: the loop that wakes it; null: whoever calls wake_all().
  explicit Waiter(base::Loop* home = nullptr) : home_(home) {}
  virtual ~Waiter() = default;

 protected:
  // On its home. Must not block.
  virtual void wake() = 0;

 private:
  friend void wake_all(WaiterList waiters);

  base::Loop* const home_;
  std::atomic<bool> called_{false};  // and not yet woken: calling again would tell it nothing more
};

// Any thread, without locks held. One post per loop, however many of them wait there.
void wake_all(WaiterList waiters);

class Waiters {
 public:
  // Where a waiter stands; never used twice, so that giving back one that is gone does no harm.
  using Place = std::pair<base::Offset, std::uint64_t>;

  // Woken once, when the offset waited for has been reached, or whenever the partition changes its role or goes away.
  Place add(base::Offset reach, std::shared_ptr<Waiter> waiter) {
    const Place place{reach, next_++};
    waiting_.emplace(place, std::move(waiter));
    return place;
  }
  void remove(const Place& place) { waiting_.erase(place); }

  WaiterList take_reached(base::Offset offset) { return take(waiting_.lower_bound(Place{offset + 1, 0})); }
  WaiterList take_all() { return take(waiting_.end()); }
  std::size_t size() const { return waiting_.size(); }

 private:
  using Map = absl::btree_map<Place, std::shared_ptr<Waiter>>;  // by the offset waited for, then by age

  WaiterList take(Map::iterator end) {
    WaiterList out;
    for (auto at = waiting_.begin(); at != end; ++at) out.push_back(std::move(at->second));
    waiting_.erase(waiting_.begin(), end);
    return out;
  }

  Map waiting_;
  std::uint64_t next_ = 0;
};

}  // namespace replication
