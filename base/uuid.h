// 128-bit ids of topics. Text form: URL-safe base64 without padding, 22 characters (KIP-516). All zero: absent.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace base {

class Random;

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const Uuid&) const = default;
  bool is_zero() const { return *this == Uuid{}; }
  std::string text() const;

  static std::optional<Uuid> from_text(std::string_view text);

  // A version-4 UUID whose text does not begin with '-', so that it can stand on a command line.
  static Uuid generate(Random& random);

  template <class H>
  friend H AbslHashValue(H h, const Uuid& id) {
    return H::combine(std::move(h), id.bytes);
  }
};

}  // namespace base
