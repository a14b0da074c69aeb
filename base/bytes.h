// Big-endian numbers at a given address: every format of Kafka's, on the wire and on disk, is big-endian.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace base {

template <std::integral T>
constexpr T byte_swap(T x) {
  using U = std::make_unsigned_t<T>;
  if constexpr (sizeof(T) == 1) return x;
  if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(static_cast<U>(x)));
  if constexpr (sizeof(T) == 4) return static_cast<T>(__builtin_bswap32(static_cast<U>(x)));
  if constexpr (sizeof(T) == 8) return static_cast<T>(__builtin_bswap64(static_cast<U>(x)));
}

// The caller guarantees sizeof(T) readable (writable) bytes at `at`; no alignment is needed.
template <std::integral T>
T load_big_endian(const std::byte* at) {
  T x;
  std::memcpy(&x, at, sizeof x);
  return byte_swap(x);
}

template <std::integral T>
void store_big_endian(std::byte* at, T x) {
  x = byte_swap(x);
  std::memcpy(at, &x, sizeof x);
}

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace base
