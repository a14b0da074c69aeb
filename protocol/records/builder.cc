#include "protocol/records/builder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/varint.h"

namespace protocol {

using base::ErrorCode;
using base::fail;
using base::store_big_endian;

namespace {

constexpr std::size_t kMaxEntryBytes = std::numeric_limits<std::int32_t>::max();

template <class Signed>
std::size_t zigzag_size(Signed x) {
  return base::varuint_size(base::zigzag(x));
}

std::int32_t length_of(const OptionalBytes& bytes) { return bytes ? static_cast<std::int32_t>(bytes->size()) : -1; }

std::size_t encoded_size(const OptionalBytes& bytes) {
  return zigzag_size(length_of(bytes)) + (bytes ? bytes->size() : 0);
}

// Writes into room that has been measured before.
class Pen {
 public:
  explicit Pen(std::byte* at) : at_(at) {}

  template <class Signed>
  void zigzag(Signed x) {
    at_ += base::write_varuint(at_, base::zigzag(x));
  }
  void byte(std::byte b) { *at_++ = b; }
  void raw(std::span<const std::byte> bytes) {
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void bytes(const OptionalBytes& x) {
    zigzag(length_of(x));
    if (x) raw(*x);
  }
  const std::byte* at() const { return at_; }

 private:
  std::byte* at_;
};

std::byte* grow(base::Buffer& buffer, std::size_t by) {
  const auto old = buffer.size();
  if (old + by > buffer.capacity()) buffer.reserve(std::max(old + by, buffer.capacity() * 2));
  buffer.resize(old + by);
  return buffer.data() + old;
}

void finish(base::Buffer& batch) {
  store_big_endian(batch.data() + 8, static_cast<std::int32_t>(batch.size() - kEntryPrefixBytes));
  store_big_endian(batch.data() + 17, base::crc32c(std::span<const std::byte>(batch.bytes()).subspan(21)));
}

// Header bytes and `payload` packed behind them.
base::Result<base::Buffer> pack(std::span<const std::byte> header, std::span<const std::byte> payload, Codec codec,
                                int level) {
  auto packed = compress(codec, payload, level);
  if (!packed) return packed.error();
  if (kBatchHeaderBytes + packed->size() > kMaxEntryBytes)
    return fail(ErrorCode::message_too_large, "a batch of {} bytes", kBatchHeaderBytes + packed->size());
  base::Buffer out;
  out.reserve(kBatchHeaderBytes + packed->size());
  out.append(header);
  out.append(packed->bytes());
  return out;
}

}  // namespace

// Either a list to be written or bytes to be copied.
struct BatchBuilder::Headers {
  std::int32_t count = 0;
  std::span<const HeaderView> list;
  std::span<const std::byte> written;
};

BatchBuilder::BatchBuilder(BatchSpec spec)
    : spec_(spec), bytes_(kBatchHeaderBytes), last_offset_(wrapping_subtract(spec.base_offset.raw, 1)) {
  if (spec_.delete_horizon) base_timestamp_ = *spec_.delete_horizon;
}

void BatchBuilder::add(const RecordFields& record) { add_at(next_offset(), record); }

void BatchBuilder::add_at(base::Offset offset, const RecordFields& record) {
  write(offset, record.timestamp, record.key, record.value,
        {static_cast<std::int32_t>(record.headers.size()), record.headers, {}});
}

void BatchBuilder::add_at(base::Offset offset, base::Timestamp timestamp, const RecordView& record) {
  write(offset, timestamp, record.key, record.value, {record.header_count, {}, record.header_bytes});
}

void BatchBuilder::write(base::Offset offset, base::Timestamp timestamp, const OptionalBytes& key,
                         const OptionalBytes& value, const Headers& headers) {
  const auto offset_delta = wrapping_subtract(offset.raw, spec_.base_offset.raw);
  if (offset <= last_offset_ || offset_delta < 0 || offset_delta > std::numeric_limits<std::int32_t>::max()) {
    offsets_broken_ = true;
    return;
  }
  if (count_ == 0 && !spec_.delete_horizon) base_timestamp_ = timestamp;
  const auto timestamp_delta = wrapping_subtract(base::to_ms(timestamp), base::to_ms(base_timestamp_));

  std::size_t body = 1 + zigzag_size(timestamp_delta) + zigzag_size(static_cast<std::int32_t>(offset_delta)) +
                     encoded_size(key) + encoded_size(value) + zigzag_size(headers.count) + headers.written.size();
  for (const auto& header : headers.list) body += encoded_size(base::as_bytes(header.key)) + encoded_size(header.value);
  base::invariant(body < kMaxEntryBytes, "a record fits a batch");

  Pen pen{grow(bytes_, zigzag_size(static_cast<std::int32_t>(body)) + body)};
  pen.zigzag(static_cast<std::int32_t>(body));
  pen.byte(std::byte{0});
  pen.zigzag(timestamp_delta);
  pen.zigzag(static_cast<std::int32_t>(offset_delta));
  pen.bytes(key);
  pen.bytes(value);
  pen.zigzag(headers.count);
  pen.raw(headers.written);
  for (const auto& header : headers.list) {
    pen.bytes(base::as_bytes(header.key));
    pen.bytes(header.value);
  }
  base::invariant(pen.at() == bytes_.data() + bytes_.size(), "a record is as long as it was measured");

  ++count_;
  last_offset_ = offset;
  max_timestamp_ = std::max(max_timestamp_, timestamp);
}

void BatchBuilder::write_batch_header(base::Buffer& out) const {
  const auto attributes = static_cast<std::uint16_t>(
      static_cast<unsigned>(spec_.codec) | (spec_.log_append_time ? 1u << 3 : 0u) |
      (spec_.transactional ? 1u << 4 : 0u) | (spec_.control ? 1u << 5 : 0u) | (spec_.delete_horizon ? 1u << 6 : 0u));
  auto* at = out.data();
  store_big_endian(at, spec_.base_offset.raw);
  store_big_endian(at + 12, spec_.leader_epoch.raw);
  store_big_endian(at + 16, std::int8_t{2});
  store_big_endian(at + 21, attributes);
  store_big_endian(at + 23, static_cast<std::int32_t>(last_offset_ - spec_.base_offset));
  store_big_endian(at + 27, base::to_ms(base_timestamp_));
  store_big_endian(at + 35, base::to_ms(spec_.log_append_time.value_or(max_timestamp_)));
  store_big_endian(at + 43, spec_.producer_id.raw);
  store_big_endian(at + 51, spec_.producer_epoch.raw);
  store_big_endian(at + 53, spec_.base_sequence);
  store_big_endian(at + 57, count_);
}

base::Result<base::Buffer> BatchBuilder::build() && {
  if (offsets_broken_)
    return fail(ErrorCode::corrupt_message, "offsets that do not rise, or lie too far from {}", spec_.base_offset);
  base::invariant(count_ > 0, "a batch is built from records");
  if (bytes_.size() > kMaxEntryBytes) return fail(ErrorCode::message_too_large, "a batch of {} bytes", bytes_.size());
  write_batch_header(bytes_);
  if (spec_.codec != Codec::none) {
    const std::span<const std::byte> all = bytes_.bytes();
    auto packed = pack(all.first(kBatchHeaderBytes), all.subspan(kBatchHeaderBytes), spec_.codec, spec_.level);
    if (!packed) return packed.error();
    bytes_ = std::move(*packed);
  }
  finish(bytes_);
  return std::move(bytes_);
}

base::Buffer build_txn_marker(const TxnMarkerSpec& spec) {
  std::array<std::byte, 4> key{};
  std::array<std::byte, 6> value{};
  store_big_endian(key.data() + 2, static_cast<std::int16_t>(spec.marker.type));
  store_big_endian(value.data() + 2, spec.marker.coordinator_epoch);
  BatchBuilder builder({.base_offset = spec.offset,
                        .leader_epoch = spec.leader_epoch,
                        .producer_id = spec.producer_id,
                        .producer_epoch = spec.producer_epoch,
                        .transactional = true,
                        .control = true});
  builder.add({.timestamp = spec.timestamp, .key = key, .value = value});
  return std::move(builder).build().value();
}

base::Buffer build_emptied_batch(const BatchView& batch) {
  constexpr unsigned kCodecAndDeleteHorizon = 0x07 | 1u << 6;
  base::Buffer out;
  out.append(batch.bytes().first(kBatchHeaderBytes));
  store_big_endian(out.data() + 21, static_cast<std::uint16_t>(batch.attributes() & ~kCodecAndDeleteHorizon));
  store_big_endian(out.data() + 27, base::to_ms(base::kNoTimestamp));
  store_big_endian(out.data() + 57, std::int32_t{0});
  finish(out);
  return out;
}

base::Result<base::Buffer> build_thinned_batch(const BatchView& batch, const ThinnedRecords& kept) {
  base::Buffer out;
  const auto header = batch.bytes().first(kBatchHeaderBytes);
  if (batch.codec() == Codec::none) {
    out.reserve(kBatchHeaderBytes + kept.records.size());
    out.append(header);
    out.append(kept.records);
  } else {
    auto packed = pack(header, kept.records, batch.codec(), kDefaultLevel);
    if (!packed) return packed.error();
    out = std::move(*packed);
  }
  if (batch.timestamp_type() == TimestampType::create_time)
    store_big_endian(out.data() + 35, base::to_ms(kept.max_timestamp));
  store_big_endian(out.data() + 57, kept.count);
  finish(out);
  return out;
}

base::Result<base::Buffer> recompress(const BatchView& batch, Codec codec, int level, std::size_t limit_bytes) {
  ScratchBuffer records;
  if (auto unpacked = decompress_into(*records, batch.codec(), batch.payload(), limit_bytes); !unpacked)
    return unpacked.error();
  auto out = pack(batch.bytes().first(kBatchHeaderBytes), records->bytes(), codec, level);
  if (!out) return out.error();
  const auto attributes = static_cast<std::uint16_t>((batch.attributes() & ~0x07u) | static_cast<unsigned>(codec));
  store_big_endian(out->data() + 21, attributes);
  finish(*out);
  return out;
}

}  // namespace protocol
