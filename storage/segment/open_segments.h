// How many segments that nobody writes to may keep their files open, in all logs of this broker together. Each log
// counts its own; with more than that it closes them as soon as it has looked into them. Any thread may call.
#pragma once

#include <atomic>
#include <cstddef>

namespace storage {

class OpenSegments {
 public:
  explicit OpenSegments(std::size_t most) : most_(most) {}

  void opened() { count_.fetch_add(1, std::memory_order_relaxed); }
  void closed(std::size_t count) { count_.fetch_sub(count, std::memory_order_relaxed); }
  bool too_many() const { return count() > most_; }
  std::size_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  const std::size_t most_;
  std::atomic<std::size_t> count_{0};
};

}  // namespace storage
