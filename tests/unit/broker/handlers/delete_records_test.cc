#include "broker/handlers/delete_records.h"

#include <catch2/catch.hpp>

#include "protocol/messages/delete_records.h"
#include "tests/support/broker/handler_bench.h"

using namespace broker;
using namespace broker::test;
using base::ErrorCode;
using base::Offset;
using protocol::DeleteRecordsRequest;
using protocol::DeleteRecordsResponse;
using PartitionAnswer = DeleteRecordsResponse::Topic::Partition;

namespace {

struct Bench : HandlerBench {
  PartitionAnswer delete_up_to(std::int64_t offset, const std::string& topic = "orders", std::int32_t partition = 0,
                               std::int16_t version = 2) {
    DeleteRecordsRequest in;
    in.timeout_ms = 1000;
    in.topics.push_back({topic, {{partition, Offset{offset}}}});
    const DeleteRecordsHandler handler(metadata, table, *logs, pool);
    return ask<DeleteRecordsResponse>(handler, in, version).topics.at(0).partitions.at(0);
  }
};

void produce(replication::Partition& partition, int count) {
  for (int i = 0; i < count; ++i) REQUIRE(test_support::append(partition, {.values = {"v"}}).ok());
}

}  // namespace

TEST_CASE("records are deleted up to an offset, in every version, and the checkpoint knows before the answer leaves") {
  for (std::int16_t version = 0; version <= 2; ++version) {
    Bench bench;
    auto partition = bench.announce({});
    produce(*partition, 10);
    const auto answer = bench.delete_up_to(4, "orders", 0, version);
    CHECK(answer.error_code == ErrorCode::none);
    CHECK(answer.low_watermark == Offset{4});
    CHECK(partition->log_start_offset() == Offset{4});
    CHECK(partition->read({.from = Offset{3}}).error().code == ErrorCode::offset_out_of_range);
    CHECK(base::read_file(bench.files, bench.root.file("data0") + "/log-start-offset-checkpoint").value() ==
          "0\n1\norders 0 4\n");
  }
}

TEST_CASE(
    "offset -1 deletes all that is committed, below the log start nothing happens, above the high watermark is "
    "refused") {
  Bench bench;
  auto partition = bench.announce({});
  produce(*partition, 10);
  CHECK(bench.delete_up_to(6).low_watermark == Offset{6});
  CHECK(bench.delete_up_to(3).low_watermark == Offset{6});
  CHECK(bench.delete_up_to(3).error_code == ErrorCode::none);
  CHECK(bench.delete_up_to(11).error_code == ErrorCode::offset_out_of_range);
  CHECK(bench.delete_up_to(11).low_watermark == Offset{-1});
  CHECK(bench.delete_up_to(-2).error_code == ErrorCode::offset_out_of_range);
  CHECK(bench.delete_up_to(-1).low_watermark == Offset{10});
  CHECK(partition->log_start_offset() == Offset{10});
  produce(*partition, 1);
  CHECK(partition->read({.from = Offset{10}, .limits = {.max_bytes = 1000}}).value().slice.first_offset == Offset{10});
}

TEST_CASE("what is unknown, internal, led elsewhere or only compacted is refused as Kafka does") {
  Bench bench;
  bench.overrides["compacted"] = {{"cleanup.policy", "compact"}};
  bench.overrides["both"] = {{"cleanup.policy", "compact,delete"}};
  produce(*bench.announce({}), 1);
  produce(*bench.announce({.topic = "compacted"}), 1);
  produce(*bench.announce({.topic = "both"}), 1);
  bench.announce({.topic = "__consumer_offsets"});
  bench.tell_metadata({.topic = "elsewhere", .leader = test_support::kOther, .replicas = {test_support::kOther}});
  CHECK(bench.delete_up_to(1, "nosuch").error_code == ErrorCode::unknown_topic_or_partition);
  CHECK(bench.delete_up_to(1, "orders", 1).error_code == ErrorCode::unknown_topic_or_partition);
  CHECK(bench.delete_up_to(0, "__consumer_offsets").error_code == ErrorCode::invalid_topic_exception);
  CHECK(bench.delete_up_to(1, "elsewhere").error_code == ErrorCode::not_leader_or_follower);
  CHECK(bench.delete_up_to(1, "compacted").error_code == ErrorCode::policy_violation);
  CHECK(bench.delete_up_to(1, "both").low_watermark == Offset{1});
}
