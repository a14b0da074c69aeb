#include "base/crc32c.h"

#include <isa-l/crc.h>

namespace base {

std::uint32_t crc32c(std::span<const std::byte> bytes) {
  // ISA-L takes and returns the register itself; the published checksum begins and ends inverted. Its length is an int.
  std::uint32_t crc = 0xffffffffu;
  while (!bytes.empty()) {
    const auto piece = bytes.first(bytes.size() < (1u << 30) ? bytes.size() : (1u << 30));
    crc = crc32_iscsi(reinterpret_cast<unsigned char*>(const_cast<std::byte*>(piece.data())),
                      static_cast<int>(piece.size()), crc);
    bytes = bytes.subspan(piece.size());
  }
  return ~crc;
}

}  // namespace base
