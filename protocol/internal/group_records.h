// Keys and values inside __consumer_offsets.
//
// The version of the key tells what the record is: 0 and 1 a committed offset, 2 the state of a group, 3 and above
// records of the coordinator that came with KIP-848, which a ZooKeeper cluster never writes: they are skipped. A null
// value is a tombstone: the offset or the group is gone.
//
// Written: offset key 1 with value 3, group key 2 with value 3, which every release from 2.7 to 3.9 reads. Value
// version 1 of an offset instead when it has a time to expire of its own.
// Source: OffsetCommitKey, OffsetCommitValue, GroupMetadataKey, GroupMetadataValue of Apache Kafka 3.9.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "protocol/internal/versioned.h"
#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

struct OffsetRecordKey {
  static constexpr Api api{.key = -1, .name = "OffsetCommitKey", .versions = {0, 1}};
  static constexpr std::int16_t kWritten = 1;

  std::string group;
  std::string topic;
  std::int32_t partition = 0;

  bool operator==(const OffsetRecordKey&) const = default;
  static void describe(auto& m, auto& visit) {
    visit("group", m.group);
    visit("topic", m.topic);
    visit("partition", m.partition);
  }
};

struct OffsetRecordValue {
  static constexpr Api api{.key = -1, .name = "OffsetCommitValue", .versions = {0, 4}, .flexible_since = 4};
  static constexpr std::int16_t kWritten = 3;
  static constexpr std::int16_t kWrittenWithExpiry = 1;

  std::int64_t offset = 0;
  std::int32_t leader_epoch = -1;
  std::string metadata;
  std::int64_t commit_timestamp = 0;
  std::int64_t expire_timestamp = -1;  // -1: as long as the broker keeps offsets

  bool operator==(const OffsetRecordValue&) const = default;
  static void describe(auto& m, auto& visit) {
    visit("offset", m.offset);
    visit("leader_epoch", m.leader_epoch, since(3));
    visit("metadata", m.metadata);
    visit("commit_timestamp", m.commit_timestamp);
    visit("expire_timestamp", m.expire_timestamp, between(1, 1));
  }
};

struct GroupRecordKey {
  static constexpr Api api{.key = -1, .name = "GroupMetadataKey", .versions = {2, 2}};
  static constexpr std::int16_t kWritten = 2;

  std::string group;

  bool operator==(const GroupRecordKey&) const = default;
  static void describe(auto& m, auto& visit) { visit("group", m.group); }
};

struct GroupRecordMember {
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::string client_id;
  std::string client_host;
  std::int32_t rebalance_timeout = -1;
  std::int32_t session_timeout = 0;
  Bytes subscription;
  Bytes assignment;

  // Version 0 knew only one timeout.
  std::int32_t rebalance_or_session_timeout() const {
    return rebalance_timeout < 0 ? session_timeout : rebalance_timeout;
  }

  bool operator==(const GroupRecordMember&) const = default;
  static void describe(auto& m, auto& visit) {
    visit("member_id", m.member_id);
    visit("group_instance_id", m.group_instance_id, since(3));
    visit("client_id", m.client_id);
    visit("client_host", m.client_host);
    visit("rebalance_timeout", m.rebalance_timeout, since(1));
    visit("session_timeout", m.session_timeout);
    visit("subscription", m.subscription);
    visit("assignment", m.assignment);
  }
};

struct GroupRecordValue {
  static constexpr Api api{.key = -1, .name = "GroupMetadataValue", .versions = {0, 4}, .flexible_since = 4};
  static constexpr std::int16_t kWritten = 3;

  std::string protocol_type;
  std::int32_t generation = 0;
  std::optional<std::string> protocol;
  std::optional<std::string> leader;
  std::int64_t current_state_timestamp = -1;
  std::vector<GroupRecordMember> members;

  bool operator==(const GroupRecordValue&) const = default;
  static void describe(auto& m, auto& visit) {
    visit("protocol_type", m.protocol_type);
    visit("generation", m.generation);
    visit("protocol", m.protocol);
    visit("leader", m.leader);
    visit("current_state_timestamp", m.current_state_timestamp, since(2));
    visit("members", m.members);
  }
};

struct UnknownRecordKey {
  std::int16_t version = 0;
  bool operator==(const UnknownRecordKey&) const = default;
};

using GroupTopicKey = std::variant<OffsetRecordKey, GroupRecordKey, UnknownRecordKey>;

// What a record of __consumer_offsets is about. `corrupt_message` for a key of a known version that cannot be read.
base::Result<GroupTopicKey> read_group_topic_key(std::span<const std::byte> key);

}  // namespace protocol
