#include "storage/clean/key_map.h"

#include <algorithm>

#include "base/check.h"

namespace storage {

KeyMap::KeyMap(Room room, HashSecret secret)
    : secret_(secret),
      count_(std::max<std::size_t>(room.memory_bytes / kSlotBytes, 2)),
      // One slot stays free in any case: it is where the search for an unknown key ends.
      room_(std::clamp<std::size_t>(static_cast<std::size_t>(static_cast<double>(count_) * room.load_factor), 1,
                                    count_ - 1)),
      slots_(static_cast<Slot*>(std::calloc(count_, kSlotBytes))) {
  base::invariant(slots_ != nullptr, "memory for the cleaner's keys, as log.cleaner.dedupe.buffer.size says");
}

KeyMap::Slot& KeyMap::locate(const KeyHash& hash) const {
  auto at = home_of(hash);
  while (slots_[at].offset_plus_one != 0 && !(slots_[at].hash == hash))
    if (++at == count_) at = 0;
  return slots_[at];
}

bool KeyMap::put(const KeyHash& hash, Offset offset) {
  auto& slot = locate(hash);
  if (slot.offset_plus_one == 0) {
    if (size_ == room_) return false;
    ++size_;
    slot.hash = hash;
  }
  slot.offset_plus_one = offset.raw + 1;
  return true;
}

Offset KeyMap::find(const KeyHash& hash) const { return Offset{locate(hash).offset_plus_one - 1}; }

}  // namespace storage
