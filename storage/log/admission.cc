#include "storage/log/admission.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "config/topic_settings.h"
#include "protocol/records/builder.h"
#include "protocol/records/convert.h"
#include "protocol/records/legacy.h"
#include "protocol/records/record.h"

namespace storage {

using base::ErrorCode;
using base::Timestamp;
using protocol::Batch;
using protocol::Codec;
using protocol::EntryView;
using protocol::TimestampType;

namespace {

constexpr std::int16_t kFirstVersionOfBatches = 3;  // Produce v3 brought magic 2, and allows nothing else
constexpr std::int16_t kFirstVersionOfZstd = 7;

template <class... Args>
Rejection reject(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  return {.error = base::fail(code, format, std::forward<Args>(args)...),
          .message = {},
          .record_errors = {},
          .of_request = false};
}

// What an unreadable payload is called: Kafka names structure INVALID_RECORD, while whatever its decompressors throw
// comes out as UNKNOWN_SERVER_ERROR.
Rejection unreadable(const base::Error& error) {
  const bool structural = error.code == ErrorCode::invalid_record || error.code == ErrorCode::message_too_large;
  return {.error = {structural ? error.code : ErrorCode::unknown_server_error, error.detail},
          .message = {},
          .record_errors = {},
          .of_request = false};
}

// The entry headers alone: which entries there are, and whether such a request may bring them.
struct Shape {
  std::size_t size_bytes = 0;  // of all whole entries
  std::int8_t magic = 0;
  Codec codec = Codec::none;
};

// The bytes at `position` are no entry. 3.9.1 answers with these texts when that is the first.
Rejection no_entry(std::span<const std::byte> bytes, std::size_t position, const base::Error& error) {
  auto rejection = reject(ErrorCode::corrupt_message, "{}", error.detail);
  if (position > 0) return rejection;
  const auto length = base::load_big_endian<std::int32_t>(bytes.data() + 8);
  constexpr std::int32_t kSmallestLength = protocol::kLegacyHeaderBytes[0] - protocol::kEntryPrefixBytes;
  if (length < kSmallestLength) {
    rejection.message =
        fmt::format("Record size {} is less than the minimum record overhead ({})", length, kSmallestLength);
  } else if (const auto magic = base::load_big_endian<std::int8_t>(bytes.data() + 16); magic < 0 || magic > 2) {
    rejection.message = fmt::format("Invalid magic found in record: {}", magic);
  }
  return rejection;
}

// An entry cut short behind whole ones is dropped, as Kafka drops it.
std::variant<Shape, Rejection> look_at_shape(const ProducePayload& payload) {
  protocol::EntryCursor cursor{payload.records};
  Shape shape;
  int entries = 0;
  while (const auto entry = cursor.next()) {
    if (entries++ == 0) {
      shape.magic = entry->magic();
      if (!entry->is_batch() && payload.version >= kFirstVersionOfBatches)
        return reject(ErrorCode::invalid_record, "Produce v{} with a message of magic {}", payload.version,
                      entry->magic());
      if (entry->codec() == Codec::zstd && payload.version >= kFirstVersionOfBatches &&
          payload.version < kFirstVersionOfZstd)
        return reject(ErrorCode::unsupported_compression_type, "zstd in Produce v{}", payload.version);
    }
    if (entry->magic() != shape.magic)
      return reject(ErrorCode::invalid_record, "messages of magic {} and {} together", shape.magic, entry->magic());
    if (entry->codec() != Codec::none) shape.codec = entry->codec();
    if (entries > 1 && (entry->is_batch() || shape.codec != Codec::none))
      return reject(ErrorCode::invalid_record, "more than one batch for a partition");
    shape.size_bytes = cursor.position_bytes();
  }
  if (!cursor.status()) return no_entry(payload.records, cursor.position_bytes(), cursor.status().error());
  if (entries == 0) return reject(ErrorCode::invalid_record, "{} bytes without a whole batch", payload.records.size());
  return shape;
}

// Looks at records one by one and remembers what is wrong with them.
class RecordChecks {
 public:
  struct Source {
    bool claims_append_time = false;  // which is the broker's to say
    // Java's name for a record in texts: it reads compressed ones that stay as they are only in part.
    std::string_view record_type = "DefaultRecord";
  };

  RecordChecks(const ProducePayload& payload, const AdmissionRules& rules, Source source)
      : payload_(payload),
        rules_(rules),
        source_(source),
        checks_range_(rules.timestamps == TimestampType::create_time &&
                      (rules.before_max != std::chrono::milliseconds::max() ||
                       rules.after_max != std::chrono::milliseconds::max())) {}

  // `offset` as the client wrote it.
  void look_at(base::Offset offset, Timestamp timestamp, const protocol::OptionalBytes& key,
               const protocol::OptionalBytes& value) {
    const auto index = count_++;
    counts_up_ = counts_up_ && offset.raw == index;
    max_timestamp_ = std::max(max_timestamp_, timestamp);
    if (rules_.compacted && !key) [[unlikely]] {
      add(ErrorCode::invalid_record, index, [&] {
        return fmt::format("Compacted topic cannot accept message without key in topic partition {}.",
                           payload_.partition);
      });
    } else if (checks_range_ && out_of_range(timestamp)) [[unlikely]] {
      add(ErrorCode::invalid_timestamp, index, [&] {
        return fmt::format(
            "Timestamp {} of message with offset {} is out of range. The timestamp should be within [{}, {}]",
            base::to_ms(timestamp), offset,
            protocol::wrapping_add(base::to_ms(payload_.now), -rules_.before_max.count()),
            protocol::wrapping_add(base::to_ms(payload_.now), rules_.after_max.count()));
      });
    } else if (source_.claims_append_time) [[unlikely]] {
      add(ErrorCode::invalid_timestamp, index, [&] {
        return fmt::format(
            "Invalid timestamp type in message {}(offset={}, timestamp={}, key={} bytes, value={} bytes). Producer "
            "should not set timestamp type to LogAppendTime.",
            source_.record_type, offset, base::to_ms(timestamp), key ? key->size() : 0, value ? value->size() : 0);
      });
    }
  }

  std::optional<Rejection> rejection() {
    if (errors_.empty()) return std::nullopt;
    std::string text = "One or more records have been rejected";
    if (code_ == ErrorCode::invalid_timestamp) text += " due to invalid timestamp";
    return Rejection{.error = {code_, fmt::format("{} of {} records in {} refused, the first: {}", refused_, count_,
                                                  payload_.partition, errors_.front().message)},
                     .message = std::move(text),
                     .record_errors = std::move(errors_),
                     .of_request = false};
  }
  Timestamp max_timestamp() const { return max_timestamp_; }
  std::int32_t count() const { return count_; }
  bool counts_up() const { return counts_up_; }  // offsets 0, 1, 2, ...

 private:
  bool out_of_range(Timestamp timestamp) const {
    if (timestamp == base::kNoTimestamp) return false;
    std::int64_t ahead = 0;
    // Clients' timestamps may be anything; a difference that does not fit is beyond every limit.
    if (__builtin_sub_overflow(base::to_ms(timestamp), base::to_ms(payload_.now), &ahead)) return true;
    return ahead > rules_.after_max.count() || ahead < -rules_.before_max.count();
  }

  template <class Text>
  void add(ErrorCode code, std::int32_t index, const Text& text) {
    if (code_ != ErrorCode::invalid_timestamp) code_ = code;  // which outweighs the other
    ++refused_;
    if (errors_.size() < kMaxRecordErrors) errors_.push_back({index, text()});
  }

  const ProducePayload& payload_;
  const AdmissionRules& rules_;
  const Source source_;
  const bool checks_range_;
  bool counts_up_ = true;
  Timestamp max_timestamp_ = base::kNoTimestamp;
  std::int32_t count_ = 0;
  std::int64_t refused_ = 0;
  ErrorCode code_ = ErrorCode::none;
  std::vector<RecordError> errors_;
};

// What the header of a v2 batch must say before its records are worth a look.
std::optional<Rejection> check_header(const Batch& batch, const ProducePayload& payload, const AdmissionRules& rules) {
  const bool client = payload.origin == AppendOrigin::client;
  if (client && batch.base_offset().raw != 0)
    return reject(ErrorCode::invalid_record, "a client's batch at base offset {}", batch.base_offset());
  if (batch.size_bytes() > rules.max_batch_bytes)
    return reject(ErrorCode::message_too_large, "a batch of {} bytes where {} are allowed", batch.size_bytes(),
                  rules.max_batch_bytes);
  if (!batch.crc_ok()) return reject(ErrorCode::corrupt_message, "a batch with a wrong checksum");
  if (!protocol::is_known(batch.codec()))
    return reject(ErrorCode::unknown_server_error, "a batch of codec {}", static_cast<int>(batch.codec()));
  const std::int64_t offsets = std::int64_t{batch.last_offset_delta()} + 1;
  if (batch.record_count() <= 0 || offsets <= 0 || (client && offsets != batch.record_count()))
    return reject(ErrorCode::invalid_record, "a batch of {} records over {} offsets", batch.record_count(), offsets);
  if (!client) return std::nullopt;
  if (batch.is_control()) return reject(ErrorCode::invalid_record, "a client's control batch");
  if (batch.has_producer() && batch.base_sequence() < 0)
    return reject(ErrorCode::invalid_record, "sequence {} of producer {}", batch.base_sequence(), batch.producer_id());
  return std::nullopt;
}

std::optional<Rejection> walk(const Batch& batch, const AdmissionRules& rules, RecordChecks& checks) {
  const bool append_time = batch.timestamp_type() == TimestampType::log_append_time;
  const auto base_timestamp = base::to_ms(batch.base_timestamp());
  const auto max_timestamp = batch.max_timestamp();
  protocol::RecordReader reader{batch, rules.unpacked_limit_bytes};
  protocol::RecordView record;
  while (reader.next(record)) {
    const auto timestamp =
        append_time ? max_timestamp
                    : base::timestamp_from_ms(protocol::wrapping_add(base_timestamp, record.timestamp_delta));
    checks.look_at(base::Offset{record.offset_delta}, timestamp, record.key, record.value);
  }
  if (!reader.status()) return unreadable(reader.status().error());
  return checks.rejection();
}

std::optional<ProducerClaim> claim_of(const Batch& batch) {
  if (!batch.has_producer()) return std::nullopt;
  return ProducerClaim{.id = batch.producer_id(),
                       .epoch = batch.producer_epoch(),
                       .first_sequence = batch.base_sequence(),
                       .last_sequence = batch.last_sequence(),
                       .transactional = batch.is_transactional()};
}

// Sizes once more, of what will be written: another codec or magic changes them.
std::optional<Rejection> check_final_size(std::size_t size_bytes, const AdmissionRules& rules) {
  if (size_bytes > rules.max_batch_bytes)
    return reject(ErrorCode::message_too_large, "a batch of {} bytes after conversion where {} are allowed", size_bytes,
                  rules.max_batch_bytes);
  if (size_bytes > rules.segment_bytes)
    return reject(ErrorCode::record_list_too_large, "{} bytes for segments of {}", size_bytes, rules.segment_bytes);
  return std::nullopt;
}

Batch whole_batch(std::span<std::byte> bytes) {
  auto batch = Batch::parse(bytes);
  base::invariant(batch.ok() && batch->has_value(), "a batch that was seen whole before");
  return **batch;
}

// The same records under the topic's codec, numbered from 0 whatever they were.
base::Result<base::Buffer> renumbered(const Batch& batch, const AdmissionRules& rules) {
  protocol::BatchBuilder builder{{.codec = *rules.codec,
                                  .level = rules.level,
                                  .producer_id = batch.producer_id(),
                                  .producer_epoch = batch.producer_epoch(),
                                  .base_sequence = batch.base_sequence(),
                                  .transactional = batch.is_transactional()}};
  protocol::RecordReader reader{batch, rules.unpacked_limit_bytes};
  protocol::RecordView record;
  while (reader.next(record))
    builder.add_at(base::Offset{reader.position() - 1}, protocol::timestamp_of(batch, record), record);
  if (!reader.status()) return reader.status().error();
  return std::move(builder).build();
}

// What becomes of records in a topic that keeps magic 0 or 1.
protocol::LegacySpec spec_of(Codec codec, const ProducePayload& payload, const AdmissionRules& rules) {
  const bool stamps = rules.timestamps == TimestampType::log_append_time && rules.record_version == 1;
  // A compressed message of magic 0 is made when its offsets are known.
  const bool packed_later = rules.record_version == 0;
  return {.magic = static_cast<std::int8_t>(rules.record_version),
          .codec = packed_later ? Codec::none : codec,
          .level = rules.level,
          .log_append_time = stamps ? std::optional{payload.now} : std::nullopt};
}

// The limit holds for each message that is written.
std::optional<Rejection> check_message_sizes(std::span<const std::byte> set, const AdmissionRules& rules) {
  protocol::EntryCursor cursor{set};
  while (const auto entry = cursor.next())
    if (entry->size_bytes() > rules.max_batch_bytes)
      return reject(ErrorCode::message_too_large, "a message of {} bytes after conversion where {} are allowed",
                    entry->size_bytes(), rules.max_batch_bytes);
  if (set.size() > rules.segment_bytes)
    return reject(ErrorCode::record_list_too_large, "{} bytes for segments of {}", set.size(), rules.segment_bytes);
  return std::nullopt;
}

Admission message_set(base::Result<base::Buffer> built, Codec codec, std::int32_t record_count,
                      const ProducePayload& payload, const AdmissionRules& rules) {
  if (!built) return unreadable(built.error());
  MessageSet set{
      .bytes = {},
      .rewritten = std::move(*built),
      .record_count = record_count,
      .pack_as = rules.record_version == 0 ? codec : Codec::none,
      .level = rules.level,
      .max_entry_bytes = rules.max_batch_bytes,
      .append_time = rules.timestamps == TimestampType::log_append_time ? std::optional{payload.now} : std::nullopt};
  set.bytes = set.rewritten.bytes();
  if (set.pack_as == Codec::none)
    if (auto refused = check_message_sizes(set.bytes, rules)) return std::move(*refused);
  return set;
}

Admission admit_batch_as_messages(const ProducePayload& payload, const AdmissionRules& rules) {
  const auto batch = whole_batch(payload.records);
  if (auto refused = check_header(batch, payload, rules)) return std::move(*refused);
  if (batch.is_transactional() || batch.has_producer())
    return reject(ErrorCode::unsupported_for_message_format, "{} records cannot be used with magic version {}",
                  batch.is_transactional() ? "Transactional" : "Idempotent", rules.record_version);
  RecordChecks checks{payload, rules, {.claims_append_time = batch.timestamp_type() == TimestampType::log_append_time}};
  if (auto refused = walk(batch, rules, checks)) return std::move(*refused);

  const auto codec = rules.codec.value_or(batch.codec());
  if (codec == Codec::zstd)
    return reject(ErrorCode::unknown_server_error, "zstd in messages of magic {}", rules.record_version);
  protocol::LegacyBuilder builder{spec_of(codec, payload, rules)};
  protocol::RecordReader reader{batch, rules.unpacked_limit_bytes};
  protocol::RecordView record;
  for (base::Offset next{0}; reader.next(record); next += 1) {
    if (record.header_count > 0)
      return reject(ErrorCode::unknown_server_error, "Magic v{} does not support record headers", rules.record_version);
    builder.add(next, protocol::timestamp_of(batch, record), record.key, record.value);
  }
  if (!reader.status()) return unreadable(reader.status().error());
  return message_set(std::move(builder).build(), codec, checks.count(), payload, rules);
}

Admission admit_batch(const ProducePayload& payload, const AdmissionRules& rules) {
  auto batch = whole_batch(payload.records);
  if (auto refused = check_header(batch, payload, rules)) return std::move(*refused);
  const bool changes_codec = rules.codec && *rules.codec != batch.codec();
  const bool compressed = batch.codec() != Codec::none;
  RecordChecks checks{payload,
                      rules,
                      {.claims_append_time = batch.timestamp_type() == TimestampType::log_append_time,
                       .record_type = compressed && !changes_codec ? "PartialDefaultRecord" : "DefaultRecord"}};
  if (auto refused = walk(batch, rules, checks)) return std::move(*refused);

  // Offset deltas that do not count up: Kafka takes them as they come in a plain batch, trips over them in a compressed
  // one, and numbers anew what it writes anew.
  const bool misnumbered = payload.origin == AppendOrigin::client && !checks.counts_up();
  if (misnumbered && compressed && !changes_codec)
    return reject(ErrorCode::unknown_server_error, "a compressed batch whose offset deltas do not count up");

  base::Buffer rewritten;
  if (changes_codec) {
    auto packed = misnumbered ? renumbered(batch, rules)
                              : protocol::recompress(batch, *rules.codec, rules.level, rules.unpacked_limit_bytes);
    if (!packed) return unreadable(packed.error());
    rewritten = std::move(*packed);
    batch = whole_batch(rewritten.bytes());
  }
  if (auto refused = check_final_size(batch.size_bytes(), rules)) return std::move(*refused);

  const bool stamps = rules.timestamps == TimestampType::log_append_time;
  const auto max_timestamp = stamps ? payload.now : checks.max_timestamp();
  if (stamps || batch.max_timestamp() != max_timestamp) batch.set_max_timestamp(rules.timestamps, max_timestamp);
  return Admitted{.batch = batch,
                  .rewritten = std::move(rewritten),
                  .record_count = checks.count(),
                  .max_timestamp = max_timestamp,
                  .append_time = stamps ? std::optional{payload.now} : std::nullopt,
                  .producer = claim_of(batch)};
}

// One entry of magic 0 or 1: a message, or a compressed one with others inside.
std::optional<Rejection> check_message(const EntryView& entry, const AdmissionRules& rules, RecordChecks& checks) {
  if (entry.size_bytes() > rules.max_batch_bytes)
    return reject(ErrorCode::message_too_large, "a message of {} bytes where {} are allowed", entry.size_bytes(),
                  rules.max_batch_bytes);
  if (!entry.crc_ok()) return reject(ErrorCode::corrupt_message, "a message with a wrong checksum");
  if (!protocol::is_known(entry.codec()))
    return reject(ErrorCode::unknown_server_error, "a message of codec {}", static_cast<int>(entry.codec()));
  if (entry.codec() == Codec::zstd)
    return reject(ErrorCode::invalid_record, "zstd in a message of magic {}", entry.magic());

  const bool inside = entry.codec() != Codec::none;
  protocol::LegacyReader reader{entry, rules.unpacked_limit_bytes};
  protocol::LegacyRecordView record;
  for (std::int64_t expected = 0; reader.next(record); ++expected) {
    if (inside && !record.crc_ok())
      return reject(ErrorCode::corrupt_message, "a message inside a compressed one has a wrong checksum");
    // As written, before it is anchored at the wrapper's offset.
    const base::Offset written{base::load_big_endian<std::int64_t>(record.bytes.data())};
    if (inside && entry.magic() > 0 && written.raw != expected)
      return reject(ErrorCode::invalid_record, "message {} inside a compressed one has offset {}", expected, written);
    checks.look_at(written, record.timestamp, record.key, record.value);
  }
  if (!reader.status()) return unreadable(reader.status().error());
  return std::nullopt;
}

// The messages as they came, in place: of the topic's magic and codec, which need but their offsets.
Admission keep_messages(std::span<std::byte> set, const RecordChecks& checks, const ProducePayload& payload,
                        const AdmissionRules& rules) {
  if (auto refused = check_message_sizes(set, rules)) return std::move(*refused);
  const bool stamps = rules.timestamps == TimestampType::log_append_time;
  for (std::size_t position = 0; rules.record_version == 1 && position < set.size();) {
    const auto rest = set.subspan(position);
    const auto entry = EntryView::parse(rest);
    base::invariant(entry.ok() && entry->has_value(), "messages that were walked before");
    const auto timestamp = stamps                             ? payload.now
                           : (*entry)->codec() == Codec::none ? (*entry)->max_timestamp()
                                                              : checks.max_timestamp();
    if (timestamp != (*entry)->max_timestamp() || rules.timestamps != (*entry)->timestamp_type())
      protocol::set_timestamp(rest.first((*entry)->size_bytes()), rules.timestamps, timestamp);
    position += (*entry)->size_bytes();
  }
  return MessageSet{.bytes = set,
                    .rewritten = {},
                    .record_count = checks.count(),
                    .max_entry_bytes = rules.max_batch_bytes,
                    .append_time = stamps ? std::optional{payload.now} : std::nullopt};
}

// Messages for a topic that keeps messages, perhaps of the other magic or under another codec.
Admission admit_messages_as_messages(std::span<std::byte> set, const Shape& shape, const RecordChecks& checks,
                                     const ProducePayload& payload, const AdmissionRules& rules) {
  const auto codec = rules.codec.value_or(shape.codec);
  if (codec == Codec::zstd)
    return reject(ErrorCode::unknown_server_error, "zstd in messages of magic {}", rules.record_version);
  const bool offsets_inside = shape.magic == 0 && codec != Codec::none;
  if (shape.magic == rules.record_version && codec == shape.codec && !offsets_inside)
    return keep_messages(set, checks, payload, rules);
  protocol::LegacyBuilder builder{spec_of(codec, payload, rules)};
  base::Offset next{0};
  protocol::EntryCursor cursor{set};
  while (const auto entry = cursor.next()) {
    protocol::LegacyReader reader{*entry, rules.unpacked_limit_bytes};
    protocol::LegacyRecordView record;
    for (; reader.next(record); next += 1) builder.add(next, record.timestamp, record.key, record.value);
    if (!reader.status()) return unreadable(reader.status().error());
  }
  return message_set(std::move(builder).build(), codec, checks.count(), payload, rules);
}

// Old clients' messages become one batch, unless the topic keeps them as messages.
Admission admit_messages(const ProducePayload& payload, const Shape& shape, const AdmissionRules& rules) {
  const auto set = payload.records.first(shape.size_bytes);
  protocol::EntryCursor cursor{set};
  bool claims_append_time = false;
  while (const auto entry = cursor.next())
    claims_append_time = claims_append_time || entry->timestamp_type() == TimestampType::log_append_time;

  RecordChecks checks{payload, rules, {.claims_append_time = claims_append_time}};
  cursor = protocol::EntryCursor{set};
  while (const auto entry = cursor.next())
    if (auto refused = check_message(*entry, rules, checks)) return std::move(*refused);
  if (auto refused = checks.rejection()) return std::move(*refused);
  if (rules.record_version < 2) return admit_messages_as_messages(set, shape, checks, payload, rules);

  const bool stamps = rules.timestamps == TimestampType::log_append_time;
  const auto append_time = stamps ? std::optional{payload.now} : std::nullopt;
  auto converted = protocol::up_convert(
      set, {.codec = rules.codec.value_or(shape.codec), .level = rules.level, .log_append_time = append_time},
      rules.unpacked_limit_bytes);
  if (!converted) return unreadable(converted.error());
  if (auto refused = check_final_size(converted->size(), rules)) return std::move(*refused);
  const auto batch = whole_batch(converted->bytes());
  return Admitted{.batch = batch,
                  .rewritten = std::move(*converted),
                  .record_count = checks.count(),
                  .max_timestamp = batch.max_timestamp(),
                  .append_time = append_time,
                  .producer = std::nullopt};
}

}  // namespace

AdmissionRules admission_rules(const config::TopicSettings& topic) {
  // Kafka's default lz4 level, 9, stands for the fast compressor, as the codec's own default does here.
  constexpr int kLz4Fast = 9;
  AdmissionRules rules;
  rules.max_batch_bytes = static_cast<std::size_t>(topic.max_message_bytes);
  rules.segment_bytes = static_cast<std::size_t>(topic.segment_bytes);
  rules.compacted = topic.compacts();
  rules.record_version = topic.record_version();
  rules.timestamps = topic.timestamp_type() == config::TimestampType::create_time ? TimestampType::create_time
                                                                                  : TimestampType::log_append_time;
  rules.before_max = std::chrono::milliseconds{topic.timestamp_before_max_ms()};
  rules.after_max = std::chrono::milliseconds{topic.timestamp_after_max_ms()};
  switch (topic.compression()) {
    case config::CompressionType::producer:
      break;
    case config::CompressionType::uncompressed:
      rules.codec = Codec::none;
      break;
    case config::CompressionType::gzip:
      rules.codec = Codec::gzip;
      if (topic.compression_gzip_level != -1) rules.level = topic.compression_gzip_level;
      break;
    case config::CompressionType::snappy:
      rules.codec = Codec::snappy;
      break;
    case config::CompressionType::lz4:
      rules.codec = Codec::lz4;
      if (topic.compression_lz4_level != kLz4Fast) rules.level = topic.compression_lz4_level;
      break;
    case config::CompressionType::zstd:
      rules.codec = Codec::zstd;
      rules.level = topic.compression_zstd_level;
      break;
  }
  return rules;
}

Admission admit(const ProducePayload& payload, const AdmissionRules& rules) {
  auto shape = look_at_shape(payload);
  if (auto* refused = std::get_if<Rejection>(&shape)) {
    refused->of_request = payload.version >= kFirstVersionOfBatches;
    return std::move(*refused);
  }
  const auto& seen = std::get<Shape>(shape);
  if (seen.magic < 2) return admit_messages(payload, seen, rules);
  return rules.record_version < 2 ? admit_batch_as_messages(payload, rules) : admit_batch(payload, rules);
}

}  // namespace storage
