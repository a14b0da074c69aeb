#include "broker/peers/topic_creation.h"

#include <catch2/catch.hpp>

#include "broker/internal_topics/creation.h"
#include "broker/internal_topics/names.h"
#include "protocol/messages/create_topics.h"
#include "tests/support/broker/transaction_bench.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::ErrorCode;
using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using replication::TopicResult;

namespace {

// A broker that is not the controller; kOther is, as everybody knows.
struct Bench : TransactionBench {
  Bench() {
    brokers = {broker(kSelf), broker(kOther)};
    controller_is(kOther);
  }
  void controller_is(base::BrokerId id) {
    metadata.update([&](replication::ClusterMetadata& cluster) {
      cluster.apply({.from = {.controller = id}, .brokers = brokers});
    });
  }
  void controller_says(ErrorCode code) {
    peers.serve<CreateTopicsRequest, CreateTopicsResponse>(
        kOther, [this, code](const CreateTopicsRequest& request, std::int16_t) {
          asked.push_back(request);
          CreateTopicsResponse out;
          for (const auto& topic : request.topics) {
            auto& to = out.topics.emplace_back();
            to.name = topic.name;
            to.error_code = code;
          }
          return out;
        });
  }
  std::shared_ptr<Later<std::vector<TopicResult>>> begin(std::vector<replication::NewTopic> wanted) {
    auto later = std::make_shared<Later<std::vector<TopicResult>>>();
    creation_here.create(std::move(wanted), [later](const auto& results) { later->set(results); });
    return later;
  }
  std::vector<CreateTopicsRequest> requests() {
    std::vector<CreateTopicsRequest> now;
    on_coordinators([&] { now = asked; });
    return now;
  }

  std::vector<CreateTopicsRequest> asked;  // on the coordinators' loop
  replication::Controller idle{{.broker = kSelf}, lone.embedded, lone.loop, clock, random, metadata, {}};
  TopicCreation creation_here{{.settings = settings, .controller = idle, .others = others}};
};

}  // namespace

TEST_CASE("a topic that is missing is made by the controller of another broker, with the numbers of this one") {
  Bench bench;
  bench.controller_says(ErrorCode::request_timed_out);
  const auto results = bench.begin({{.name = "a"}, {.name = "b", .partitions = 7, .config = {{"k", "v"}}}})->get();
  REQUIRE(results.size() == 2);
  CHECK(results[0].name == "a");
  CHECK(results[0].code == ErrorCode::request_timed_out);
  const auto asked = bench.requests();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].timeout_ms == 0);
  CHECK_FALSE(asked[0].validate_only);
  REQUIRE(asked[0].topics.size() == 2);
  CHECK(asked[0].topics[0].num_partitions == 1);
  CHECK(asked[0].topics[0].replication_factor == 1);
  CHECK(asked[0].topics[1].num_partitions == 7);
  REQUIRE(asked[0].topics[1].configs.size() == 1);
  CHECK(asked[0].topics[1].configs[0].value == "v");
}

TEST_CASE("what the controller has against a topic is told") {
  Bench bench;
  bench.controller_says(ErrorCode::invalid_topic_exception);
  CHECK(bench.begin({{.name = "?"}})->get().at(0).code == ErrorCode::invalid_topic_exception);
}

TEST_CASE("a controller that is unknown or does not answer makes no topic, and is asked again the next time") {
  Bench bench;
  CHECK(bench.begin({{.name = "a"}})->get().at(0).code == ErrorCode::not_controller);
  bench.controller_is(base::kNoBroker);
  CHECK(bench.begin({{.name = "a"}})->get().at(0).code == ErrorCode::not_controller);
  bench.controller_is(kOther);
  bench.controller_says(ErrorCode::none);
  CHECK(bench.begin({{.name = "a"}})->get().at(0).code == ErrorCode::none);
}

TEST_CASE("a topic many clients wait for is asked for once") {
  Bench bench;
  std::vector<ErrorCode> meanwhile;
  bench.peers.serve<CreateTopicsRequest, CreateTopicsResponse>(kOther, [&](const CreateTopicsRequest& request,
                                                                           std::int16_t) {
    bench.asked.push_back(request);
    bench.creation_here.create({{.name = "a"}}, [&](const auto& results) { meanwhile.push_back(results.at(0).code); });
    return CreateTopicsResponse{};
  });
  CHECK(bench.begin({{.name = "a"}})->get().size() == 1);
  CHECK(bench.requests().size() == 1);
  CHECK(meanwhile == std::vector<ErrorCode>{ErrorCode::not_controller});
}

TEST_CASE("an internal topic is made through the controller of another broker when a client looks for it") {
  Bench bench;
  bench.controller_says(ErrorCode::none);
  InternalTopics topics{bench.settings, bench.metadata, bench.creation_here, bench.clock};
  CHECK_FALSE(topics.place(kGroupsTopic, "g"));
  REQUIRE(broker::test::eventually([&] { return bench.requests().size() == 1; }));
  const auto wanted = bench.requests()[0].topics.at(0);
  CHECK(wanted.name == kGroupsTopic);
  CHECK(wanted.num_partitions == 50);
  CHECK(wanted.replication_factor == 1);  // metadata that a broker keeps itself
}
