// What every MetadataStore must do, written once and run against each of them.
#pragma once

#include <absl/synchronization/mutex.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/loop.h"
#include "replication/coordination/metadata_store.h"

namespace test_support {

// Values that callbacks on another thread leave, and a test waits for.
template <class T>
class Collected {
 public:
  void add(T value) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    values_.push_back(std::move(value));
  }
  std::vector<T> values() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return values_;
  }
  // False when the time is over first.
  bool wait_until(std::function<bool(const std::vector<T>&)> enough, absl::Duration limit = absl::Seconds(20))
      ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    const auto condition = [&] { return enough(values_); };
    return mutex_.AwaitWithTimeout(absl::Condition(&condition), limit);
  }
  bool wait_for_count(std::size_t count) {
    return wait_until([count](const auto& values) { return values.size() >= count; });
  }

 private:
  absl::Mutex mutex_;
  std::vector<T> values_ ABSL_GUARDED_BY(mutex_);
};

// Runs `work` on the loop and waits for it.
void run_on(base::Loop& loop, std::function<void()> work);
// Waits, asking again and again, until `condition` holds; false when the time is over.
bool eventually(const std::function<bool()>& condition, absl::Duration limit = absl::Seconds(20));

// Catch2 sections, to be called from a TEST_CASE with a started store whose tree may hold anything but "/suite".
void store_suite(replication::MetadataStore& store, base::Loop& loop);

}  // namespace test_support
