#include "storage/segment/time_index.h"

#include <array>
#include <limits>

#include "base/bytes.h"

namespace storage {

TimeIndex::Entry TimeIndex::decode(const std::byte* at) const {
  return {.timestamp = base::timestamp_from_ms(base::load_big_endian<std::int64_t>(at)),
          .offset = base_ + base::load_big_endian<std::int32_t>(at + 8)};
}

Status TimeIndex::append(Timestamp timestamp, Offset offset, Slot slot) {
  const auto relative = offset - base_;
  if (relative < 0 || relative > std::numeric_limits<std::int32_t>::max()) return {};
  if (slot == Slot::ordinary ? is_full() : count() >= entries_.capacity()) return {};
  auto newest = last();
  if (!newest) return newest.error();
  if (*newest ? timestamp <= (*newest)->timestamp : timestamp < Timestamp{}) return {};
  std::array<std::byte, kEntryBytes> entry;
  base::store_big_endian(entry.data(), base::to_ms(timestamp));
  base::store_big_endian(entry.data() + 8, static_cast<std::int32_t>(relative));
  return entries_.append(entry);
}

Result<std::optional<TimeIndex::Entry>> TimeIndex::find(Timestamp timestamp) const {
  auto behind = entries_.partition_point([&](const std::byte* at) { return decode(at).timestamp <= timestamp; });
  if (!behind) return behind.error();
  if (*behind == 0) return std::optional<Entry>{};
  std::array<std::byte, kEntryBytes> entry;
  if (auto s = entries_.read(*behind - 1, entry); !s) return s.error();
  return std::optional(decode(entry.data()));
}

Result<std::optional<TimeIndex::Entry>> TimeIndex::last() const {
  if (count() == 0) return std::optional<Entry>{};
  std::array<std::byte, kEntryBytes> entry;
  if (auto s = entries_.read(count() - 1, entry); !s) return s.error();
  return std::optional(decode(entry.data()));
}

Status TimeIndex::truncate_to(Offset offset) {
  auto keep = entries_.partition_point([&](const std::byte* at) { return decode(at).offset < offset; });
  if (!keep) return keep.error();
  return entries_.keep_first(*keep);
}

}  // namespace storage
