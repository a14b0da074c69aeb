#include "broker/network/memory_budget.h"

namespace broker {

bool MemoryBudget::take_or_wait(std::size_t bytes, std::function<void()> when_free) {
  if (!limited()) return true;
  absl::MutexLock lock(&mutex_);
  if (available_ > 0) {
    available_ -= static_cast<std::int64_t>(bytes);
    return true;
  }
  waiting_.push_back(std::move(when_free));
  return false;
}

void MemoryBudget::take(std::size_t bytes) {
  if (!limited()) return;
  absl::MutexLock lock(&mutex_);
  available_ -= static_cast<std::int64_t>(bytes);
}

void MemoryBudget::release(std::size_t bytes) {
  if (!limited()) return;
  std::vector<std::function<void()>> woken;
  {
    absl::MutexLock lock(&mutex_);
    available_ += static_cast<std::int64_t>(bytes);
    // All of them: who comes too late waits again, and nobody is left behind by one that has gone.
    if (available_ > 0) woken.swap(waiting_);
  }
  for (auto& wake : woken) wake();
}

std::int64_t MemoryBudget::available_bytes() const {
  absl::MutexLock lock(&mutex_);
  return available_;
}

MemoryCharge::MemoryCharge(std::shared_ptr<MemoryBudget> budget, std::size_t bytes) {
  if (!budget || !budget->limited()) return;
  budget->take(bytes);
  budget_ = std::move(budget);
  bytes_ = bytes;
}

}  // namespace broker
