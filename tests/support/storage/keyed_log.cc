#include "tests/support/storage/keyed_log.h"

#include "base/bytes.h"
#include "base/check.h"

namespace storage::testing {
namespace {

protocol::OptionalBytes bytes_of(const std::optional<std::string>& text) {
  return text ? protocol::OptionalBytes(base::as_bytes(*text)) : std::nullopt;
}

std::optional<std::string> text_of(const protocol::OptionalBytes& bytes) {
  return bytes ? std::optional(std::string(base::as_text(*bytes))) : std::nullopt;
}

}  // namespace

base::Buffer keyed_batch(const protocol::BatchSpec& spec, const std::vector<KeyedFields>& records) {
  protocol::BatchBuilder builder(spec);
  for (const auto& record : records)
    builder.add({.timestamp = base::timestamp_from_ms(record.timestamp_ms),
                 .key = bytes_of(record.key),
                 .value = bytes_of(record.value),
                 .headers = {}});
  return std::move(builder).build().value();
}

base::Buffer keyed_messages(const protocol::LegacySpec& spec, const std::vector<KeyedRecord>& records) {
  protocol::LegacyBuilder builder(spec);
  for (const auto& record : records)
    builder.add(record.offset, base::timestamp_from_ms(record.timestamp_ms), bytes_of(record.key),
                bytes_of(record.value));
  return std::move(builder).build().value();
}

base::Buffer marker(std::int64_t offset, std::int64_t producer_id, protocol::ControlType type, std::int16_t epoch) {
  return protocol::build_txn_marker({.offset = base::Offset{offset},
                                     .timestamp = base::timestamp_from_ms(1'700'000'000'000),
                                     .producer_id = base::ProducerId{producer_id},
                                     .producer_epoch = base::ProducerEpoch{epoch},
                                     .marker = {.type = type}});
}

std::vector<KeyedRecord> keyed_records_in(std::span<const std::byte> entries) {
  std::vector<KeyedRecord> found;
  protocol::EntryCursor cursor(entries);
  while (auto entry = cursor.next()) {
    base::invariant(entry->crc_ok(), "an entry has a good checksum");
    if (!entry->is_batch()) {
      protocol::LegacyReader reader(*entry);
      protocol::LegacyRecordView record;
      while (reader.next(record))
        found.push_back({record.offset, text_of(record.key), text_of(record.value), base::to_ms(record.timestamp)});
      base::invariant(reader.status().ok(), "a message that reads");
      continue;
    }
    const auto batch = entry->batch();
    if (batch.is_control()) continue;
    protocol::RecordReader reader(batch);
    protocol::RecordView record;
    while (reader.next(record))
      found.push_back({protocol::offset_of(batch, record), text_of(record.key), text_of(record.value),
                       base::to_ms(protocol::timestamp_of(batch, record))});
    base::invariant(reader.status().ok(), "a batch that reads");
  }
  base::invariant(cursor.at_end(), "whole entries");
  return found;
}

}  // namespace storage::testing
