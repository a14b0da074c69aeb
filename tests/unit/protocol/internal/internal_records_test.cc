// Keys and values of the internal topics, and consumers' blobs, against what Apache Kafka 3.9.1 wrote
// (tests/golden/internal/internal.golden: <name> <version> record <variant> <hex> <json>).
#include "protocol/internal/assignment.h"
#include "protocol/internal/group_records.h"
#include "protocol/internal/txn_records.h"
#include "tests/unit/protocol/message_checks.h"

using namespace protocol;
using namespace protocol::testing;

namespace {

std::string with_version(std::int16_t version, const std::string& bytes) {
  return {std::string{static_cast<char>(version >> 8), static_cast<char>(version)} + bytes};
}

// What Kafka wrote reads to the values Kafka shows, and is written to the same bytes.
template <class M>
void check_internal() {
  std::ifstream file(WEIR_TEST_DATA "/golden/internal/internal.golden");
  std::set<std::int16_t> seen;
  std::string line;
  while (std::getline(file, line)) {
    const std::vector<std::string> column = absl::StrSplit(line, absl::MaxSplits(' ', 5));
    REQUIRE(column.size() == 6);
    if (column[0] != M::api.name) continue;
    INFO(line.substr(0, 60));
    const auto version = static_cast<std::int16_t>(std::stoi(column[1]));
    const auto bytes = with_version(version, absl::HexStringToBytes(column[4]));
    M m;
    const auto read = read_versioned(base::as_bytes(bytes), m);
    REQUIRE(read.ok());
    CHECK(*read == version);
    CHECK(print_json(m, version) == column[5]);
    CHECK(base::as_text(write_versioned(version, m).bytes()) == bytes);
    seen.insert(version);
  }
  CHECK(seen.size() == static_cast<std::size_t>(M::api.versions.max - M::api.versions.min + 1));
  check_message<M>();
}

template <class Key>
GroupTopicKey group_key(std::int16_t version, const Key& key) {
  const auto bytes = write_versioned(version, key);
  return read_group_topic_key(bytes.bytes()).value();
}

}  // namespace

TEST_CASE("records of __consumer_offsets are read and written as Apache Kafka does, in every version") {
  check_internal<OffsetRecordKey>();
  check_internal<OffsetRecordValue>();
  check_internal<GroupRecordKey>();
  check_internal<GroupRecordValue>();
}

TEST_CASE("records of __transaction_state are read and written as Apache Kafka does, in every version") {
  check_internal<TxnRecordKey>();
  check_internal<TxnRecordValue>();
}

TEST_CASE("what consumers tell their group is read and written as Apache Kafka does, in every version") {
  check_internal<ConsumerSubscription>();
  check_internal<ConsumerAssignment>();
}

TEST_CASE("the version of its key tells what a record of __consumer_offsets is about") {
  const OffsetRecordKey offset{.group = "g", .topic = "t", .partition = 3};
  const GroupRecordKey group{.group = "g"};
  CHECK(group_key(0, offset) == GroupTopicKey{offset});
  CHECK(group_key(1, offset) == GroupTopicKey{offset});
  CHECK(group_key(2, group) == GroupTopicKey{group});
  const auto read = [](std::string_view bytes) { return read_group_topic_key(base::as_bytes(bytes)); };
  using namespace std::string_view_literals;
  CHECK(*read("\0\3whatever"sv) == GroupTopicKey{UnknownRecordKey{3}});
  CHECK(*read("\xff\xff"sv) == GroupTopicKey{UnknownRecordKey{-1}});
  CHECK(read(""sv).error().code == base::ErrorCode::corrupt_message);
  CHECK(read("\0"sv).error().code == base::ErrorCode::corrupt_message);
  CHECK(read("\0\1\0\2g"sv).error().detail == "OffsetCommitKey v1: cannot read group");
}

TEST_CASE("a record of a version nobody knows is refused; a newer blob of a consumer is read as far as known") {
  OffsetRecordValue value;
  const auto record = with_version(5, std::string(64, '\0'));
  CHECK(read_versioned(base::as_bytes(record), value).error().code == base::ErrorCode::unsupported_version);

  const ConsumerSubscription wanted{
      .topics = {"a", "b"}, .user_data = {}, .owned_partitions = {{"a", {1}}}, .generation_id = 7, .rack_id = "r1"};
  const auto newest = write_versioned(3, wanted);
  const auto newer = with_version(4, std::string(base::as_text(newest.bytes().subspan(2))) + "something new");
  ConsumerSubscription read;
  CHECK(*read_versioned(base::as_bytes(newer), read, NewerVersions::as_the_newest) == 4);
  CHECK(read == wanted);
  const auto negative = with_version(-1, "");
  CHECK_FALSE(read_versioned(base::as_bytes(negative), read, NewerVersions::as_the_newest).ok());
}

TEST_CASE("a member of an old group waits for a rebalance as long as for its session") {
  GroupRecordMember member;
  member.session_timeout = 10'000;
  CHECK(member.rebalance_or_session_timeout() == 10'000);
  member.rebalance_timeout = 5;
  CHECK(member.rebalance_or_session_timeout() == 5);
}

TEST_CASE("states of transactions have the names of Kafka's tools") {
  CHECK(txn_status_name(0) == "Empty");
  CHECK(txn_status_name(4) == "CompleteCommit");
  CHECK_FALSE(txn_status_name(8));
  CHECK_FALSE(txn_status_name(-1));
}

TEST_CASE("JSON escapes what JSON must") {
  CHECK(print_json(GroupRecordKey{.group = "a\"\\\n\x01z"}, 2) == "{\"group\":\"a\\\"\\\\\\n\\u0001z\"}");
}
