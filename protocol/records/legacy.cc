#include "protocol/records/legacy.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "base/bytes.h"
#include "base/check.h"

namespace protocol {

using base::ErrorCode;
using base::fail;
using base::load_big_endian;
using base::store_big_endian;

namespace {

constexpr std::size_t kCrcAt = 12;
constexpr std::size_t kCrcCoversFrom = 16;
constexpr std::size_t kMagicAt = 16;
constexpr std::size_t kAttributesAt = 17;
constexpr std::size_t kTimestampAt = 18;

std::size_t key_length_at(std::int8_t magic) { return magic == 0 ? 18 : 26; }

std::uint32_t crc32_of(std::span<const std::byte> entry) {
  const auto covered = entry.subspan(kCrcCoversFrom);
  return static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(covered.data()), covered.size()));
}

bool read_sized(std::span<const std::byte>& in, OptionalBytes& out) {
  if (in.size() < 4) return false;
  const auto size = load_big_endian<std::int32_t>(in.data());
  in = in.subspan(4);
  if (size < 0) {
    out.reset();
    return true;
  }
  if (static_cast<std::size_t>(size) > in.size()) return false;
  out = in.first(static_cast<std::size_t>(size));
  in = in.subspan(static_cast<std::size_t>(size));
  return true;
}

// Bytes behind the value are covered by the checksum and otherwise ignored, as in Kafka.
bool read_message(const EntryView& entry, LegacyRecordView& out) {
  out.offset = entry.base_offset();
  out.magic = entry.magic();
  out.timestamp_type = entry.timestamp_type();
  out.timestamp = entry.max_timestamp();
  out.bytes = entry.bytes();
  auto rest = entry.bytes().subspan(key_length_at(entry.magic()));
  return read_sized(rest, out.key) && read_sized(rest, out.value);
}

std::size_t sized(const OptionalBytes& bytes) { return 4 + (bytes ? bytes->size() : 0); }

std::byte* put_sized(std::byte* at, const OptionalBytes& bytes) {
  store_big_endian(at, bytes ? static_cast<std::int32_t>(bytes->size()) : -1);
  at += 4;
  return bytes ? std::copy(bytes->begin(), bytes->end(), at) : at;
}

}  // namespace

bool legacy_crc_ok(std::span<const std::byte> entry) {
  base::invariant(entry.size() >= kLegacyHeaderBytes[0], "a whole entry");
  return crc32_of(entry) == load_big_endian<std::uint32_t>(entry.data() + kCrcAt);
}

void set_timestamp(std::span<std::byte> entry, TimestampType type, base::Timestamp timestamp) {
  base::invariant(entry.size() >= kLegacyHeaderBytes[1] && entry[kMagicAt] == std::byte{1}, "an entry of magic 1");
  constexpr auto kAppendTime = std::byte{1 << 3};
  auto& attributes = entry[kAttributesAt];
  attributes = type == TimestampType::log_append_time ? attributes | kAppendTime : attributes & ~kAppendTime;
  store_big_endian(entry.data() + kTimestampAt, base::to_ms(timestamp));
  store_big_endian(entry.data() + kCrcAt, crc32_of(entry));
}

LegacyReader::LegacyReader(const EntryView& entry, std::size_t limit_bytes) : messages_(entry.bytes()), count_(1) {
  base::invariant(!entry.is_batch(), "a message of magic 0 or 1");
  if (entry.codec() != Codec::none) open_wrapper(entry, limit_bytes);
}

// A pass over the messages inside: relative offsets are anchored at the last one. A message cut short at the end is
// ignored, as in Kafka.
void LegacyReader::open_wrapper(const EntryView& entry, std::size_t limit_bytes) {
  count_ = 0;
  messages_ = {};
  LegacyRecordView wrapper;
  if (!read_message(entry, wrapper) || !wrapper.value) {
    stop_malformed("a compressed message without a value");
    return;
  }
  scratch_.emplace();
  const auto lz4 = entry.magic() == 0 ? Lz4Header::as_in_magic_0 : Lz4Header::standard;
  status_ = decompress_into(**scratch_, entry.codec(), *wrapper.value, limit_bytes, lz4);
  if (!status_) return;

  base::Offset last_inside;
  EntryCursor inside{(*scratch_)->bytes()};
  while (const auto message = inside.next()) {
    if (message->magic() != entry.magic() || message->codec() != Codec::none) {
      stop_malformed("a message of other magic, or compressed, inside a compressed one");
      return;
    }
    last_inside = message->base_offset();
    ++count_;
  }
  if (!inside.status()) {
    stop_malformed(inside.status().error().detail);
    return;
  }
  if (count_ == 0) {
    stop_malformed("a compressed message with none inside");
    return;
  }
  messages_ = (*scratch_)->bytes().first(inside.position_bytes());
  if (entry.magic() > 0) {
    added_to_offsets_ = wrapping_subtract(entry.base_offset().raw, last_inside.raw);
    if (entry.timestamp_type() == TimestampType::log_append_time) log_append_time_ = entry.max_timestamp();
  }
}

bool LegacyReader::next(LegacyRecordView& record) {
  if (!status_.ok() || position_ == messages_.size()) return false;
  const auto message = EntryView::parse(messages_.subspan(position_));
  base::invariant(message.ok() && message->has_value(), "messages that were walked before");
  if (!read_message(**message, record)) return stop_malformed("a key or value beyond the end of its message");
  record.offset.raw = wrapping_add(record.offset.raw, added_to_offsets_);
  if (log_append_time_) {
    record.timestamp = *log_append_time_;
    record.timestamp_type = TimestampType::log_append_time;
  }
  position_ += (*message)->size_bytes();
  return true;
}

bool LegacyReader::stop_malformed(std::string_view reason) {
  status_ = fail(ErrorCode::invalid_record, "{}", reason);
  return false;
}

base::Result<base::Offset> first_offset(const EntryView& entry, std::size_t limit_bytes) {
  if (entry.is_batch() || entry.codec() == Codec::none) return entry.base_offset();
  LegacyReader reader(entry, limit_bytes);
  LegacyRecordView record;
  if (!reader.next(record)) return reader.status().error();
  return record.offset;
}

struct LegacyBuilder::Message {
  base::Offset offset;
  base::Timestamp timestamp;
  Codec codec;
  OptionalBytes key;
  OptionalBytes value;
};

LegacyBuilder::LegacyBuilder(LegacySpec spec) : spec_(spec) {
  base::invariant(spec.magic == 0 || spec.magic == 1, "a message of magic 0 or 1");
  base::invariant(spec.magic == 1 || !spec.log_append_time, "magic 0 has no timestamps");
}

void LegacyBuilder::add(base::Offset offset, base::Timestamp timestamp, const OptionalBytes& key,
                        const OptionalBytes& value) {
  if (bytes_.empty()) first_offset_ = offset;
  last_offset_ = offset;
  max_timestamp_ = std::max(max_timestamp_, timestamp);
  const bool relative = spec_.codec != Codec::none && spec_.magic == 1;
  const base::Offset written{relative ? wrapping_subtract(offset.raw, first_offset_.raw) : offset.raw};
  write(bytes_, {written, spec_.log_append_time.value_or(timestamp), Codec::none, key, value});
}

base::Result<base::Buffer> LegacyBuilder::build() && {
  if (spec_.codec == Codec::none || bytes_.empty()) return std::move(bytes_);
  if (spec_.codec == Codec::zstd)
    return fail(ErrorCode::unsupported_compression_type, "zstd in messages of magic {}", spec_.magic);
  const auto lz4 = spec_.magic == 0 ? Lz4Header::as_in_magic_0 : Lz4Header::standard;
  auto packed = compress(spec_.codec, bytes_.bytes(), spec_.level, lz4);
  if (!packed) return packed.error();
  base::Buffer out;
  const std::span<const std::byte> value = packed->bytes();
  write(out, {last_offset_, spec_.log_append_time.value_or(max_timestamp_), spec_.codec, std::nullopt, value});
  return out;
}

void LegacyBuilder::write(base::Buffer& out, const Message& message) const {
  const auto key_at = key_length_at(spec_.magic);
  const auto size = key_at + sized(message.key) + sized(message.value);
  base::invariant(size <= std::numeric_limits<std::int32_t>::max(), "a message fits its length field");
  const auto begin = out.size();
  if (begin + size > out.capacity()) out.reserve(std::max(begin + size, out.capacity() * 2));
  out.resize(begin + size);

  auto* at = out.data() + begin;
  store_big_endian(at, message.offset.raw);
  store_big_endian(at + 8, static_cast<std::int32_t>(size - kEntryPrefixBytes));
  store_big_endian(at + 16, spec_.magic);
  const auto attributes = static_cast<unsigned>(message.codec) | (spec_.log_append_time ? 1u << 3 : 0u);
  store_big_endian(at + 17, static_cast<std::uint8_t>(attributes));
  if (spec_.magic == 1) store_big_endian(at + 18, base::to_ms(message.timestamp));
  put_sized(put_sized(at + key_at, message.key), message.value);
  store_big_endian(at + kCrcAt, crc32_of(out.bytes().subspan(begin)));
}

}  // namespace protocol
