#include "storage/segment/offset_index.h"

#include <array>
#include <limits>

#include "base/bytes.h"
#include "base/page_cache.h"

namespace storage {

OffsetIndex::Entry OffsetIndex::decode(const std::byte* at) const {
  return {.offset = base_ + base::load_big_endian<std::int32_t>(at),
          .position = static_cast<std::uint32_t>(base::load_big_endian<std::int32_t>(at + 4))};
}

Status OffsetIndex::append(Offset offset, std::uint64_t position) {
  const auto relative = offset - base_;
  constexpr auto kMost = std::numeric_limits<std::int32_t>::max();
  if (is_full() || relative < 0 || relative > kMost || position > static_cast<std::uint64_t>(kMost)) return {};
  if (count() > 0) {
    if (!newest_) {
      auto newest = last();
      if (!newest) return newest.error();
      newest_ = (*newest)->offset;
    }
    if (offset <= *newest_) return {};
  }
  std::array<std::byte, kEntryBytes> entry;
  base::store_big_endian(entry.data(), static_cast<std::int32_t>(relative));
  base::store_big_endian(entry.data() + 4, static_cast<std::int32_t>(position));
  newest_ = offset;
  return entries_.append(entry);
}

Result<OffsetIndex::Around> OffsetIndex::find(Offset offset) const {
  auto behind = entries_.partition_point([&](const std::byte* at) { return decode(at).offset <= offset; });
  if (!behind) return behind.error();
  Around found;
  if (*behind > 0) {
    auto below = read(*behind - 1);
    if (!below) return below.error();
    found.below = *below;
  }
  if (*behind < count()) {
    auto above = read(*behind);
    if (!above) return above.error();
    found.above = *above;
  }
  return found;
}

bool OffsetIndex::is_warm(Offset offset) const {
  if (entries_.knows([&](const std::byte* at) { return decode(at).offset <= offset; })) return true;
  const auto file = entries_.file();
  return file && base::page_cache_holds(*file, {0, count() * kEntryBytes});
}

Result<OffsetIndex::Entry> OffsetIndex::read(std::size_t i) const {
  std::array<std::byte, kEntryBytes> entry;
  if (auto s = entries_.read(i, entry); !s) return s.error();
  return decode(entry.data());
}

Result<std::optional<OffsetIndex::Entry>> OffsetIndex::last() const {
  if (count() == 0) return std::optional<Entry>{};
  auto entry = read(count() - 1);
  if (!entry) return entry.error();
  return std::optional(*entry);
}

Status OffsetIndex::truncate_to(Offset offset) {
  auto keep = entries_.partition_point([&](const std::byte* at) { return decode(at).offset < offset; });
  if (!keep) return keep.error();
  newest_.reset();
  return entries_.keep_first(*keep);
}

}  // namespace storage
