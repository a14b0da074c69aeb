#include "protocol/records/record.h"

#include "base/varint.h"

namespace protocol {

using base::ErrorCode;
using base::fail;
using base::load_big_endian;

namespace {

// Bytes from `at` to `end`: two pointers, because this loop runs for every record that is produced.
struct Cursor {
  const std::byte* at;
  const std::byte* end;

  explicit Cursor(std::span<const std::byte> bytes) : at(bytes.data()), end(bytes.data() + bytes.size()) {}
  std::size_t left() const { return static_cast<std::size_t>(end - at); }
  std::span<const std::byte> rest() const { return {at, end}; }
};

// Behind a varint of any length, or null. Out of line and by value, so that a Cursor can live in registers.
template <class Unsigned>
[[gnu::noinline]] const std::byte* read_long_varint(const std::byte* at, const std::byte* end, Unsigned& out) {
  std::span<const std::byte> rest(at, end);
  return base::read_varuint(rest, out) ? rest.data() : nullptr;
}

// Numbers in a record of 100 bytes take one or two bytes, hence the two shortcuts.
template <class Signed>
[[gnu::always_inline]] inline bool read_zigzag(Cursor& in, Signed& out) {
  using Unsigned = std::make_unsigned_t<Signed>;
  if (in.left() >= 2) [[likely]] {
    const auto first = static_cast<Unsigned>(in.at[0]);
    if (first < 0x80) {
      out = base::unzigzag(first);
      in.at += 1;
      return true;
    }
    const auto second = static_cast<Unsigned>(in.at[1]);
    if (second < 0x80) {
      out = base::unzigzag(static_cast<Unsigned>((first & 0x7f) | second << 7));
      in.at += 2;
      return true;
    }
  }
  Unsigned raw = 0;
  const auto* behind = read_long_varint(in.at, in.end, raw);
  if (behind == nullptr) return false;
  out = base::unzigzag(raw);
  in.at = behind;
  return true;
}

// Any negative length means null, as Kafka's reader has it.
[[gnu::always_inline]] inline bool read_optional_bytes(Cursor& in, OptionalBytes& out) {
  std::int32_t size = 0;
  if (!read_zigzag(in, size)) return false;
  if (size < 0) {
    out.reset();
    return true;
  }
  if (static_cast<std::size_t>(size) > in.left()) return false;
  out.emplace(in.at, static_cast<std::size_t>(size));
  in.at += size;
  return true;
}

bool read_header(Cursor& in, HeaderView& out) {
  OptionalBytes key;
  if (!read_optional_bytes(in, key) || !key) return false;
  out.key = base::as_text(*key);
  return read_optional_bytes(in, out.value);
}

[[gnu::noinline]] const std::byte* skip_headers(Cursor in, std::int32_t count) {
  HeaderView header;
  for (; count > 0; --count)
    if (!read_header(in, header)) return nullptr;
  return in.at;
}

}  // namespace

std::optional<HeaderView> HeaderCursor::next() {
  HeaderView header;
  Cursor in(rest_);
  if (left_ <= 0 || !read_header(in, header)) return std::nullopt;
  rest_ = in.rest();
  --left_;
  return header;
}

const char* parse_record(std::span<const std::byte>& bytes, RecordView& out) {
  Cursor in(bytes);
  std::int32_t length = 0;
  if (!read_zigzag(in, length)) return "no complete length";
  if (length < 0 || static_cast<std::size_t>(length) > in.left()) return "a length beyond the end of the batch";
  if (length == 0) return "no attributes";
  const auto* behind = in.at + length;
  out.size_bytes = static_cast<std::size_t>(behind - bytes.data());
  bytes = {behind, in.end};

  in.end = behind;
  in.at += 1;  // attributes: none are defined, so none are looked at
  if (!read_zigzag(in, out.timestamp_delta)) return "a broken timestamp delta";
  if (!read_zigzag(in, out.offset_delta)) return "a broken offset delta";
  if (!read_optional_bytes(in, out.key)) return "a key beyond the end of the record";
  if (!read_optional_bytes(in, out.value)) return "a value beyond the end of the record";
  if (!read_zigzag(in, out.header_count) || out.header_count < 0) return "a broken header count";
  out.header_bytes = in.rest();
  if (out.header_count > 0) {
    in.at = skip_headers(in, out.header_count);
    if (in.at == nullptr) return "a broken header";
  }
  return in.at == in.end ? nullptr : "bytes behind its last header";
}

base::Offset offset_of(const BatchView& batch, const RecordView& record) {
  return base::Offset{wrapping_add(batch.base_offset().raw, record.offset_delta)};
}

base::Timestamp timestamp_of(const BatchView& batch, const RecordView& record) {
  if (batch.timestamp_type() == TimestampType::log_append_time) return batch.max_timestamp();
  return base::timestamp_from_ms(wrapping_add(base::to_ms(batch.base_timestamp()), record.timestamp_delta));
}

RecordReader::RecordReader(const BatchView& batch, std::size_t limit_bytes)
    : rest_(batch.payload()), count_(batch.record_count()) {
  if (count_ < 0) {
    stop_malformed("a negative record count");
    return;
  }
  if (batch.codec() != Codec::none) {
    scratch_.emplace();
    status_ = decompress_into(**scratch_, batch.codec(), batch.payload(), limit_bytes);
    if (!status_) return;
    rest_ = (*scratch_)->bytes();
  }
  unpacked_ = rest_.size();
}

bool RecordReader::next(RecordView& record) {
  if (!status_.ok()) return false;
  if (read_ == count_) return rest_.empty() ? false : stop_malformed("bytes behind the last record");
  if (const char* reason = parse_record(rest_, record)) return stop_malformed(reason);
  ++read_;
  return true;
}

bool RecordReader::stop_malformed(const char* reason) {
  status_ = fail(ErrorCode::invalid_record, "record {} of {}: {}", read_, count_, reason);
  return false;
}

std::optional<ControlType> parse_control_key(const OptionalBytes& key) {
  if (!key || key->size() < 4 || load_big_endian<std::int16_t>(key->data()) != 0) return std::nullopt;
  const auto type = load_big_endian<std::int16_t>(key->data() + 2);
  if (type < 0 || type > static_cast<std::int16_t>(ControlType::kraft_voters)) return std::nullopt;
  return static_cast<ControlType>(type);
}

std::optional<TxnMarker> parse_txn_marker(const RecordView& record) {
  const auto type = parse_control_key(record.key);
  if (!type || *type > ControlType::commit) return std::nullopt;
  if (!record.value || record.value->size() < 6 || load_big_endian<std::int16_t>(record.value->data()) < 0)
    return std::nullopt;
  return TxnMarker{*type, load_big_endian<std::int32_t>(record.value->data() + 2)};
}

}  // namespace protocol
