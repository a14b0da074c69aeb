// Between magics: old Fetch versions are answered in the format they know, old Produce requests are stored as batches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "base/buffer.h"
#include "base/error.h"
#include "base/ids.h"
#include "protocol/records/batch.h"
#include "protocol/records/builder.h"

namespace protocol {

struct DownConversion {
  std::int8_t to_magic = 1;      // 0 or 1
  base::Offset first_offset{0};  // records of uncompressed batches below it are left out: their offsets tell them apart
  std::size_t limit_bytes = kDefaultUnpackedLimitBytes;
  std::size_t max_bytes = std::numeric_limits<std::size_t>::max();  // of a range's result, see below
};

// Appends the entry to `out`, in `to_magic` or as it is when that is not newer. What the old format cannot say is lost:
// control batches, headers, producer and epoch. Offsets, timestamps and the codec stay.
// `unsupported_compression_type` for zstd.
base::Status down_convert(const EntryView& entry, const DownConversion& wanted, base::Buffer& out);

// The whole entries of a range, the first one in any case, the others as long as the result stays within `max_bytes`;
// what is cut short at its end is dropped.
base::Result<base::Buffer> down_convert(std::span<const std::byte> entries, const DownConversion& wanted);

// All records of a message set of magic 0 or 1 in one batch, numbered from spec.base_offset. Records of magic 0 have
// no timestamp (-1) unless spec gives them log append time. `invalid_record` for a set without records.
base::Result<base::Buffer> up_convert(std::span<const std::byte> message_set, const BatchSpec& spec,
                                      std::size_t limit_bytes = kDefaultUnpackedLimitBytes);

}  // namespace protocol
