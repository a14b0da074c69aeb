#include "protocol/records/batch.h"

#include <limits>

#include "base/check.h"
#include "base/crc32c.h"
#include "protocol/records/legacy.h"

namespace protocol {

using base::ErrorCode;
using base::fail;
using base::load_big_endian;
using base::store_big_endian;

namespace {

constexpr std::size_t kCrcAt = 17;
constexpr std::size_t kCrcCoversFrom = 21;
constexpr std::uint16_t kLogAppendTimeBit = 1 << 3;

}  // namespace

base::Result<std::optional<EntryHeader>> EntryHeader::parse(std::span<const std::byte> bytes) {
  const std::optional<EntryHeader> cut_short;
  if (bytes.size() < kEntryPrefixBytes) return cut_short;
  const auto* at = bytes.data();
  const auto length = load_big_endian<std::int32_t>(at + 8);
  if (length < static_cast<std::int32_t>(kLegacyHeaderBytes[0] - kEntryPrefixBytes))
    return fail(ErrorCode::corrupt_message, "an entry of {} bytes is shorter than any header", length);
  if (bytes.size() < kBytesUpToMagic) return cut_short;

  EntryHeader header;
  header.size_bytes = kEntryPrefixBytes + static_cast<std::size_t>(length);
  header.magic = load_big_endian<std::int8_t>(at + 16);
  if (header.magic < 0 || header.magic > 2)
    return fail(ErrorCode::corrupt_message, "an entry of unknown magic {}", header.magic);
  const auto smallest = header.is_batch() ? kBatchHeaderBytes : kLegacyHeaderBytes[header.magic];
  if (header.size_bytes < smallest)
    return fail(ErrorCode::corrupt_message, "an entry of magic {} with only {} bytes", header.magic, header.size_bytes);
  if (bytes.size() < smallest) return cut_short;

  header.base_offset = header.last_offset = base::Offset{load_big_endian<std::int64_t>(at)};
  if (header.is_batch()) {
    header.last_offset = base::Offset{wrapping_add(header.base_offset.raw, load_big_endian<std::int32_t>(at + 23))};
    header.leader_epoch = base::LeaderEpoch{load_big_endian<std::int32_t>(at + 12)};
    header.attributes = load_big_endian<std::uint16_t>(at + 21);
    header.max_timestamp = base::timestamp_from_ms(load_big_endian<std::int64_t>(at + 35));
  } else {
    header.attributes = load_big_endian<std::uint8_t>(at + 17);
    header.max_timestamp =
        header.magic == 0 ? base::kNoTimestamp : base::timestamp_from_ms(load_big_endian<std::int64_t>(at + 18));
  }
  return std::optional(header);
}

base::Result<std::optional<EntryView>> EntryView::parse(std::span<const std::byte> bytes) {
  auto header = EntryHeader::parse(bytes);
  if (!header) return header.error();
  if (!*header || (*header)->size_bytes > bytes.size()) return std::optional<EntryView>();
  return std::optional(EntryView(**header, bytes.first((*header)->size_bytes)));
}

bool EntryView::crc_ok() const { return is_batch() ? batch().crc_ok() : legacy_crc_ok(bytes_); }

BatchView EntryView::batch() const {
  base::invariant(is_batch(), "only an entry of magic 2 is a batch");
  return BatchView(bytes_);
}

std::optional<EntryView> EntryCursor::next() {
  if (!status_ || position_ == bytes_.size()) return std::nullopt;
  auto entry = EntryView::parse(bytes_.subspan(position_));
  if (!entry) {
    status_ = entry.error();
    return std::nullopt;
  }
  if (*entry) position_ += (*entry)->size_bytes();
  return *entry;
}

base::Result<std::optional<BatchView>> BatchView::parse(std::span<const std::byte> bytes) {
  auto entry = EntryView::parse(bytes);
  if (!entry) return entry.error();
  if (!*entry) return std::optional<BatchView>();
  if (!(*entry)->is_batch())
    return fail(ErrorCode::corrupt_message, "a message of magic {} where a batch was expected", (*entry)->magic());
  return std::optional((*entry)->batch());
}

bool BatchView::crc_ok() const { return base::crc32c(bytes_.subspan(kCrcCoversFrom)) == crc(); }

base::Result<std::optional<Batch>> Batch::parse(std::span<std::byte> bytes) {
  auto view = BatchView::parse(bytes);
  if (!view) return view.error();
  if (!*view) return std::optional<Batch>();
  return std::optional(Batch(bytes.first((*view)->size_bytes())));
}

void Batch::stamp(base::Offset base_offset, base::LeaderEpoch leader_epoch) {
  store_big_endian(mutable_.data(), base_offset.raw);
  store_big_endian(mutable_.data() + 12, leader_epoch.raw);
}

void Batch::set_max_timestamp(TimestampType type, base::Timestamp max_timestamp) {
  const auto kept = static_cast<std::uint16_t>(attributes() & ~kLogAppendTimeBit);
  const auto bit = type == TimestampType::log_append_time ? kLogAppendTimeBit : std::uint16_t{0};
  store_big_endian(mutable_.data() + 21, static_cast<std::uint16_t>(kept | bit));
  store_big_endian(mutable_.data() + 35, base::to_ms(max_timestamp));
  renew_crc();
}

void Batch::set_last_offset_delta(std::int32_t delta) {
  store_big_endian(mutable_.data() + 23, delta);
  renew_crc();
}

void Batch::renew_crc() { store_big_endian(mutable_.data() + kCrcAt, base::crc32c(mutable_.subspan(kCrcCoversFrom))); }

}  // namespace protocol
