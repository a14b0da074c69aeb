// One record of a v2 batch:
//   [ length : varint, bytes after it ][ attributes : i8, always 0 ]
//   [ timestamp - base timestamp : varlong ][ offset - base offset : varint ]
//   [ key length : varint, -1 null ][ key ][ value length : varint, -1 null ][ value ]
//   [ header count : varint ] and per header [ key length : varint ][ key ][ value length : varint, -1 null ][ value ]
// All varints are zig-zag.
//
// The record of a control batch has the key [ version : i16 = 0 ][ type : i16 ]; for the two transaction markers the
// value is [ version : i16 = 0 ][ coordinator epoch : i32 ].
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/ids.h"
#include "protocol/records/batch.h"
#include "protocol/records/compression.h"

namespace protocol {

using OptionalBytes = std::optional<std::span<const std::byte>>;

struct HeaderView {
  std::string_view key;
  OptionalBytes value = std::nullopt;
};

// Walks headers that a RecordReader has already found well formed.
class HeaderCursor {
 public:
  HeaderCursor(std::int32_t count, std::span<const std::byte> bytes) : left_(count), rest_(bytes) {}
  std::optional<HeaderView> next();

 private:
  std::int32_t left_;
  std::span<const std::byte> rest_;
};

// Borrowed from the batch, or from the reader that unpacked it.
struct RecordView {
  std::int32_t offset_delta = 0;
  std::int64_t timestamp_delta = 0;
  OptionalBytes key = std::nullopt;
  OptionalBytes value = std::nullopt;
  std::int32_t header_count = 0;
  std::span<const std::byte> header_bytes;
  std::size_t size_bytes = 0;  // all of the record, its length included

  HeaderCursor headers() const { return {header_count, header_bytes}; }
};

// Takes one record off the front of `bytes`. Why it is malformed, or null; `bytes` is then of no use.
const char* parse_record(std::span<const std::byte>& bytes, RecordView& out);

base::Offset offset_of(const BatchView& batch, const RecordView& record);
base::Timestamp timestamp_of(const BatchView& batch, const RecordView& record);  // knows log append time

// One pass over the records of a batch, checking bounds strictly: each record fills its length exactly, there are as
// many as the header claims, and nothing follows them. Allocates nothing for an uncompressed batch; a compressed one is
// unpacked once, into the thread's scratch buffer.
//
//   RecordReader reader{batch};
//   RecordView record;
//   while (reader.next(record)) ...
//   if (!reader.status()) ...
//
// status(): `invalid_record` for malformed records, what decompress() says for a payload that does not unpack.
class RecordReader {
 public:
  explicit RecordReader(const BatchView& batch, std::size_t limit_bytes = kDefaultUnpackedLimitBytes);

  bool next(RecordView& record);
  const base::Status& status() const { return status_; }
  std::int32_t position() const { return read_; }           // records returned so far
  std::size_t unpacked_bytes() const { return unpacked_; }  // of all records together

 private:
  bool stop_malformed(const char* reason);

  std::optional<ScratchBuffer> scratch_;
  std::span<const std::byte> rest_;
  std::size_t unpacked_ = 0;
  std::int32_t count_ = 0;
  std::int32_t read_ = 0;
  base::Status status_;
};

enum class ControlType : std::int16_t {
  abort = 0,
  commit = 1,
  leader_change = 2,
  snapshot_header = 3,
  snapshot_footer = 4,
  kraft_version = 5,
  kraft_voters = 6,
};

// Nothing for a key that is too short, or of a version or type we do not know: skip such a record, never deliver it.
std::optional<ControlType> parse_control_key(const OptionalBytes& key);

struct TxnMarker {
  ControlType type = ControlType::abort;  // abort or commit
  std::int32_t coordinator_epoch = 0;
};
std::optional<TxnMarker> parse_txn_marker(const RecordView& record);

}  // namespace protocol
