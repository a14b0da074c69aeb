#include "protocol/records/record.h"

#include "base/varint.h"

namespace protocol {

using base::ErrorCode;
using base::fail;
using base::load_big_endian;

namespace {

// A record of 100 bytes has six varints, nearly all of one byte: that case is decided inline.
template <class Signed>
bool read_zigzag(std::span<const std::byte>& in, Signed& out) {
  using Unsigned = std::make_unsigned_t<Signed>;
  if (!in.empty() && static_cast<std::uint8_t>(in[0]) < 0x80) [[likely]] {
    out = base::unzigzag(static_cast<Unsigned>(in[0]));
    in = in.subspan(1);
    return true;
  }
  Unsigned raw = 0;
  if (!base::read_varuint(in, raw)) return false;
  out = base::unzigzag(raw);
  return true;
}

// Any negative length means null, as Kafka's reader has it.
bool read_optional_bytes(std::span<const std::byte>& in, OptionalBytes& out) {
  std::int32_t size = 0;
  if (!read_zigzag(in, size)) return false;
  if (size < 0) {
    out.reset();
    return true;
  }
  if (static_cast<std::size_t>(size) > in.size()) return false;
  out = in.first(static_cast<std::size_t>(size));
  in = in.subspan(static_cast<std::size_t>(size));
  return true;
}

bool read_header(std::span<const std::byte>& in, HeaderView& out) {
  OptionalBytes key;
  if (!read_optional_bytes(in, key) || !key) return false;
  out.key = base::as_text(*key);
  return read_optional_bytes(in, out.value);
}

}  // namespace

std::optional<HeaderView> HeaderCursor::next() {
  HeaderView header;
  if (left_ <= 0 || !read_header(rest_, header)) return std::nullopt;
  --left_;
  return header;
}

const char* parse_record(std::span<const std::byte>& in, RecordView& out) {
  const auto available = in.size();
  std::int32_t length = 0;
  if (!read_zigzag(in, length)) return "no complete length";
  if (length < 0 || static_cast<std::size_t>(length) > in.size()) return "a length beyond the end of the batch";
  auto body = in.first(static_cast<std::size_t>(length));
  in = in.subspan(static_cast<std::size_t>(length));
  out.size_bytes = available - in.size();

  if (body.empty()) return "no attributes";
  body = body.subspan(1);
  if (!read_zigzag(body, out.timestamp_delta)) return "a broken timestamp delta";
  if (!read_zigzag(body, out.offset_delta)) return "a broken offset delta";
  if (!read_optional_bytes(body, out.key)) return "a key beyond the end of the record";
  if (!read_optional_bytes(body, out.value)) return "a value beyond the end of the record";
  if (!read_zigzag(body, out.header_count) || out.header_count < 0) return "a broken header count";
  out.header_bytes = body;
  HeaderView header;
  for (std::int32_t i = 0; i < out.header_count; ++i)
    if (!read_header(body, header)) return "a broken header";
  return body.empty() ? nullptr : "bytes behind its last header";
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
