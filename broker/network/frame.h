// One request as it came off the wire, and the memory it lies in.
#pragma once

#include <memory>
#include <span>

#include "base/buffer.h"
#include "broker/network/memory_budget.h"

namespace broker {

// The payload of a frame (without its size). Small frames lie in the loop's receive buffer and are gone when the call
// that handles them returns; large ones lie in a buffer of their own. Lives on its loop; not copyable.
class Frame {
 public:
  // Lies in memory that its caller keeps until the call returns.
  explicit Frame(std::span<std::byte> bytes) : bytes_(bytes) {}
  // Owns its memory.
  Frame(base::Buffer buffer, MemoryCharge charge)
      : own_(std::move(buffer)), charge_(std::move(charge)), bytes_(own_.bytes()) {}
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  // Mutable: record batches are stamped in place.
  std::span<std::byte> bytes() { return bytes_; }

  // Keeps the bytes alive as long as the result lives. A frame that lies in the receive buffer moves to memory of its
  // own, so everything that pointed into it before is void; call this before decoding.
  std::shared_ptr<const void> keep(const std::shared_ptr<MemoryBudget>& budget);

  // The buffer, if it has one and nobody kept it: for use by the next frame.
  base::Buffer take_buffer() { return std::move(own_); }

 private:
  struct Kept;

  base::Buffer own_;
  MemoryCharge charge_;
  std::shared_ptr<Kept> kept_;
  std::span<std::byte> bytes_;
};

}  // namespace broker
