#include "protocol/internal/versioned.h"

#include "base/bytes.h"

namespace protocol {

std::optional<std::int16_t> version_of(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(std::int16_t)) return std::nullopt;
  return base::load_big_endian<std::int16_t>(bytes.data());
}

}  // namespace protocol
