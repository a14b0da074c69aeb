#include "tools/internal_topics/record_text.h"

#include <fmt/ranges.h>

#include <set>
#include <vector>

#include "base/bytes.h"
#include "protocol/internal/assignment.h"
#include "protocol/internal/group_records.h"
#include "protocol/internal/txn_records.h"
#include "protocol/wire/json_printer.h"
#include "tools/internal_topics/hash_order.h"

namespace tools {
namespace {

using protocol::GroupRecordKey;
using protocol::GroupRecordMember;
using protocol::GroupRecordValue;
using protocol::OffsetRecordKey;
using protocol::OffsetRecordValue;
using protocol::TxnRecordKey;
using protocol::TxnRecordValue;

Failure kafka_exception(std::string message) {
  return {"org.apache.kafka.common.KafkaException", std::move(message), ""};
}

// `known_as`: what Kafka 2.7 calls the schema of the record.
Failure unreadable(const base::Error& error, std::optional<std::int16_t> version, std::string_view known_as) {
  if (error.code == base::ErrorCode::unsupported_version)
    return kafka_exception(fmt::format("Unknown {} schema version {}", known_as, version.value_or(0)));
  return {"org.apache.kafka.common.protocol.types.SchemaException", error.detail, ""};
}

template <class M>
std::variant<M, Failure> read(std::span<const std::byte> bytes, std::string_view known_as) {
  M m;
  auto version = protocol::read_versioned(bytes, m);
  if (!version) return unreadable(version.error(), protocol::version_of(bytes), known_as);
  return m;
}

constexpr std::string_view kOffset = "offset";
constexpr std::string_view kGroup = "group metadata";
constexpr std::string_view kTxn = "transaction log message value";

std::vector<GroupRecordMember> members_in_order(const GroupRecordValue& group) {
  HashOrder order;
  for (const auto& member : group.members) order.add(java_hash(member.member_id));
  std::vector<GroupRecordMember> members;
  for (const auto at : order.order()) members.push_back(group.members[at]);
  return members;
}

std::vector<std::string> partitions_in_order(const TxnRecordValue& txn) {
  HashOrder order;
  std::vector<std::string> names;
  std::set<std::string> seen;
  if (!txn.transaction_partitions) return names;
  for (const auto& topic : *txn.transaction_partitions) {
    order.expect(topic.partition_ids.size());
    for (const auto partition : topic.partition_ids) {
      auto name = fmt::format("{}-{}", topic.topic, partition);
      if (!seen.insert(name).second) continue;
      order.add(java_hash(topic.topic, partition));
      names.push_back(std::move(name));
    }
  }
  std::vector<std::string> sorted;
  for (const auto at : order.order()) sorted.push_back(names[at]);
  return sorted;
}

// As a number in hexadecimal: without the zeros in front.
std::string hex(std::string_view bytes) {
  if (bytes.empty()) return {};
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02X}", static_cast<unsigned char>(c));
  const auto first = out.find_first_not_of('0');
  return first == std::string::npos ? "0" : out.substr(first);
}

std::variant<std::string, Failure> assignment_text(const GroupRecordValue& group) {
  std::vector<std::string> parts;
  for (const auto& member : members_in_order(group)) {
    if (group.protocol_type != "consumer") {
      parts.push_back(fmt::format("{}={}", member.member_id, hex(member.assignment.raw)));
      continue;
    }
    protocol::ConsumerAssignment assignment;
    const auto bytes = base::as_bytes(member.assignment.raw);
    if (auto s = read_versioned(bytes, assignment, protocol::NewerVersions::as_the_newest); !s)
      return unreadable(s.error(), protocol::version_of(bytes), "assignment");
    std::vector<std::string> partitions;
    for (const auto& topic : assignment.assigned_partitions)
      for (const auto partition : topic.partitions) partitions.push_back(fmt::format("{}-{}", topic.topic, partition));
    const auto user_data = assignment.user_data ? hex(assignment.user_data->raw) : "";
    parts.push_back(fmt::format("{}=[{}]{}{}", member.member_id, fmt::join(partitions, ", "),
                                user_data.empty() ? "" : ":", user_data));
  }
  return fmt::format("{{{}}}", fmt::join(parts, ","));
}

std::string json_string(std::string_view text) {
  std::string out;
  protocol::append_json_string(out, text);
  return out;
}

std::variant<DumpedRecord, Failure> dump_offset(const OffsetRecordKey& key, const MaybeBytes& value) {
  DumpedRecord record{fmt::format("offset_commit::group={},partition={}-{}", key.group, key.topic, key.partition),
                      "<DELETE>"};
  if (!value) return record;
  auto read_value = read<OffsetRecordValue>(*value, kOffset);
  if (auto* failure = std::get_if<Failure>(&read_value)) return *failure;
  const auto& offset = std::get<OffsetRecordValue>(read_value);
  record.payload = fmt::format("offset={}", offset.offset);
  if (!offset.metadata.empty()) record.payload += ",metadata=" + offset.metadata;
  return record;
}

std::variant<DumpedRecord, Failure> dump_group(const GroupRecordKey& key, const MaybeBytes& value) {
  DumpedRecord record{fmt::format("group_metadata::group={}", key.group), "<DELETE>"};
  if (!value) return record;
  auto read_value = read<GroupRecordValue>(*value, kGroup);
  if (auto* failure = std::get_if<Failure>(&read_value)) return *failure;
  const auto& group = std::get<GroupRecordValue>(read_value);
  auto assignment = assignment_text(group);
  if (auto* failure = std::get_if<Failure>(&assignment)) return *failure;
  record.payload = fmt::format(R"({{"protocolType":{},"protocol":{},"generationId":{},"assignment":{}}})",
                               json_string(group.protocol_type), group.protocol ? json_string(*group.protocol) : "null",
                               group.generation, json_string(std::get<std::string>(assignment)));
  return record;
}

std::string_view status_name(const TxnRecordValue& txn) {
  return protocol::txn_status_name(txn.transaction_status).value_or("Unknown");
}

}  // namespace

std::variant<DumpedRecord, Failure> dump_group_record(const MaybeBytes& key, const MaybeBytes& value) {
  if (!key) return kafka_exception("Failed to decode message using offset topic decoder (message had a missing key)");
  auto about = protocol::read_group_topic_key(*key);
  if (!about) return unreadable(about.error(), protocol::version_of(*key), "message key");
  if (const auto* offset = std::get_if<OffsetRecordKey>(&*about)) return dump_offset(*offset, value);
  if (const auto* group = std::get_if<GroupRecordKey>(&*about)) return dump_group(*group, value);
  // Kafka 2.7 ends here; such records come from coordinators newer than it, and say nothing against the rest.
  return DumpedRecord{fmt::format("unknown::version={}", std::get<protocol::UnknownRecordKey>(*about).version),
                      value ? fmt::format("<{} bytes>", value->size()) : "<DELETE>"};
}

std::variant<DumpedRecord, Failure> dump_txn_record(const MaybeBytes& key, const MaybeBytes& value) {
  if (!key) return kafka_exception("Failed to decode message using offset topic decoder (message had a missing key)");
  auto read_key = read<TxnRecordKey>(*key, "transaction log message key");
  if (auto* failure = std::get_if<Failure>(&read_key)) return *failure;
  DumpedRecord record{
      fmt::format("transaction_metadata::transactionalId={}", std::get<TxnRecordKey>(read_key).transactional_id),
      "<DELETE>"};
  if (!value) return record;
  auto read_value = read<TxnRecordValue>(*value, kTxn);
  if (auto* failure = std::get_if<Failure>(&read_value)) return *failure;
  const auto& txn = std::get<TxnRecordValue>(read_value);
  record.payload =
      fmt::format("producerId:{},producerEpoch:{},state={},partitions=[{}],txnLastUpdateTimestamp={},txnTimeoutMs={}",
                  txn.producer_id, txn.producer_epoch, status_name(txn), fmt::join(partitions_in_order(txn), ","),
                  txn.transaction_last_update_timestamp_ms, txn.transaction_timeout_ms);
  return record;
}

// ------------------------------------------------------------------------------------------------ message formatters

namespace {

std::string some(std::string_view text) { return fmt::format("Some({})", text); }

std::string text_of(const OffsetRecordValue& value) {
  return fmt::format(
      "OffsetAndMetadata(offset={}, leaderEpoch={}, metadata={}, commitTimestamp={}, expireTimestamp={})", value.offset,
      value.leader_epoch < 0 ? "Optional.empty" : fmt::format("Optional[{}]", value.leader_epoch), value.metadata,
      value.commit_timestamp, value.expire_timestamp == -1 ? "None" : some(std::to_string(value.expire_timestamp)));
}

// A record that could name a static member and does not is shown as Some(null), an older one as None.
std::string instance_text(const GroupRecordMember& member, std::int16_t version) {
  return version < 3 ? "None" : some(member.group_instance_id.value_or("null"));
}

std::string text_of(const GroupRecordMember& member, const GroupRecordValue& group, std::int16_t version) {
  return fmt::format(
      "{0} -> MemberMetadata(memberId={0}, groupInstanceId={1}, clientId={2}, clientHost={3}, sessionTimeoutMs={4}, "
      "rebalanceTimeoutMs={5}, supportedProtocols=List({6}), )",
      member.member_id, instance_text(member, version), member.client_id, member.client_host, member.session_timeout,
      member.rebalance_or_session_timeout(), group.protocol.value_or("null"));
}

std::string text_of(const std::string& id, const GroupRecordValue& group, std::int16_t version) {
  std::vector<std::string> members;
  for (const auto& member : members_in_order(group)) members.push_back(text_of(member, group, version));
  return fmt::format("GroupMetadata(groupId={}, generation={}, protocolType={}, currentState={}, members=HashMap({}))",
                     id, group.generation, group.protocol_type.empty() ? "None" : some(group.protocol_type),
                     group.members.empty() ? "Empty" : "Stable", fmt::join(members, ", "));
}

std::string text_of(const std::string& id, const TxnRecordValue& txn, std::int16_t) {
  return fmt::format(
      "TransactionMetadata(transactionalId={}, producerId={}, producerEpoch={}, txnTimeoutMs={}, state={}, "
      "pendingState=None, topicPartitions=HashSet({}), txnStartTimestamp={}, txnLastUpdateTimestamp={})",
      id, txn.producer_id, txn.producer_epoch, txn.transaction_timeout_ms, status_name(txn),
      fmt::join(partitions_in_order(txn), ", "), txn.transaction_start_timestamp_ms,
      txn.transaction_last_update_timestamp_ms);
}

// The key when the record is of this kind.
template <class Key>
std::variant<std::optional<Key>, Failure> key_of(const MaybeBytes& key) {
  if (!key) return std::optional<Key>{};
  if constexpr (std::is_same_v<Key, TxnRecordKey>) {
    auto found = read<TxnRecordKey>(*key, "transaction log message key");
    if (auto* failure = std::get_if<Failure>(&found)) return *failure;
    return std::optional(std::get<TxnRecordKey>(std::move(found)));
  } else {
    auto about = protocol::read_group_topic_key(*key);
    if (!about) return unreadable(about.error(), protocol::version_of(*key), "message key");
    auto* found = std::get_if<Key>(&*about);
    return found ? std::optional(std::move(*found)) : std::nullopt;
  }
}

const std::string& id_of(const GroupRecordKey& key) { return key.group; }
const std::string& id_of(const TxnRecordKey& key) { return key.transactional_id; }

template <class Key, class Value>
FormattedRecord as_text(const MaybeBytes& key_bytes, const MaybeBytes& value_bytes, std::string_view known_as) {
  auto found = key_of<Key>(key_bytes);
  if (auto* failure = std::get_if<Failure>(&found)) return *failure;
  const auto& key = std::get<std::optional<Key>>(found);
  if (!key) return std::optional<std::string>{};
  std::string value_text = "NULL";
  if (value_bytes) {
    auto value = read<Value>(*value_bytes, known_as);
    if (auto* failure = std::get_if<Failure>(&value)) return *failure;
    if constexpr (std::is_same_v<Key, OffsetRecordKey>)
      value_text = text_of(std::get<Value>(value));
    else
      value_text = text_of(id_of(*key), std::get<Value>(value), *protocol::version_of(*value_bytes));
  }
  if constexpr (std::is_same_v<Key, OffsetRecordKey>)
    return std::optional(fmt::format("[{},{},{}]::{}\n", key->group, key->topic, key->partition, value_text));
  else
    return std::optional(fmt::format("{}::{}\n", id_of(*key), value_text));
}

template <class M>
std::string versioned_json(const M& m, std::int16_t version) {
  return fmt::format(R"({{"version":{},"data":{}}})", version, protocol::print_json(m, version));
}

template <class Key, class Value>
FormattedRecord as_json(const MaybeBytes& key_bytes, const MaybeBytes& value_bytes) {
  auto found = key_of<Key>(key_bytes);
  if (auto* failure = std::get_if<Failure>(&found)) return *failure;
  const auto& key = std::get<std::optional<Key>>(found);
  if (!key) return std::optional<std::string>{};
  std::string value_text = "null";
  if (value_bytes) {
    Value value;
    auto version = protocol::read_versioned(*value_bytes, value);
    // A version nobody knows is shown as such, and the tool goes on.
    if (!version && version.error().code == base::ErrorCode::unsupported_version)
      value_text = fmt::format(R"({{"version":{},"data":"unknown"}})", *protocol::version_of(*value_bytes));
    else if (!version)
      return unreadable(version.error(), std::nullopt, "");
    else
      value_text = versioned_json(value, *version);
  }
  return std::optional(
      fmt::format(R"({{"key":{},"value":{}}})", versioned_json(*key, *protocol::version_of(*key_bytes)), value_text));
}

}  // namespace

RecordFormatter find_record_formatter(std::string_view java_class) {
  struct Known {
    std::string_view name;
    RecordFormatter format;
  };
  static constexpr Known kKnown[] = {
      {"kafka.coordinator.group.GroupMetadataManager$OffsetsMessageFormatter",
       [](const MaybeBytes& k, const MaybeBytes& v) {
         return as_text<OffsetRecordKey, OffsetRecordValue>(k, v, kOffset);
       }},
      {"kafka.coordinator.group.GroupMetadataManager$GroupMetadataMessageFormatter",
       [](const MaybeBytes& k, const MaybeBytes& v) {
         return as_text<GroupRecordKey, GroupRecordValue>(k, v, kGroup);
       }},
      {"kafka.coordinator.transaction.TransactionLog$TransactionLogMessageFormatter",
       [](const MaybeBytes& k, const MaybeBytes& v) { return as_text<TxnRecordKey, TxnRecordValue>(k, v, kTxn); }},
      {"org.apache.kafka.tools.consumer.OffsetsMessageFormatter", as_json<OffsetRecordKey, OffsetRecordValue>},
      {"org.apache.kafka.tools.consumer.GroupMetadataMessageFormatter", as_json<GroupRecordKey, GroupRecordValue>},
      {"org.apache.kafka.tools.consumer.TransactionLogMessageFormatter", as_json<TxnRecordKey, TxnRecordValue>},
  };
  for (const auto& known : kKnown)
    if (known.name == java_class) return known.format;
  return nullptr;
}

}  // namespace tools
