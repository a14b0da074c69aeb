#include "protocol/records/convert.h"

#include <algorithm>

#include "base/check.h"
#include "protocol/records/legacy.h"

namespace protocol {

using base::Buffer;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

namespace {

Status append_built(LegacyBuilder builder, Buffer& out) {
  auto built = std::move(builder).build();
  if (!built) return built.error();
  out.append(built->bytes());
  return {};
}

Status down_convert_batch(const BatchView& batch, const DownConversion& wanted, Buffer& out) {
  LegacySpec spec{.magic = wanted.to_magic, .codec = batch.codec()};
  if (batch.timestamp_type() == TimestampType::log_append_time && wanted.to_magic == 1)
    spec.log_append_time = batch.max_timestamp();
  LegacyBuilder builder(spec);
  RecordReader reader(batch, wanted.limit_bytes);
  RecordView record;
  while (reader.next(record)) {
    const auto offset = offset_of(batch, record);
    if (batch.codec() == Codec::none && offset < wanted.first_offset) continue;
    builder.add(offset, timestamp_of(batch, record), record.key, record.value);
  }
  if (!reader.status()) return reader.status();
  return append_built(std::move(builder), out);
}

Status down_convert_message(const EntryView& entry, const DownConversion& wanted, Buffer& out) {
  LegacyBuilder builder({.magic = wanted.to_magic, .codec = entry.codec()});
  LegacyReader reader(entry, wanted.limit_bytes);
  LegacyRecordView record;
  while (reader.next(record)) {
    if (entry.codec() == Codec::none && record.offset < wanted.first_offset) continue;
    builder.add(record.offset, record.timestamp, record.key, record.value);
  }
  if (!reader.status()) return reader.status();
  return append_built(std::move(builder), out);
}

}  // namespace

Status down_convert(const EntryView& entry, const DownConversion& wanted, Buffer& out) {
  base::invariant(wanted.to_magic == 0 || wanted.to_magic == 1, "conversion to magic 0 or 1");
  if (entry.magic() <= wanted.to_magic) {
    out.append(entry.bytes());
    return {};
  }
  if (!entry.is_batch()) return down_convert_message(entry, wanted, out);
  const auto batch = entry.batch();
  if (batch.is_control()) return {};
  if (batch.codec() == Codec::zstd)
    return fail(ErrorCode::unsupported_compression_type, "a zstd batch for a client that knows magic {} at most",
                wanted.to_magic);
  return down_convert_batch(batch, wanted, out);
}

Result<Buffer> down_convert(std::span<const std::byte> entries, const DownConversion& wanted) {
  Buffer out;
  EntryCursor cursor(entries);
  while (const auto entry = cursor.next()) {
    const auto before = out.size();
    if (auto converted = down_convert(*entry, wanted, out); !converted) return converted.error();
    if (before == 0 || out.size() <= wanted.max_bytes) continue;
    out.resize(before);
    return out;
  }
  if (!cursor.status()) return cursor.status().error();
  return out;
}

Result<Buffer> up_convert(std::span<const std::byte> message_set, const BatchSpec& spec, std::size_t limit_bytes) {
  BatchBuilder builder(spec);
  EntryCursor cursor(message_set);
  while (const auto entry = cursor.next()) {
    if (entry->is_batch()) return fail(ErrorCode::invalid_record, "a batch among messages of magic 0 and 1");
    LegacyReader reader(*entry, limit_bytes);
    LegacyRecordView record;
    while (reader.next(record)) builder.add({.timestamp = record.timestamp, .key = record.key, .value = record.value});
    if (!reader.status()) return reader.status().error();
    limit_bytes -= std::min(limit_bytes, reader.unpacked_bytes());  // the limit is for all messages together
  }
  if (!cursor.status()) return cursor.status().error();
  if (builder.record_count() == 0) return fail(ErrorCode::invalid_record, "a message set without a whole message");
  return std::move(builder).build();
}

}  // namespace protocol
