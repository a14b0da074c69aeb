// Messages of magic 0 and 1, the entries of logs and requests before Kafka 0.11:
//   off  size
//     0   8  offset                  of a compressed message: that of the last message inside
//     8   4  size                    bytes after this field
//    12   4  CRC-32 (IEEE) of bytes 16 to the end
//    16   1  magic
//    17   1  attributes              bits 0-2 codec, 3 log append time (magic 1)
//    18   8  timestamp               magic 1 only
//     …   4  key length, -1 null; key
//     …   4  value length, -1 null; value
// A compressed message has a null key and, as its value, messages of its own magic. Their offsets are absolute for
// magic 0; for magic 1 they count from the first (absolute = wrapper - last inside + inner). The timestamp of a magic 1
// wrapper is the largest inside; one with log append time speaks for all inside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/buffer.h"
#include "base/error.h"
#include "base/ids.h"
#include "protocol/records/batch.h"
#include "protocol/records/record.h"

namespace protocol {

// Of one whole entry of magic 0 or 1. For a compressed one this says nothing of the messages inside.
bool legacy_crc_ok(std::span<const std::byte> entry);

// Of one whole entry of magic 1; computes its checksum anew. On a compressed message it speaks for those inside.
void set_timestamp(std::span<std::byte> entry, TimestampType type, base::Timestamp timestamp);

struct LegacyRecordView {
  base::Offset offset;  // absolute
  std::int8_t magic = 0;
  TimestampType timestamp_type = TimestampType::create_time;
  base::Timestamp timestamp = base::kNoTimestamp;  // -1 for magic 0
  OptionalBytes key = std::nullopt;
  OptionalBytes value = std::nullopt;
  std::span<const std::byte> bytes;  // the message itself, as written

  bool crc_ok() const { return legacy_crc_ok(bytes); }
};

// The records of one entry of magic 0 or 1: itself, or those inside when it is compressed.
// status(): `invalid_record` for malformed, nested or mismatching messages, what decompress() says otherwise.
class LegacyReader {
 public:
  explicit LegacyReader(const EntryView& entry, std::size_t limit_bytes = kDefaultUnpackedLimitBytes);

  bool next(LegacyRecordView& record);
  const base::Status& status() const { return status_; }
  std::int32_t record_count() const { return count_; }  // known from the start
  std::size_t unpacked_bytes() const { return messages_.size(); }

 private:
  void open_wrapper(const EntryView& entry, std::size_t limit_bytes);
  bool stop_malformed(std::string_view reason);

  std::optional<ScratchBuffer> scratch_;
  std::span<const std::byte> messages_;
  std::size_t position_ = 0;
  std::int32_t count_ = 0;
  std::int64_t added_to_offsets_ = 0;
  std::optional<base::Timestamp> log_append_time_;  // the wrapper's
  base::Status status_;
};

// Offset of the first record of any entry; a compressed message has to be unpacked for it.
base::Result<base::Offset> first_offset(const EntryView& entry, std::size_t limit_bytes = kDefaultUnpackedLimitBytes);

struct LegacySpec {
  std::int8_t magic = 1;
  Codec codec = Codec::none;
  int level = kDefaultLevel;
  std::optional<base::Timestamp> log_append_time = std::nullopt;  // magic 1 only
};

// Writes messages one behind the other, or inside one compressed message when there is a codec.
class LegacyBuilder {
 public:
  explicit LegacyBuilder(LegacySpec spec);

  void add(base::Offset offset, base::Timestamp timestamp, const OptionalBytes& key, const OptionalBytes& value);
  bool empty() const { return bytes_.empty(); }
  base::Result<base::Buffer> build() &&;  // empty without records

 private:
  struct Message;
  void write(base::Buffer& out, const Message& message) const;

  LegacySpec spec_;
  base::Buffer bytes_;
  base::Offset first_offset_;
  base::Offset last_offset_;
  base::Timestamp max_timestamp_ = base::kNoTimestamp;
};

}  // namespace protocol
