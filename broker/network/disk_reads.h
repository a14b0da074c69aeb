// What clients' requests read from the disk: on the blocking pool, where it may wait.
//
// Only so many reads at once hold one of the pool's threads, so that flushes and deletions find another. The others
// stand in line in the order they came, up to a bound for the whole broker; who comes then is refused, and asks his
// client to come again. Any thread may call. Outlives the pool's work; outlived by the pool.
#pragma once

#include <absl/synchronization/mutex.h>

#include <cstddef>
#include <deque>
#include <functional>

#include "base/loop.h"

namespace broker {

class DiskReads {
 public:
  struct Limits {
    std::size_t at_once = 1;
    std::size_t waiting = 10'000;
  };
  DiskReads(base::BlockingPool& pool, Limits limits) : pool_(pool), limits_(limits) {}

  // False: refused, and `read` is never called.
  bool submit(std::function<void()> read) ABSL_LOCKS_EXCLUDED(mutex_);
  // For what there is one of per connection, however many others wait.
  void submit_always(std::function<void()> read) ABSL_LOCKS_EXCLUDED(mutex_);
  std::size_t waiting() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void begin(std::function<void()> read);
  void ended() ABSL_LOCKS_EXCLUDED(mutex_);

  base::BlockingPool& pool_;
  const Limits limits_;
  mutable absl::Mutex mutex_;
  std::size_t running_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<std::function<void()>> line_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace broker
