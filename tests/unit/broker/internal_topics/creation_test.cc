#include "broker/internal_topics/creation.h"

#include <catch2/catch.hpp>

#include "broker/handlers/find_coordinator.h"
#include "broker/internal_topics/names.h"
#include "protocol/internal/java_hash.h"
#include "protocol/messages/find_coordinator.h"
#include "tests/support/broker/lone_controller.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::ErrorCode;
using protocol::FindCoordinatorRequest;
using protocol::FindCoordinatorResponse;

namespace {

config::BrokerSettings settings_of(config::Texts given) {
  return config::BrokerSettings::from(std::move(given)).value();
}

std::string setting(const replication::NewTopic& topic, const std::string& name) {
  for (const auto& [key, value] : topic.config)
    if (key == name) return value.value_or("null");
  return "not set";
}

struct Bench : HandlerBench {
  LoneController lone;
  TopicCreation creation{{.settings = settings, .controller = lone.controller(), .others = *lone.others}};
  InternalTopics topics{settings, lone.metadata(), creation, clock};
  FindCoordinatorHandler handler{topics, lone.metadata()};

  FindCoordinatorResponse find(const std::string& key, std::int8_t type = 0, std::int16_t version = 3) {
    FindCoordinatorRequest request;
    request.key = key;
    request.key_type = type;
    request.coordinator_keys = {key, "another"};
    return ask<FindCoordinatorResponse>(handler, request, version);
  }
};

}  // namespace

TEST_CASE("internal topics are made as Kafka makes them") {
  const auto settings = settings_of({{"zookeeper.connect", "localhost:2181"}});
  const auto groups = internal_topic(kGroupsTopic, settings);
  CHECK(groups.partitions == 50);
  CHECK(groups.replication_factor == 3);
  CHECK(setting(groups, "cleanup.policy") == "compact");
  CHECK(setting(groups, "compression.type") == "producer");
  CHECK(setting(groups, "segment.bytes") == "104857600");
  const auto transactions = internal_topic(kTransactionsTopic, settings);
  CHECK(transactions.partitions == 50);
  CHECK(transactions.replication_factor == 3);
  CHECK(setting(transactions, "min.insync.replicas") == "2");
  CHECK(setting(transactions, "unclean.leader.election.enable") == "false");
  CHECK(setting(transactions, "compression.type") == "uncompressed");
}

TEST_CASE("a broker that is alone for ever needs no second replica, unless somebody asks for one") {
  const auto unset = settings_of({});
  REQUIRE(unset.embedded_metadata());
  CHECK(internal_topic(kGroupsTopic, unset).replication_factor == 1);
  CHECK(internal_topic(kTransactionsTopic, unset).replication_factor == 1);
  CHECK(setting(internal_topic(kTransactionsTopic, unset), "min.insync.replicas") == "1");
  const auto set = settings_of({{"offsets.topic.replication.factor", "3"},
                                {"transaction.state.log.replication.factor", "2"},
                                {"transaction.state.log.min.isr", "2"}});
  CHECK(internal_topic(kGroupsTopic, set).replication_factor == 3);
  CHECK(internal_topic(kTransactionsTopic, set).replication_factor == 2);
  CHECK(setting(internal_topic(kTransactionsTopic, set), "min.insync.replicas") == "2");
}

TEST_CASE("the first who looks for a coordinator has the topic made, and is answered when it is there") {
  Bench bench;
  const auto type = GENERATE(std::int8_t{0}, std::int8_t{1});
  const auto first = bench.find("g", type);
  CHECK(first.error_code == ErrorCode::coordinator_not_available);
  CHECK(first.error_message == "The coordinator is not available.");
  CHECK(first.node_id == base::kNoBroker);
  CHECK(first.port == -1);
  CHECK(broker::test::eventually([&] { return bench.find("g", type).error_code == ErrorCode::none; }));
  const auto found = bench.find("g", type);
  CHECK(found.error_message == "NONE");
  CHECK(found.node_id == kSelf);
  CHECK(found.host == "host");
  CHECK(found.port == 9092);
  const auto topic = bench.lone.metadata().snapshot()->find_topic(type == 0 ? kGroupsTopic : kTransactionsTopic);
  REQUIRE(topic);
  CHECK(topic->partitions.size() == 50);
  CHECK(bench.topics.partition_of(topic->name, "g") == protocol::internal_partition("g", 50));
}

TEST_CASE("several coordinators are looked for at once, each with an answer of its own") {
  Bench bench;
  bench.find("g");
  CHECK(broker::test::eventually([&] { return bench.find("g").error_code == ErrorCode::none; }));
  const auto found = bench.find("g", 0, 4);
  REQUIRE(found.coordinators.size() == 2);
  CHECK(found.coordinators[0].key == "g");
  CHECK(found.coordinators[1].key == "another");
  for (const auto& one : found.coordinators) {
    CHECK(one.error_code == ErrorCode::none);
    CHECK(one.error_message == "");
    CHECK(one.node_id == kSelf);
  }
}

TEST_CASE("a kind of coordinator that there is not") {
  Bench bench;
  CHECK(bench.find("g", 2, 3).error_code == ErrorCode::invalid_request);
  CHECK(bench.find("g", 9, 6).coordinators.at(0).error_code == ErrorCode::invalid_request);
  CHECK(bench.find("g", 2, 6).coordinators.at(0).error_code == ErrorCode::coordinator_not_available);
}

TEST_CASE("no coordinator where the leader is away, or has no address for this client") {
  Bench bench;
  bench.find("g");
  CHECK(broker::test::eventually([&] { return bench.find("g").error_code == ErrorCode::none; }));
  bench.session.listener = "ELSEWHERE";
  CHECK(bench.find("g").error_code == ErrorCode::coordinator_not_available);
  bench.session.listener = "PLAINTEXT";
  bench.lone.metadata().update([](replication::ClusterMetadata& cluster) { cluster.apply({}); });
  CHECK(bench.find("g").error_code == ErrorCode::coordinator_not_available);
}

TEST_CASE("a topic that needs more brokers than there are is not made, and asked for again and again") {
  Bench bench;
  config::DynamicSettings three{settings_of({{"offsets.topic.replication.factor", "3"}}),
                                [] { return std::string("localhost"); }};
  InternalTopics topics(three, bench.lone.metadata(), bench.creation, bench.clock);
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(topics.place(kGroupsTopic, "g"));
    bench.lone.member->create({{.name = fmt::format("behind-{}", i)}});  // the controller has said its word
  }
  CHECK_FALSE(bench.lone.metadata().snapshot()->find_topic(kGroupsTopic));
}
