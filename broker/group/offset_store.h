// How groups and their offsets look inside __consumer_offsets: written as batches, read back when a partition of it is
// loaded. on-disk layouts: protocol/internal/group_records.h.
//
// Pure but for load(), which waits for the disk.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/string_map.h"
#include "broker/group/committed_offsets.h"
#include "broker/internal_topics/load.h"
#include "broker/internal_topics/producer.h"
#include "config/protocol_version.h"
#include "protocol/internal/group_records.h"
#include "protocol/records/compression.h"

namespace broker {

// Which versions of values a cluster of that inter.broker.protocol.version can read.
struct GroupRecordVersions {
  std::int16_t offset = protocol::OffsetRecordValue::kWritten;
  std::int16_t group = protocol::GroupRecordValue::kWritten;

  static GroupRecordVersions of(config::ProtocolVersion version);
};

using PartitionOffset = std::pair<base::TopicPartition, CommittedOffset>;

// Any thread may call.
class OffsetRecords {
 public:
  OffsetRecords(GroupRecordVersions versions, protocol::Codec codec) : versions_(versions), codec_(codec) {}

  // At least one offset. With a producer: of its transaction.
  base::Result<base::Buffer> commits(const std::string& group, std::span<const PartitionOffset> offsets,
                                     const Producer& producer, base::Timestamp now) const;
  base::Result<base::Buffer> state(const std::string& group, const protocol::GroupRecordValue& value,
                                   base::Timestamp now) const;
  // Tombstones, at least one.
  struct Gone {
    std::span<const base::TopicPartition> offsets;
    bool group = false;
  };
  base::Result<base::Buffer> tombstones(const std::string& group, const Gone& gone, base::Timestamp now) const;

 private:
  const GroupRecordVersions versions_;
  const protocol::Codec codec_;
};

struct LoadedGroup {
  std::optional<protocol::GroupRecordValue> state;
  CommittedOffsets offsets;
};

// What the records of one partition add up to. Fed in the order of the log.
class OffsetReplay {
 public:
  void record(const LoadedBatch& batch, const LoadedRecord& record);
  void marker(const LoadedMarker& marker);

  // Without groups that are gone.
  base::StringMap<LoadedGroup> take() &&;
  std::size_t unreadable() const { return unreadable_; }  // records of known kinds that could not be read: skipped

 private:
  void offset(const LoadedBatch& batch, const LoadedRecord& record, const protocol::OffsetRecordKey& key);
  void group(const LoadedRecord& record, const protocol::GroupRecordKey& key);

  base::StringMap<LoadedGroup> groups_;
  absl::flat_hash_map<base::ProducerId, std::vector<std::string>> open_;  // groups with pending offsets, maybe twice
  std::size_t unreadable_ = 0;
};

}  // namespace broker
