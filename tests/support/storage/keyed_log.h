// Records with keys, of every form: what compaction is about.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "protocol/records/builder.h"
#include "protocol/records/legacy.h"

namespace storage::testing {

struct KeyedFields {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::int64_t timestamp_ms = 1'700'000'000'000;
};

struct KeyedRecord {
  base::Offset offset;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::int64_t timestamp_ms = 0;
  bool operator==(const KeyedRecord&) const = default;
};

// Offsets rise by one from the base offset.
base::Buffer keyed_batch(const protocol::BatchSpec& spec, const std::vector<KeyedFields>& records);
base::Buffer keyed_messages(const protocol::LegacySpec& spec, const std::vector<KeyedRecord>& records);
base::Buffer marker(std::int64_t offset, std::int64_t producer_id, protocol::ControlType type, std::int16_t epoch = 0);

// All records in entries of any magic, control records left out. The bytes are whole, sound entries.
std::vector<KeyedRecord> keyed_records_in(std::span<const std::byte> entries);

}  // namespace storage::testing
