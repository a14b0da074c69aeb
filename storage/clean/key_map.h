// Key -> last offset, for millions of keys in a fixed amount of memory.
//
// Keys are not kept, only their hashes of 128 bits: 24 bytes per slot whatever the keys' size, as in Apache Kafka, so
// that log.cleaner.dedupe.buffer.size holds as many keys here as there.
//
// Two keys with one hash would be taken for one, and the older of the two records would be lost. Kafka hashes with MD5,
// for which such pairs can be made at will. Here the hash is keyed with a secret drawn anew for every cleaning: nobody
// can prepare a pair, and by chance n keys hold one with a probability of n² / 2^129; for a hundred million distinct
// keys that is about 10^-23 per cleaning, far below that of memory handing back a wrong bit.
//
// One cleaner thread. Lookups are a cache miss each: hash() first, prefetch() early, and ask for many keys at once.
#pragma once

#include <absl/numeric/int128.h>

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "base/ids.h"
#include "storage/clean/key_hash.h"

namespace storage {

using base::Offset;

class KeyMap {
 public:
  static constexpr std::size_t kSlotBytes = 24;

  struct Room {
    std::size_t memory_bytes;
    double load_factor = 0.9;  // keys per slot at the most; linear probing needs some slots free
  };
  // Takes memory as it is filled, never more than said.
  KeyMap(Room room, HashSecret secret);

  KeyHash hash(std::span<const std::byte> key) const { return hash_key(secret_, key); }
  void prefetch(const KeyHash& hash) const { __builtin_prefetch(&slots_[home_of(hash)]); }

  // False, and nothing happens, when the key is new and there is no room. Offsets of one key must rise.
  bool put(const KeyHash& hash, Offset offset);
  // -1 when the key is not known.
  Offset find(const KeyHash& hash) const;

  std::size_t size() const { return size_; }
  std::size_t room() const { return room_; }

 private:
  struct Slot {
    KeyHash hash;
    std::int64_t offset_plus_one;  // 0: free, which is how memory arrives
  };
  static_assert(sizeof(Slot) == kSlotBytes);
  struct Free {
    void operator()(Slot* slots) const { std::free(slots); }
  };

  // The hash, scaled down to the number of slots.
  std::size_t home_of(const KeyHash& hash) const {
    return static_cast<std::size_t>(absl::Uint128High64(absl::uint128(hash.low) * count_));
  }
  // Where the key is, or where it would go.
  Slot& locate(const KeyHash& hash) const;

  HashSecret secret_;
  std::size_t count_;
  std::size_t room_;
  std::size_t size_ = 0;
  std::unique_ptr<Slot[], Free> slots_;
};

}  // namespace storage
