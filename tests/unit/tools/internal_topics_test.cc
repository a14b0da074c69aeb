// Records of internal topics as Kafka's tools show them. Expected texts are what Apache Kafka 2.7.1 (and 3.9.1 for the
// JSON forms) printed for the same bytes.
#include <catch2/catch.hpp>

#include "base/bytes.h"
#include "protocol/internal/assignment.h"
#include "protocol/internal/group_records.h"
#include "protocol/internal/txn_records.h"
#include "tools/internal_topics/hash_order.h"
#include "tools/internal_topics/record_text.h"

using namespace tools;

namespace {

constexpr std::int64_t kTime = 1'600'000'000'000;

template <class M>
std::string bytes_of(const M& m, std::int16_t version = M::kWritten) {
  const auto bytes = protocol::write_versioned(version, m);
  return std::string(base::as_text(bytes.bytes()));
}

struct Bytes {
  std::string key;
  std::optional<std::string> value;
  MaybeBytes key_bytes() const { return base::as_bytes(key); }
  MaybeBytes value_bytes() const { return value ? MaybeBytes(base::as_bytes(*value)) : std::nullopt; }
};

std::string dumped(const Bytes& record, bool txn = false) {
  auto shown = (txn ? dump_txn_record : dump_group_record)(record.key_bytes(), record.value_bytes());
  if (auto* failure = std::get_if<Failure>(&shown)) return failure->text();
  return std::get<DumpedRecord>(shown).key + " | " + std::get<DumpedRecord>(shown).payload;
}

std::string formatted(std::string_view java_class, const Bytes& record) {
  auto format = find_record_formatter(java_class);
  REQUIRE(format);
  auto shown = format(record.key_bytes(), record.value_bytes());
  if (auto* failure = std::get_if<Failure>(&shown)) return failure->text();
  return std::get<std::optional<std::string>>(shown).value_or("(left out)");
}

constexpr auto kOffsets = "kafka.coordinator.group.GroupMetadataManager$OffsetsMessageFormatter";
constexpr auto kGroups = "kafka.coordinator.group.GroupMetadataManager$GroupMetadataMessageFormatter";
constexpr auto kTransactions = "kafka.coordinator.transaction.TransactionLog$TransactionLogMessageFormatter";

protocol::OffsetRecordValue offset(std::int64_t at, std::string metadata = "", std::int32_t epoch = -1) {
  return {.offset = at, .leader_epoch = epoch, .metadata = std::move(metadata), .commit_timestamp = kTime};
}

std::string assignment(std::vector<protocol::ConsumerPartitions> partitions,
                       std::optional<std::string> user_data = {}) {
  protocol::ConsumerAssignment given{.assigned_partitions = std::move(partitions), .user_data = {}};
  if (user_data) given.user_data = protocol::Bytes{*user_data};
  return bytes_of(given, 1);
}

protocol::GroupRecordValue group_of(std::size_t members) {
  protocol::GroupRecordValue group{.protocol_type = "consumer",
                                   .generation = 1,
                                   .protocol = "range",
                                   .leader = "x",
                                   .current_state_timestamp = kTime,
                                   .members = {}};
  for (std::size_t i = 0; i < members; ++i)
    group.members.push_back({.member_id = fmt::format("consumer-{}-abc", i),
                             .group_instance_id = i % 2 ? std::nullopt : std::optional<std::string>("inst"),
                             .client_id = "client",
                             .client_host = "/10.0.0.1",
                             .rebalance_timeout = 60'000,
                             .session_timeout = 10'000,
                             .subscription = {},
                             .assignment = {assignment({{"t1", {0, 1}}, {"t2", {0}}})}});
  return group;
}

const protocol::OffsetRecordKey kKey{.group = "g", .topic = "a-b", .partition = 3};
const protocol::GroupRecordKey kGroup{.group = "g"};
const protocol::TxnRecordKey kTxn{.transactional_id = "tx1"};

}  // namespace

TEST_CASE("hash codes are Java's, also outside of ASCII") {
  CHECK(java_hash("") == 0);
  CHECK(java_hash("consumer-4-abc") == java_hash(std::string("consumer-4-abc")));
  CHECK(java_hash("abc") == 96354);
  CHECK(java_hash("é") == 0xe9);
  CHECK(java_hash("😀") == 0xd83d * 31 + 0xde00);
  CHECK(java_hash("polygenelubricants") == std::numeric_limits<std::int32_t>::min());
  CHECK(java_hash("t", 3) == (31 + 3) * 31 + 't');
}

TEST_CASE("members and partitions come in the order of Scala's hash tables") {
  HashOrder members;
  for (int i = 0; i < 14; ++i) members.add(java_hash(fmt::format("consumer-{}-abc", i)));
  CHECK(members.order() == std::vector<std::size_t>{4, 11, 6, 1, 2, 13, 7, 9, 5, 3, 10, 0, 12, 8});
  HashOrder partitions;
  for (int topic = 0; topic < 7; ++topic) {
    partitions.expect(3);
    for (int p = 0; p < 3; ++p) partitions.add(java_hash(fmt::format("topic{}", topic), p));
  }
  const auto order = partitions.order();
  CHECK(std::vector<std::size_t>(order.begin(), order.begin() + 5) == std::vector<std::size_t>{4, 8, 0, 7, 11});
}

TEST_CASE("committed offsets are dumped by group and partition") {
  const auto key = bytes_of(kKey);
  CHECK(dumped({key, bytes_of(offset(5))}) == "offset_commit::group=g,partition=a-b-3 | offset=5");
  CHECK(dumped({key, bytes_of(offset(5, "m\"x"), 0)}) ==
        "offset_commit::group=g,partition=a-b-3 | offset=5,metadata=m\"x");
  CHECK(dumped({key, std::nullopt}) == "offset_commit::group=g,partition=a-b-3 | <DELETE>");
}

TEST_CASE("groups are dumped with what each member was given") {
  const auto key = bytes_of(kGroup);
  auto group = group_of(2);
  group.members[1].assignment.raw = assignment({{"t1", {2}}}, "\x0f\x02");
  CHECK(dumped({key, bytes_of(group)}) ==
        R"(group_metadata::group=g | {"protocolType":"consumer","protocol":"range","generationId":1,)"
        R"("assignment":"{consumer-0-abc=[t1-0, t1-1, t2-0],consumer-1-abc=[t1-2]:F02}"})");
  CHECK(dumped({key, bytes_of(protocol::GroupRecordValue{.protocol_type = "consumer",
                                                         .generation = 2,
                                                         .protocol = {},
                                                         .leader = {},
                                                         .current_state_timestamp = kTime,
                                                         .members = {}})}) ==
        R"(group_metadata::group=g | {"protocolType":"consumer","protocol":null,"generationId":2,"assignment":"{}"})");
  group.protocol_type = "connect";
  group.members.resize(1);
  group.members[0].assignment.raw = std::string("\0\xab\xcd", 3);
  CHECK(dumped({key, bytes_of(group)}) ==
        R"(group_metadata::group=g | {"protocolType":"connect","protocol":"range","generationId":1,)"
        R"("assignment":"{consumer-0-abc=ABCD}"})");
  CHECK(dumped({key, std::nullopt}) == "group_metadata::group=g | <DELETE>");
}

TEST_CASE("transactions are dumped with their partitions") {
  const auto key = bytes_of(kTxn);
  protocol::TxnRecordValue txn{.producer_id = 2,
                               .producer_epoch = 1,
                               .transaction_timeout_ms = 60'000,
                               .transaction_status = 1,
                               .transaction_partitions = {{{"txn", {0}}}},
                               .transaction_last_update_timestamp_ms = kTime,
                               .transaction_start_timestamp_ms = 7};
  CHECK(dumped({key, bytes_of(txn)}, true) ==
        "transaction_metadata::transactionalId=tx1 | producerId:2,producerEpoch:1,state=Ongoing,partitions=[txn-0],"
        "txnLastUpdateTimestamp=1600000000000,txnTimeoutMs=60000");
  CHECK(formatted(kTransactions, {key, bytes_of(txn)}) ==
        "tx1::TransactionMetadata(transactionalId=tx1, producerId=2, producerEpoch=1, txnTimeoutMs=60000, "
        "state=Ongoing, pendingState=None, topicPartitions=HashSet(txn-0), txnStartTimestamp=7, "
        "txnLastUpdateTimestamp=1600000000000)\n");
  txn.transaction_partitions.reset();
  txn.transaction_status = 0;
  CHECK(dumped({key, bytes_of(txn)}, true).find("state=Empty,partitions=[],") != std::string::npos);
  CHECK(formatted(kTransactions, {key, std::nullopt}) == "tx1::NULL\n");
}

TEST_CASE("what a tool cannot read is said in its words") {
  CHECK(std::get<Failure>(dump_group_record(std::nullopt, std::nullopt)).message ==
        "Failed to decode message using offset topic decoder (message had a missing key)");
  CHECK(dumped({bytes_of(kKey), std::string("\0\x09zzzz", 6)}) ==
        "org.apache.kafka.common.KafkaException: Unknown offset schema version 9");
  CHECK(dumped({bytes_of(kKey), bytes_of(offset(1)).substr(0, 9)}) ==
        "org.apache.kafka.common.protocol.types.SchemaException: OffsetCommitValue v3: cannot read offset");
  CHECK(dumped({std::string("\0\x03x", 3), "abc"}) == "unknown::version=3 | <3 bytes>");
  CHECK(dumped({"", "abc"}).find("SchemaException") != std::string::npos);
}

TEST_CASE("the formatters show their own kind of record and leave out the other") {
  const Bytes committed{bytes_of(kKey), bytes_of(offset(5, "m", 4))};
  CHECK(formatted(kOffsets, committed) ==
        "[g,a-b,3]::OffsetAndMetadata(offset=5, leaderEpoch=Optional[4], metadata=m, commitTimestamp=1600000000000, "
        "expireTimestamp=None)\n");
  auto expiring = offset(5);
  expiring.expire_timestamp = 9;
  CHECK(formatted(kOffsets, {bytes_of(kKey), bytes_of(expiring, 1)}) ==
        "[g,a-b,3]::OffsetAndMetadata(offset=5, leaderEpoch=Optional.empty, metadata=, commitTimestamp=1600000000000, "
        "expireTimestamp=Some(9))\n");
  CHECK(formatted(kOffsets, {bytes_of(kKey), std::nullopt}) == "[g,a-b,3]::NULL\n");
  CHECK(formatted(kGroups, committed) == "(left out)");
  const Bytes group{bytes_of(kGroup), bytes_of(group_of(2))};
  CHECK(formatted(kOffsets, group) == "(left out)");
  CHECK(formatted(kGroups, group) ==
        "g::GroupMetadata(groupId=g, generation=1, protocolType=Some(consumer), currentState=Stable, "
        "members=HashMap(consumer-0-abc -> MemberMetadata(memberId=consumer-0-abc, groupInstanceId=Some(inst), "
        "clientId=client, clientHost=/10.0.0.1, sessionTimeoutMs=10000, rebalanceTimeoutMs=60000, "
        "supportedProtocols=List(range), ), consumer-1-abc -> MemberMetadata(memberId=consumer-1-abc, "
        "groupInstanceId=Some(null), clientId=client, clientHost=/10.0.0.1, sessionTimeoutMs=10000, "
        "rebalanceTimeoutMs=60000, supportedProtocols=List(range), )))\n");
  CHECK(formatted("org.apache.kafka.tools.consumer.OffsetsMessageFormatter", committed) ==
        R"({"key":{"version":1,"data":{"group":"g","topic":"a-b","partition":3}},"value":{"version":3,"data":)"
        R"({"offset":5,"leaderEpoch":4,"metadata":"m","commitTimestamp":1600000000000}}})");
  CHECK(formatted("org.apache.kafka.tools.consumer.GroupMetadataMessageFormatter", {bytes_of(kGroup), std::nullopt}) ==
        R"({"key":{"version":2,"data":{"group":"g"}},"value":null})");
  CHECK_FALSE(find_record_formatter("kafka.tools.DefaultMessageFormatter"));
}
