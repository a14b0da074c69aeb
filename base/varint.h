// Variable-length integers: 7 bits a byte, low bits first. Unsigned in message headers, zig-zag inside records.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace base {

constexpr std::uint32_t zigzag(std::int32_t x) {
  return (static_cast<std::uint32_t>(x) << 1) ^ static_cast<std::uint32_t>(x >> 31);
}
constexpr std::uint64_t zigzag(std::int64_t x) {
  return (static_cast<std::uint64_t>(x) << 1) ^ static_cast<std::uint64_t>(x >> 63);
}
constexpr std::int32_t unzigzag(std::uint32_t x) { return static_cast<std::int32_t>((x >> 1) ^ (~(x & 1) + 1)); }
constexpr std::int64_t unzigzag(std::uint64_t x) { return static_cast<std::int64_t>((x >> 1) ^ (~(x & 1) + 1)); }

constexpr std::size_t varuint_size(std::uint64_t x) {
  std::size_t n = 1;
  while (x >= 0x80) x >>= 7, ++n;
  return n;
}

// Writes at most 10 bytes; returns how many.
inline std::size_t write_varuint(std::byte* at, std::uint64_t x) {
  std::size_t n = 0;
  while (x >= 0x80) at[n++] = static_cast<std::byte>(x | 0x80), x >>= 7;
  at[n++] = static_cast<std::byte>(x);
  return n;
}

// Takes one number off the front of `in`. False, with `in` untouched, when it is cut short or too long for T.
template <class T>
bool read_varuint(std::span<const std::byte>& in, T& out) {
  constexpr unsigned kMaxBytes = (sizeof(T) * 8 + 6) / 7;
  T x = 0;
  for (unsigned i = 0; i < kMaxBytes && i < in.size(); ++i) {
    const auto b = static_cast<std::uint8_t>(in[i]);
    x |= static_cast<T>(static_cast<T>(b & 0x7f) << (7 * i));
    if (!(b & 0x80)) {
      out = x;
      in = in.subspan(i + 1);
      return true;
    }
  }
  return false;
}

}  // namespace base
