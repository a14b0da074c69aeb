#include "broker/handlers/reassignments.h"

#include <catch2/catch.hpp>

#include "broker/handlers/topics.h"
#include "protocol/messages/alter_partition_reassignments.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/elect_leaders.h"
#include "protocol/messages/list_partition_reassignments.h"
#include "tests/support/broker/lone_controller.h"

using namespace broker;
using namespace broker::test;
using base::BrokerId;
using base::ErrorCode;
using protocol::AlterPartitionReassignmentsRequest;
using protocol::AlterPartitionReassignmentsResponse;
using protocol::ElectLeadersRequest;
using protocol::ElectLeadersResponse;
using protocol::ListPartitionReassignmentsRequest;
using protocol::ListPartitionReassignmentsResponse;

namespace {

using Replicas = std::optional<std::vector<BrokerId>>;

struct Bench : HandlerBench {
  Bench() {
    protocol::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    topic.num_partitions = 2;
    topic.replication_factor = 1;
    const auto made = ask<protocol::CreateTopicsResponse>(create, request, 7);
    REQUIRE(made.topics.at(0).error_code == ErrorCode::none);
  }
  AlterPartitionReassignmentsResponse move(const std::string& topic, int partition, Replicas to) {
    AlterPartitionReassignmentsRequest request;
    auto& asked = request.topics.emplace_back();
    asked.name = topic;
    asked.partitions.push_back({partition, std::move(to)});
    return ask<AlterPartitionReassignmentsResponse>(alter, request, 0);
  }
  ElectLeadersResponse elections(std::optional<std::vector<ElectLeadersRequest::TopicPartition>> partitions,
                                 std::int8_t type = 0, std::int16_t version = 2) {
    ElectLeadersRequest request;
    request.election_type = type;
    request.topic_partitions = std::move(partitions);
    return ask<ElectLeadersResponse>(elect, request, version);
  }

  LoneController lone;
  CreateTopicsHandler create{settings, lone.controller()};
  ElectLeadersHandler elect{lone.controller()};
  AlterPartitionReassignmentsHandler alter{lone.controller()};
  ListPartitionReassignmentsHandler list{lone.controller()};
};

}  // namespace

TEST_CASE("elections nobody needs, and those of partitions nobody knows, are refused one by one") {
  Bench bench;
  for (const std::int8_t type : {0, 1}) {
    const auto out = bench.elections({{{"t", {1, 7}}, {"u", {0}}}}, type);
    CHECK(out.error_code == ErrorCode::none);
    REQUIRE(out.replica_election_results.size() == 2);
    const auto& known = out.replica_election_results[0];
    CHECK(known.topic == "t");
    CHECK(known.partition_result.at(0).error_code == ErrorCode::election_not_needed);
    CHECK(known.partition_result.at(0).error_message == "Leader election not needed for topic partition.");
    CHECK(known.partition_result.at(1).error_code == ErrorCode::unknown_topic_or_partition);
    CHECK(known.partition_result.at(1).error_message == "The partition does not exist.");
    CHECK(out.replica_election_results[1].topic == "u");
  }
  CHECK(bench.elections(std::nullopt).replica_election_results.empty());
  const auto odd = bench.elections({{{"t", {0}}}}, 2);
  CHECK(odd.error_code == ErrorCode::unknown_server_error);
  CHECK(odd.replica_election_results.at(0).partition_result.at(0).error_code == ErrorCode::unknown_server_error);
  CHECK(bench.elections({{{"t", {0}}}}, 0, 0).replica_election_results.at(0).partition_result.at(0).error_code ==
        ErrorCode::election_not_needed);
}

TEST_CASE("reassignments that cannot be are refused in Kafka's words") {
  Bench bench;
  struct Case {
    std::string topic;
    int partition;
    Replicas replicas;
    ErrorCode code;
    std::optional<std::string> text;
  };
  const std::vector<Case> cases = {
      {"t", 0, std::nullopt, ErrorCode::no_reassignment_in_progress, "No partition reassignment is in progress."},
      {"u", 0, std::nullopt, ErrorCode::no_reassignment_in_progress, "No partition reassignment is in progress."},
      {"t",
       0,
       {{BrokerId{9}}},
       ErrorCode::invalid_replica_assignment,
       "Replica assignment has brokers that are not alive. Replica list: ArrayBuffer(9), live broker list: Set(" +
           std::to_string(test_support::kSelf.raw) + ")"},
      {"t",
       0,
       {std::vector<BrokerId>{}},
       ErrorCode::invalid_replica_assignment,
       "Empty replica list specified in partition reassignment."},
      {"t",
       0,
       {{BrokerId{0}, BrokerId{0}}},
       ErrorCode::invalid_replica_assignment,
       "Duplicate replica ids in partition reassignment replica list: ArrayBuffer(0, 0)"},
      {"t",
       0,
       {{BrokerId{-1}}},
       ErrorCode::invalid_replica_assignment,
       "Invalid broker id in replica list: ArrayBuffer(-1)"},
      {"t", 7, {{test_support::kSelf}}, ErrorCode::unknown_topic_or_partition, "The partition does not exist."},
      {"t", 0, {{test_support::kSelf}}, ErrorCode::none, std::nullopt}};
  for (const auto& one : cases) {
    const auto out = bench.move(one.topic, one.partition, one.replicas);
    CHECK(out.error_code == ErrorCode::none);
    CHECK(out.error_message == "");
    CHECK(out.responses.at(0).name == one.topic);
    const auto& result = out.responses.at(0).partitions.at(0);
    CHECK(result.partition_index == one.partition);
    CHECK(result.error_code == one.code);
    CHECK(result.error_message == one.text);
  }
  const auto moving = bench.ask<ListPartitionReassignmentsResponse>(bench.list, ListPartitionReassignmentsRequest{}, 0);
  CHECK(moving.error_code == ErrorCode::none);
  CHECK(moving.topics.empty());
}

TEST_CASE("a broker that is not the controller says so of elections and reassignments") {
  Bench bench;
  bench.lone.controller().stop();
  const auto elected = bench.elections({{{"t", {0}}}});
  CHECK(elected.error_code == ErrorCode::none);
  CHECK(elected.replica_election_results.at(0).partition_result.at(0).error_code == ErrorCode::not_controller);
  CHECK(bench.elections(std::nullopt).error_code == ErrorCode::not_controller);
  CHECK(bench.move("t", 0, std::nullopt).error_code == ErrorCode::not_controller);
  const auto moving = bench.ask<ListPartitionReassignmentsResponse>(bench.list, ListPartitionReassignmentsRequest{}, 0);
  CHECK(moving.error_code == ErrorCode::not_controller);
}
