#include "broker/handlers/metadata.h"

#include <catch2/catch.hpp>

#include <limits>

#include "broker/handlers/cluster.h"
#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/metadata.h"
#include "tests/support/broker/lone_controller.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::ErrorCode;
using base::LeaderEpoch;
using protocol::MetadataRequest;
using protocol::MetadataResponse;

namespace {

constexpr std::int16_t kLatest = 12;

struct Bench : HandlerBench {
  LoneController lone;
  TopicCreation creation{{.settings = settings, .controller = lone.controller(), .others = *lone.others}};
  InternalTopics internal_topics{settings, metadata, creation, clock};
  MetadataHandler handler{{"cluster-1", kSelf}, settings, metadata, table, internal_topics, creation};

  MetadataResponse about(const std::vector<std::string>& names, std::int16_t version = kLatest, bool create = false) {
    MetadataRequest request;
    request.topics.emplace();
    for (const auto& name : names) request.topics->emplace_back().name = name;
    request.allow_auto_topic_creation = create;
    return ask<MetadataResponse>(handler, request, version);
  }
};

}  // namespace

TEST_CASE("brokers and topics are told as the client's listener sees them") {
  Bench bench;
  bench.brokers.push_back(
      {.id = kOther,
       .endpoints = {{.listener = "INTERNAL", .security_protocol = "PLAINTEXT", .host = "i", .port = 1}}});
  bench.tell_metadata({.leader_epoch = LeaderEpoch{4}, .replicas = {kSelf, kOther}, .isr = {kSelf}});
  bench.tell_metadata({.partition = 1, .leader = kOther, .replicas = {kOther}});
  const auto answer = bench.about({"orders"});
  REQUIRE(answer.brokers.size() == 1);
  CHECK(answer.brokers[0].node_id == kSelf);
  CHECK(answer.brokers[0].host == "host1");
  CHECK(answer.cluster_id == "cluster-1");
  REQUIRE(answer.topics.size() == 1);
  const auto& partitions = answer.topics[0].partitions;
  REQUIRE(partitions.size() == 2);
  CHECK(partitions[0].error_code == ErrorCode::none);
  CHECK(partitions[0].leader_id == kSelf);
  CHECK(partitions[0].leader_epoch == LeaderEpoch{4});
  CHECK(partitions[0].isr_nodes == std::vector<base::BrokerId>{kSelf});
  CHECK(partitions[1].error_code == ErrorCode::listener_not_found);
  CHECK(partitions[1].leader_id == base::kNoBroker);
  CHECK(bench.about({"orders"}, 5).topics[0].partitions[1].error_code == ErrorCode::leader_not_available);
}

TEST_CASE("a leader that is gone is told as none, its replica as offline, to the first clients not at all") {
  Bench bench;
  bench.tell_metadata({.leader = kOther, .replicas = {kSelf, kOther}});
  const auto partition = bench.about({"orders"}).topics[0].partitions.at(0);
  CHECK(partition.error_code == ErrorCode::leader_not_available);
  CHECK(partition.leader_id == base::kNoBroker);
  CHECK(partition.offline_replicas == std::vector<base::BrokerId>{kOther});
  CHECK(partition.replica_nodes.size() == 2);

  bench.tell_metadata({.leader_epoch = LeaderEpoch{1}, .replicas = {kSelf, kOther}});
  const auto first = bench.about({"orders"}, 0).topics[0].partitions.at(0);
  CHECK(first.error_code == ErrorCode::replica_not_available);
  CHECK(first.replica_nodes == std::vector<base::BrokerId>{kSelf});
}

TEST_CASE("no list means all topics, an empty one none, but all in version 0") {
  Bench bench;
  bench.tell_metadata({});
  bench.tell_metadata({.topic = "__consumer_offsets"});
  MetadataRequest all;
  const auto everything = bench.ask<MetadataResponse>(bench.handler, all, kLatest);
  REQUIRE(everything.topics.size() == 2);
  CHECK(everything.topics[0].name == "__consumer_offsets");
  CHECK(everything.topics[0].is_internal);
  CHECK(bench.about({}, 1).topics.empty());
  CHECK(bench.about({}, 0).topics.size() == 2);
}

TEST_CASE("a name given twice is answered once, and ids work from version 12 on") {
  Bench bench;
  bench.tell_metadata({.topic_id = base::Uuid{{5}}});
  CHECK(bench.about({"orders", "orders"}).topics.size() == 1);
  MetadataRequest request;
  request.topics.emplace();
  for (const unsigned char id : {5, 6}) request.topics->emplace_back().topic_id = base::Uuid{{id}};
  const auto topics = bench.ask<MetadataResponse>(bench.handler, request, 12).topics;
  REQUIRE(topics.size() == 2);
  CHECK(topics[0].name == "orders");
  CHECK(topics[1].error_code == ErrorCode::unknown_topic_id);
  CHECK_FALSE(topics[1].name);
}

TEST_CASE("a topic nobody knows is created when the client and the broker both allow it") {
  Bench bench;
  CHECK(bench.about({"new"}).topics[0].error_code == ErrorCode::unknown_topic_or_partition);
  CHECK_FALSE(bench.lone.metadata().snapshot()->find_topic("new"));
  CHECK(bench.about({"new", "new"}, kLatest, true).topics.size() == 1);
  CHECK(bench.about({"newer"}, kLatest, true).topics[0].error_code == ErrorCode::leader_not_available);
  CHECK(broker::test::eventually([&] { return bench.lone.metadata().snapshot()->find_topic("newer") != nullptr; }));
  CHECK(bench.about({"older"}, 3).topics[0].error_code == ErrorCode::leader_not_available);  // always allowed then
  CHECK(bench.about({"a/b"}, kLatest, true).topics[0].error_code == ErrorCode::invalid_topic_exception);
  CHECK(bench.about({"a/b"}).topics[0].error_code == ErrorCode::unknown_topic_or_partition);
  CHECK(bench.about({"__consumer_offsets"}, kLatest, true).topics[0].error_code == ErrorCode::leader_not_available);
  // As many copies as were asked for there are not.
  const config::DynamicSettings three_copies{
      config::BrokerSettings::from({{"transaction.state.log.replication.factor", "3"}}).value(),
      [] { return std::string("localhost"); }};
  InternalTopics wants_three{three_copies, bench.metadata, bench.creation, bench.clock};
  const MetadataHandler refused{{"cluster-1", kSelf}, bench.settings, bench.metadata,
                                bench.table,          wants_three,    bench.creation};
  MetadataRequest request;
  request.topics.emplace().emplace_back().name = "__transaction_state";
  CHECK(bench.ask<MetadataResponse>(refused, request, kLatest).topics[0].error_code ==
        ErrorCode::invalid_replication_factor);
}

TEST_CASE("what a client may do is told only when it asks") {
  Bench bench;
  bench.tell_metadata({});
  CHECK(bench.about({"orders"}, 8).topics[0].topic_authorized_operations == std::numeric_limits<std::int32_t>::min());
  MetadataRequest request;
  request.include_cluster_authorized_operations = true;
  request.include_topic_authorized_operations = true;
  const auto answer = bench.ask<MetadataResponse>(bench.handler, request, 8);
  CHECK(answer.cluster_authorized_operations == 8096);
  CHECK(answer.topics[0].topic_authorized_operations == 3576);
}

TEST_CASE("the cluster is described to those who ask a broker, not to those who look for another kind of controller") {
  Bench bench;
  bench.tell_metadata({});
  DescribeClusterHandler handler("cluster-1", bench.metadata);
  protocol::DescribeClusterRequest request;
  const auto answer = bench.ask<protocol::DescribeClusterResponse>(handler, request, 1);
  CHECK(answer.cluster_id == "cluster-1");
  CHECK(answer.brokers.size() == 1);
  request.endpoint_type = 2;
  CHECK(bench.ask<protocol::DescribeClusterResponse>(handler, request, 1).error_code ==
        ErrorCode::mismatched_endpoint_type);
}
