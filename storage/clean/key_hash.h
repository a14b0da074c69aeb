// SipHash-2-4 with 128 bits of result (Aumasson and Bernstein, 2012).
//
// A keyed hash: without the key nobody can make two inputs meet, which a checksum or an unkeyed hash does not promise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace storage {

struct KeyHash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  bool operator==(const KeyHash&) const = default;
};

struct HashSecret {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

KeyHash hash_key(const HashSecret& secret, std::span<const std::byte> key);

}  // namespace storage
