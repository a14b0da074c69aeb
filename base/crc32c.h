// CRC-32C (Castagnoli), the checksum of v2 record batches and producer snapshots. ISA-L: 0.015 CPU s per GB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace base {

std::uint32_t crc32c(std::span<const std::byte> bytes);

}  // namespace base
