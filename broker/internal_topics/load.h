// Reading an internal partition from its start to its end, so that its coordinator knows what it wrote there.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "broker/internal_topics/led_partition.h"
#include "protocol/records/record.h"

namespace broker {

// What a batch says of all its records.
struct LoadedBatch {
  base::ProducerId producer_id = base::kNoProducerId;
  base::ProducerEpoch producer_epoch = base::kNoProducerEpoch;
  bool transactional = false;
};

struct LoadedRecord {
  base::Offset offset;
  base::Timestamp timestamp;
  protocol::OptionalBytes key;    // borrowed for the call
  protocol::OptionalBytes value;  // null: a tombstone
};

struct LoadedMarker {
  base::Offset offset;
  base::ProducerId producer_id;
  base::ProducerEpoch producer_epoch;
  bool commit = false;
};

// Called in the order of the log, on the thread that loads.
struct LoadVisitor {
  std::function<void(const LoadedBatch&, const LoadedRecord&)> record;
  std::function<void(const LoadedMarker&)> marker;
};

struct LoadOptions {
  std::size_t chunk_bytes = 5 << 20;                // offsets.load.buffer.size and its like; one batch may be larger
  std::chrono::milliseconds progress_every{5'000};  // a line at INFO
};

struct LoadSummary {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::chrono::milliseconds took{0};
};

// Up to the log end, also what is appended meanwhile. To be run where it may wait for the disk. Ends with
// `not_leader_or_follower` soon after the partition resigned, with `corrupt_message` or `kafka_storage_error` when the
// log cannot be read: then nothing is coordinated there.
base::Result<LoadSummary> load(LedPartition& partition, const LoadVisitor& visitor, const LoadOptions& options,
                               const base::Clock& clock);

}  // namespace broker
