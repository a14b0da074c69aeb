// queued.max.request.bytes: how much memory all connections together may hold in received, unprocessed requests.
#pragma once

#include <absl/synchronization/mutex.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace broker {

// Any thread may call. As in Kafka's memory pool a request is let in while anything is left, so the budget may be
// overdrawn by one request per caller at most; a budget smaller than one request would otherwise block for ever.
class MemoryBudget {
 public:
  // limit <= 0: unlimited, nothing is counted.
  explicit MemoryBudget(std::int64_t limit_bytes)
      : limit_(limit_bytes > 0 ? limit_bytes : 0), available_(limit_bytes) {}

  bool limited() const { return limit_ > 0; }
  std::int64_t limit_bytes() const { return limit_; }  // 0: unlimited
  // True: taken. False: nothing taken, and `when_free` is called once, by the thread that releases memory.
  bool take_or_wait(std::size_t bytes, std::function<void()> when_free) ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes even when nothing is left: for memory that exists already.
  void take(std::size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  void release(std::size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // Below zero while overdrawn.
  std::int64_t available_bytes() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const std::int64_t limit_;
  mutable absl::Mutex mutex_;
  std::int64_t available_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
};

// Taken memory; destroying it gives the memory back.
class MemoryCharge {
 public:
  MemoryCharge() = default;
  MemoryCharge(std::shared_ptr<MemoryBudget> budget, std::size_t bytes);  // takes
  // Already taken by take_or_wait().
  struct AlreadyTaken {};
  MemoryCharge(std::shared_ptr<MemoryBudget> budget, std::size_t bytes, AlreadyTaken)
      : budget_(std::move(budget)), bytes_(bytes) {}
  MemoryCharge(MemoryCharge&& other) noexcept
      : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}
  MemoryCharge& operator=(MemoryCharge&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MemoryCharge() {
    if (budget_) budget_->release(bytes_);
  }

 private:
  std::shared_ptr<MemoryBudget> budget_;  // null when nothing is charged
  std::size_t bytes_ = 0;
};

}  // namespace broker
