// Entries of a log, as they lie on disk and travel in Produce and Fetch.
//
// A v2 record batch (magic 2), big-endian:
//   off  size
//     0   8  base offset                 stamped by the leader
//     8   4  batch length                bytes after this field
//    12   4  partition leader epoch      stamped by the leader; not covered by the checksum
//    16   1  magic = 2
//    17   4  CRC-32C of bytes 21 to the end
//    21   2  attributes                  bits 0-2 codec, 3 log append time, 4 transactional, 5 control,
//                                        6 delete horizon set; the rest pass through
//    23   4  last offset delta           kept when compaction drops records
//    27   8  base timestamp              or the delete horizon, with bit 6; record deltas count from it either way
//    35   8  max timestamp
//    43   8  producer id                 -1: not idempotent
//    51   2  producer epoch              -1
//    53   4  base sequence               -1
//    57   4  record count
//    61   …  records, compressed as one block when the codec is not 0
//
// A message of magic 0 or 1 shares the places of the first offset, the length and the magic with it; the rest is in
// legacy.h. `EntryView` reads what all three have in common, `BatchView` a v2 batch, `Batch` one that may be stamped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/error.h"
#include "base/ids.h"
#include "protocol/records/compression.h"

namespace protocol {

inline constexpr std::size_t kEntryPrefixBytes = 12;                          // offset and length
inline constexpr std::size_t kBytesUpToMagic = 17;                            // where every magic can be told
inline constexpr std::size_t kBatchHeaderBytes = 61;                          // also the most an EntryHeader needs
inline constexpr std::size_t kLegacyHeaderBytes[2] = {12 + 14, 12 + 14 + 8};  // smallest entry of magic 0 and 1

enum class TimestampType : std::uint8_t { create_time = 0, log_append_time = 1 };

// Adds as two's complement: numbers that came from outside may be anything.
constexpr std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

constexpr std::int64_t wrapping_subtract(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

// `n` steps on from a sequence number; 2^31 - 1 is followed by 0.
constexpr std::int32_t sequence_after(std::int32_t sequence, std::int32_t n) {
  const auto sum = static_cast<std::uint32_t>(sequence) + static_cast<std::uint32_t>(n);
  return static_cast<std::int32_t>(sequence >= 0 && n >= 0 ? sum & 0x7fffffffu : sum);
}

// What the fixed part of an entry tells, whatever its magic; nothing behind it need be in memory.
struct EntryHeader {
  base::Offset base_offset;  // magic 0 and 1: the message's own; of a compressed one that is the *last* inside
  base::Offset last_offset;
  std::size_t size_bytes = 0;  // all of the entry, prefix included
  std::int8_t magic = 0;
  std::uint16_t attributes = 0;
  base::LeaderEpoch leader_epoch{-1};  // -1 for magic 0 and 1
  base::Timestamp max_timestamp;       // -1 for magic 0

  // Reads the front of `bytes`. Nothing: cut short, more bytes may tell (kBatchHeaderBytes always do).
  // `corrupt_message`: no entry begins like this.
  static base::Result<std::optional<EntryHeader>> parse(std::span<const std::byte> bytes);

  base::Offset next_offset() const { return base::Offset{wrapping_add(last_offset.raw, 1)}; }
  Codec codec() const { return codec_of(attributes); }
  bool is_compressed() const { return codec() != Codec::none; }
  TimestampType timestamp_type() const { return static_cast<TimestampType>((attributes >> 3) & 1 & (magic > 0)); }
  bool is_batch() const { return magic >= 2; }
};

class BatchView;

// One whole entry of any magic. Its checksum and its records have not been looked at.
class EntryView {
 public:
  // Takes the entry at the front of `bytes`; what follows it is left out of the view. Nothing: cut short.
  static base::Result<std::optional<EntryView>> parse(std::span<const std::byte> bytes);

  const EntryHeader& header() const { return header_; }
  base::Offset base_offset() const { return header_.base_offset; }
  base::Offset last_offset() const { return header_.last_offset; }
  base::Offset next_offset() const { return header_.next_offset(); }
  std::size_t size_bytes() const { return header_.size_bytes; }
  std::int8_t magic() const { return header_.magic; }
  base::LeaderEpoch leader_epoch() const { return header_.leader_epoch; }
  base::Timestamp max_timestamp() const { return header_.max_timestamp; }
  TimestampType timestamp_type() const { return header_.timestamp_type(); }
  Codec codec() const { return header_.codec(); }
  bool is_batch() const { return header_.is_batch(); }

  std::span<const std::byte> bytes() const { return bytes_; }
  bool crc_ok() const;

  BatchView batch() const;  // only when is_batch()

 private:
  EntryView(EntryHeader header, std::span<const std::byte> bytes) : header_(header), bytes_(bytes) {}

  EntryHeader header_;
  std::span<const std::byte> bytes_;
};

// Walks consecutive entries of any magic.
//
//   EntryCursor cursor{bytes};
//   while (auto entry = cursor.next()) ...
//   if (!cursor.status()) the bytes from cursor.position_bytes() on are corrupt;
//   else if (cursor.position_bytes() < bytes.size()) an entry cut short remains.
class EntryCursor {
 public:
  explicit EntryCursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::optional<EntryView> next();
  const base::Status& status() const { return status_; }
  std::size_t position_bytes() const { return position_; }  // behind the last entry returned
  bool at_end() const { return status_.ok() && position_ == bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
  base::Status status_;
};

// One whole v2 batch, borrowed. Its lengths have been checked; its checksum only when crc_ok() was asked.
class BatchView {
 public:
  // Takes the batch at the front of `bytes`. Nothing: cut short. `corrupt_message`: not a v2 batch.
  static base::Result<std::optional<BatchView>> parse(std::span<const std::byte> bytes);

  base::Offset base_offset() const { return base::Offset{load<std::int64_t>(0)}; }
  base::Offset last_offset() const { return base::Offset{wrapping_add(base_offset().raw, last_offset_delta())}; }
  base::Offset next_offset() const { return base::Offset{wrapping_add(last_offset().raw, 1)}; }
  base::LeaderEpoch leader_epoch() const { return base::LeaderEpoch{load<std::int32_t>(12)}; }
  std::int8_t magic() const { return load<std::int8_t>(16); }
  std::uint32_t crc() const { return load<std::uint32_t>(17); }
  bool crc_ok() const;

  std::uint16_t attributes() const { return load<std::uint16_t>(21); }
  Codec codec() const { return codec_of(attributes()); }
  TimestampType timestamp_type() const { return static_cast<TimestampType>((attributes() >> 3) & 1); }
  bool is_transactional() const { return attributes() & (1 << 4); }
  bool is_control() const { return attributes() & (1 << 5); }
  std::optional<base::Timestamp> delete_horizon() const {
    return attributes() & (1 << 6) ? std::optional(base_timestamp()) : std::nullopt;
  }

  std::int32_t last_offset_delta() const { return load<std::int32_t>(23); }
  base::Timestamp base_timestamp() const { return base::timestamp_from_ms(load<std::int64_t>(27)); }
  base::Timestamp max_timestamp() const { return base::timestamp_from_ms(load<std::int64_t>(35)); }

  base::ProducerId producer_id() const { return base::ProducerId{load<std::int64_t>(43)}; }
  base::ProducerEpoch producer_epoch() const { return base::ProducerEpoch{load<std::int16_t>(51)}; }
  bool has_producer() const { return producer_id() > base::kNoProducerId; }
  std::int32_t base_sequence() const { return load<std::int32_t>(53); }
  std::int32_t last_sequence() const {  // -1 when there is no base sequence
    return base_sequence() < 0 ? -1 : sequence_after(base_sequence(), last_offset_delta());
  }

  std::int32_t record_count() const { return load<std::int32_t>(57); }  // as claimed; may be negative
  std::size_t size_bytes() const { return bytes_.size(); }

  std::span<const std::byte> bytes() const { return bytes_; }
  std::span<const std::byte> payload() const { return bytes_.subspan(kBatchHeaderBytes); }  // compressed or not

 protected:
  friend class EntryView;
  explicit BatchView(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <class T>
  T load(std::size_t at) const {
    return base::load_big_endian<T>(bytes_.data() + at);
  }

 private:
  std::span<const std::byte> bytes_;
};

// A v2 batch in memory that the leader may stamp in place.
class Batch : public BatchView {
 public:
  static base::Result<std::optional<Batch>> parse(std::span<std::byte> bytes);

  // No new checksum is needed: neither field is covered by it.
  void stamp(base::Offset base_offset, base::LeaderEpoch leader_epoch);

  // Each computes the checksum anew.
  void set_max_timestamp(TimestampType type, base::Timestamp max_timestamp);
  void set_last_offset_delta(std::int32_t delta);

  std::span<std::byte> mutable_bytes() { return mutable_; }

 private:
  explicit Batch(std::span<std::byte> bytes) : BatchView(bytes), mutable_(bytes) {}
  void renew_crc();

  std::span<std::byte> mutable_;
};

}  // namespace protocol
