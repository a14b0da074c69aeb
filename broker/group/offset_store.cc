#include "broker/group/offset_store.h"

#include "base/bytes.h"
#include "protocol/internal/versioned.h"
#include "protocol/records/builder.h"

namespace broker {
namespace {

using base::Buffer;
using base::Result;
using base::TopicPartition;
using protocol::BatchBuilder;
using protocol::BatchSpec;
using protocol::GroupRecordKey;
using protocol::GroupRecordValue;
using protocol::OffsetRecordKey;
using protocol::OffsetRecordValue;

// Kafka gives batches with offsets the sequence 0 although a plain one has no producer.
constexpr std::int32_t kCommitSequence = 0;

Buffer key_of(const std::string& group, const TopicPartition& partition) {
  return protocol::write_versioned(OffsetRecordKey::kWritten,
                                   OffsetRecordKey{group, partition.topic, partition.partition});
}

config::ProtocolVersion release(std::string_view tag) { return *config::find_protocol_version(tag); }

}  // namespace

GroupRecordVersions GroupRecordVersions::of(config::ProtocolVersion version) {
  GroupRecordVersions out;
  if (version < release("2.1-IV0"))
    out.offset = OffsetRecordValue::kWrittenWithExpiry;
  else if (version < release("2.1-IV1"))
    out.offset = 2;
  if (version < release("0.10.1-IV0"))
    out.group = 0;
  else if (version < release("2.1-IV0"))
    out.group = 1;
  else if (version < release("2.3-IV0"))
    out.group = 2;
  return out;
}

Result<Buffer> OffsetRecords::commits(const std::string& group, std::span<const PartitionOffset> offsets,
                                      const Producer& producer, base::Timestamp now) const {
  BatchSpec spec;
  spec.codec = codec_;
  spec.base_sequence = kCommitSequence;
  spec.producer_id = producer.id;
  spec.producer_epoch = producer.epoch;
  spec.transactional = producer.id != base::kNoProducerId;
  BatchBuilder builder(spec);
  for (const auto& [partition, offset] : offsets) {
    const auto key = key_of(group, partition);
    OffsetRecordValue value;
    value.offset = offset.offset.raw;
    value.leader_epoch = offset.leader_epoch.raw;
    value.metadata = offset.metadata;
    value.commit_timestamp = base::to_ms(offset.committed);
    if (offset.expires) value.expire_timestamp = base::to_ms(*offset.expires);
    const auto bytes =
        protocol::write_versioned(offset.expires ? OffsetRecordValue::kWrittenWithExpiry : versions_.offset, value);
    builder.add({.timestamp = now, .key = key.bytes(), .value = bytes.bytes(), .headers = {}});
  }
  return std::move(builder).build();
}

Result<Buffer> OffsetRecords::state(const std::string& group, const GroupRecordValue& value,
                                    base::Timestamp now) const {
  BatchSpec spec;
  spec.codec = codec_;
  BatchBuilder builder(spec);
  const auto key = protocol::write_versioned(GroupRecordKey::kWritten, GroupRecordKey{group});
  const auto bytes = protocol::write_versioned(versions_.group, value);
  builder.add({.timestamp = now, .key = key.bytes(), .value = bytes.bytes(), .headers = {}});
  return std::move(builder).build();
}

Result<Buffer> OffsetRecords::tombstones(const std::string& group, const Gone& gone, base::Timestamp now) const {
  BatchSpec spec;
  spec.codec = codec_;
  BatchBuilder builder(spec);
  for (const auto& partition : gone.offsets) {
    const auto key = key_of(group, partition);
    builder.add({.timestamp = now, .key = key.bytes(), .value = std::nullopt, .headers = {}});
  }
  if (gone.group) {
    const auto key = protocol::write_versioned(GroupRecordKey::kWritten, GroupRecordKey{group});
    builder.add({.timestamp = now, .key = key.bytes(), .value = std::nullopt, .headers = {}});
  }
  return std::move(builder).build();
}

void OffsetReplay::record(const LoadedBatch& batch, const LoadedRecord& record) {
  if (!record.key) {
    ++unreadable_;
    return;
  }
  const auto key = protocol::read_group_topic_key(*record.key);
  if (!key) {
    ++unreadable_;
  } else if (const auto* of_offset = std::get_if<OffsetRecordKey>(&*key)) {
    offset(batch, record, *of_offset);
  } else if (const auto* of_group = std::get_if<GroupRecordKey>(&*key)) {
    group(record, *of_group);
  }
  // Else a kind of record that came with KIP-848: not ours.
}

void OffsetReplay::offset(const LoadedBatch& batch, const LoadedRecord& record, const OffsetRecordKey& key) {
  if (!record.value) {
    const auto known = groups_.find(key.group);
    if (known == groups_.end()) return;
    if (batch.transactional)
      known->second.offsets.drop_pending(batch.producer_id, key.topic, key.partition);
    else
      known->second.offsets.remove(key.topic, key.partition);
    return;
  }
  OffsetRecordValue value;
  if (!protocol::read_versioned(*record.value, value)) {
    ++unreadable_;
    return;
  }
  CommittedOffset offset;
  offset.offset = base::Offset{value.offset};
  offset.leader_epoch = base::LeaderEpoch{value.leader_epoch};
  offset.metadata = std::move(value.metadata);
  offset.committed = base::timestamp_from_ms(value.commit_timestamp);
  if (value.expire_timestamp >= 0) offset.expires = base::timestamp_from_ms(value.expire_timestamp);
  offset.logged_at = record.offset;
  auto& offsets = groups_[key.group].offsets;
  if (!batch.transactional) return offsets.put(key.topic, key.partition, std::move(offset));
  offsets.pend(batch.producer_id, key.topic, key.partition, std::move(offset));
  auto& open = open_[batch.producer_id];
  if (open.empty() || open.back() != key.group) open.push_back(key.group);
}

void OffsetReplay::group(const LoadedRecord& record, const GroupRecordKey& key) {
  if (!record.value) {
    if (const auto known = groups_.find(key.group); known != groups_.end()) known->second.state.reset();
    return;
  }
  GroupRecordValue value;
  if (!protocol::read_versioned(*record.value, value)) {
    ++unreadable_;
    return;
  }
  groups_[key.group].state = std::move(value);
}

void OffsetReplay::marker(const LoadedMarker& marker) {
  const auto open = open_.find(marker.producer_id);
  if (open == open_.end()) return;
  for (const auto& name : open->second)
    if (const auto known = groups_.find(name); known != groups_.end())
      known->second.offsets.end_transaction(marker.producer_id, marker.commit);
  open_.erase(open);
}

base::StringMap<LoadedGroup> OffsetReplay::take() && {
  absl::erase_if(groups_, [](const auto& one) { return !one.second.state && one.second.offsets.empty(); });
  return std::move(groups_);
}

}  // namespace broker
