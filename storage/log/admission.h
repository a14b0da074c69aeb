// What records must satisfy before they receive an offset. Pure: time comes in, nothing is locked.
//
// Produce goes through two gates:
//   admit()             before the partition's lock: shape, checksum, sizes, codec, every record, timestamps. What the
//                       topic wants otherwise is done here too: time of append stamped, other codec, batches made of
//                       messages of magic 0 and 1.
//   Producers::check()  under the lock, with Admitted::producer: sequence numbers and transactions
// Then the log stamps offset and leader epoch into Admitted::batch, in place, and writes those bytes.
//
// A plain v2 batch that needs no change is checked in one walk over the received bytes, without a copy or an
// allocation; a compressed one is unpacked into memory the thread keeps.
// Order of checks and texts: Apache Kafka 2.7.1, and 3.9.1 where 2.7.1 just closes the connection.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/buffer.h"
#include "base/error.h"
#include "base/ids.h"
#include "protocol/records/batch.h"
#include "protocol/records/compression.h"
#include "storage/log/message_set.h"
#include "storage/log/producers.h"

namespace config {
struct TopicSettings;
}

namespace storage {

struct AdmissionRules {
  std::size_t max_batch_bytes = 1'048'588;           // max.message.bytes
  std::size_t segment_bytes = std::size_t{1} << 30;  // segment.bytes
  bool compacted = false;                            // cleanup.policy has compact: no null keys
  protocol::TimestampType timestamps = protocol::TimestampType::create_time;
  std::chrono::milliseconds before_max = std::chrono::milliseconds::max();
  std::chrono::milliseconds after_max = std::chrono::milliseconds::max();
  std::optional<protocol::Codec> codec = std::nullopt;  // compression.type; nothing: the producer's
  int level = protocol::kDefaultLevel;                  // of that codec
  int record_version = 2;  // message.format.version; below 2 what is admitted is a MessageSet
  std::size_t unpacked_limit_bytes = protocol::kDefaultUnpackedLimitBytes;
};

AdmissionRules admission_rules(const config::TopicSettings& topic);

struct ProducePayload {
  std::span<std::byte> records;  // of one partition, inside the request's frame; may be changed even when refused
  std::int16_t version = 3;      // of the Produce request; decides which magics and codecs may come
  AppendOrigin origin = AppendOrigin::client;
  base::Timestamp now;
  std::string_view partition;  // "orders-0", for texts
};

// One batch, ready for offset and leader epoch.
struct Admitted {
  protocol::Batch batch;  // in the request's frame, or in `rewritten`
  base::Buffer rewritten;
  std::int32_t record_count = 0;
  base::Timestamp max_timestamp;
  std::optional<base::Timestamp> append_time;  // set when the topic stamps it: belongs into the answer
  std::optional<ProducerClaim> producer;       // set when idempotent: to be checked under the lock

  std::int64_t offset_count() const { return std::int64_t{batch.last_offset_delta()} + 1; }
};

struct RecordError {
  std::int32_t batch_index = 0;
  std::string message;

  bool operator==(const RecordError&) const = default;
};

// At most so many are told of one batch: a compressed batch may hold millions of records, all of them bad.
inline constexpr std::size_t kMaxRecordErrors = 1000;

struct Rejection {
  base::Error error;                   // the detail is for the operator
  std::optional<std::string> message;  // what Kafka tells the client (Produce v8+), often nothing
  std::vector<RecordError> record_errors;
  bool of_request = false;  // Produce v3+: refused for its shape, before the partition was looked at
};

// A MessageSet where the topic keeps magic 0 or 1.
using Admission = std::variant<Admitted, MessageSet, Rejection>;

Admission admit(const ProducePayload& payload, const AdmissionRules& rules);

}  // namespace storage
