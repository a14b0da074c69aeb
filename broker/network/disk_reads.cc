#include "broker/network/disk_reads.h"

#include <utility>

namespace broker {

bool DiskReads::submit(std::function<void()> read) {
  {
    absl::MutexLock lock(&mutex_);
    if (line_.size() >= limits_.waiting && running_ >= limits_.at_once) return false;
  }
  submit_always(std::move(read));
  return true;
}

void DiskReads::submit_always(std::function<void()> read) {
  {
    absl::MutexLock lock(&mutex_);
    if (running_ >= limits_.at_once) {
      line_.push_back(std::move(read));
      return;
    }
    ++running_;
  }
  begin(std::move(read));
}

std::size_t DiskReads::waiting() const {
  absl::MutexLock lock(&mutex_);
  return line_.size();
}

void DiskReads::begin(std::function<void()> read) {
  pool_.submit([this, read = std::move(read)] {
    read();
    ended();
  });
}

// The next one stands in the pool's line again: behind the flushes that have come meanwhile.
void DiskReads::ended() {
  std::function<void()> next;
  {
    absl::MutexLock lock(&mutex_);
    if (line_.empty()) {
      --running_;
      return;
    }
    next = std::move(line_.front());
    line_.pop_front();
  }
  begin(std::move(next));
}

}  // namespace broker
