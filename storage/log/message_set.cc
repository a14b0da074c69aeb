#include "storage/log/message_set.h"

#include "base/bytes.h"
#include "base/check.h"
#include "protocol/records/legacy.h"

namespace storage {
namespace {

// An offset lies at the front of its message, outside of the checksum.
void store_offset(std::span<std::byte> entry, base::Offset offset) { base::store_big_endian(entry.data(), offset.raw); }

base::Result<base::Buffer> pack(const MessageSet& set, base::Offset next) {
  protocol::LegacyBuilder builder({.magic = 0, .codec = set.pack_as, .level = set.level});
  protocol::EntryCursor cursor(set.bytes);
  while (const auto entry = cursor.next()) {
    protocol::LegacyReader reader(*entry);
    protocol::LegacyRecordView message;
    for (; reader.next(message); next += 1) builder.add(next, message.timestamp, message.key, message.value);
  }
  return std::move(builder).build();
}

}  // namespace

base::Result<std::span<const std::byte>> number(MessageSet& set, base::Offset first) {
  if (set.pack_as != protocol::Codec::none) {
    auto packed = pack(set, first);
    if (!packed) return packed.error();
    if (packed->size() > set.max_entry_bytes)
      return base::fail(base::ErrorCode::message_too_large,
                        "a message of {} bytes after conversion where {} are allowed", packed->size(),
                        set.max_entry_bytes);
    set.rewritten = std::move(*packed);
    set.bytes = set.rewritten.bytes();
    return std::span<const std::byte>(set.bytes);
  }
  std::size_t position = 0;
  auto next = first;
  protocol::EntryCursor cursor(set.bytes);
  while (const auto entry = cursor.next()) {
    // A compressed message bears the offset of the last one inside.
    next = entry->codec() == protocol::Codec::none ? next + 1 : first + set.record_count;
    store_offset(set.bytes.subspan(position), next - 1);
    position = cursor.position_bytes();
  }
  base::invariant(next == first + set.record_count, "a set holds as many records as were counted");
  return std::span<const std::byte>(set.bytes);
}

}  // namespace storage
