#include "broker/network/frame.h"

#include <cstring>

namespace broker {

struct Frame::Kept {
  base::Buffer buffer;
  MemoryCharge charge;
};

std::shared_ptr<const void> Frame::keep(const std::shared_ptr<MemoryBudget>& budget) {
  if (kept_) return kept_;
  if (own_.empty()) {
    own_ = base::Buffer(bytes_.size());
    if (!bytes_.empty()) std::memcpy(own_.data(), bytes_.data(), bytes_.size());
    charge_ = MemoryCharge(budget, bytes_.size());
  }
  // The address survives the move: a Buffer hands over its allocation.
  kept_ = std::make_shared<Kept>();
  kept_->buffer = std::move(own_);
  kept_->charge = std::move(charge_);
  bytes_ = kept_->buffer.bytes();
  return kept_;
}

}  // namespace broker
