#include "broker/handlers/topics.h"

#include <catch2/catch.hpp>

#include "protocol/messages/create_partitions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_topics.h"
#include "tests/support/broker/lone_controller.h"

using namespace broker;
using namespace broker::test;
using base::ErrorCode;
using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::DeleteTopicsRequest;
using protocol::DeleteTopicsResponse;

namespace {

struct Bench : HandlerBench {
  LoneController lone;
  CreateTopicsHandler create{settings, lone.controller()};
  DeleteTopicsHandler remove{lone.controller()};
  CreatePartitionsHandler grow{lone.controller()};

  std::vector<CreateTopicsResponse::Topic> created(const std::vector<std::string>& names, std::int16_t version = 7) {
    CreateTopicsRequest request;
    for (const auto& name : names) {
      auto& topic = request.topics.emplace_back();
      topic.name = name;
      topic.num_partitions = 2;
      topic.replication_factor = 1;
    }
    return ask<CreateTopicsResponse>(create, request, version).topics;
  }
};

}  // namespace

TEST_CASE("a new topic is answered with its id, its counts and its settings, in the versions that carry them") {
  Bench bench;
  const auto made = bench.created({"t"}).at(0);
  CHECK(made.error_code == ErrorCode::none);
  CHECK_FALSE(made.error_message);
  CHECK_FALSE(made.topic_id.is_zero());
  CHECK(made.num_partitions == 2);
  CHECK(made.replication_factor == 1);
  REQUIRE(made.configs);
  CHECK(made.configs->size() > 25);
  CHECK(bench.lone.metadata().snapshot()->find_topic("t")->partitions.size() == 2);
  CHECK(bench.created({"u"}, 4).at(0).error_code == ErrorCode::none);
}

TEST_CASE("what could not be created has no counts and no settings") {
  Bench bench;
  bench.created({"t"});
  const auto refused = bench.created({"t", "a/b"});
  CHECK(refused.at(0).error_code == ErrorCode::topic_already_exists);
  CHECK(refused.at(0).error_message == "Topic 't' already exists.");
  CHECK(refused.at(1).error_code == ErrorCode::invalid_topic_exception);
  for (const auto& topic : refused) {
    CHECK(topic.num_partitions == -1);
    CHECK(topic.replication_factor == -1);
    CHECK(topic.configs->empty());
  }
}

TEST_CASE("a topic named twice in a request is refused each time, the others are made") {
  Bench bench;
  const auto answers = bench.created({"twice", "once", "twice"});
  REQUIRE(answers.size() == 3);
  for (const auto i : {0, 2}) {
    CHECK(answers[static_cast<std::size_t>(i)].error_code == ErrorCode::invalid_request);
    CHECK(answers[static_cast<std::size_t>(i)].error_message == "Found multiple entries for this topic.");
  }
  CHECK(answers[1].error_code == ErrorCode::none);
  CHECK_FALSE(bench.lone.metadata().snapshot()->find_topic("twice"));
}

TEST_CASE("topics are deleted by name and by id, unknown ones are told as they were asked for") {
  Bench bench;
  const auto made = bench.created({"a", "b"});
  DeleteTopicsRequest by_name;
  by_name.topic_names = {"a", "never"};
  const auto first = bench.ask<DeleteTopicsResponse>(bench.remove, by_name, 3).responses;
  CHECK(first.at(0).error_code == ErrorCode::none);
  CHECK(first.at(1).error_code == ErrorCode::unknown_topic_or_partition);
  CHECK(first.at(1).name == "never");
  DeleteTopicsRequest by_id;
  by_id.topics.emplace_back().topic_id = made[1].topic_id;
  by_id.topics.emplace_back().topic_id = base::Uuid{{9}};
  const auto second = bench.ask<DeleteTopicsResponse>(bench.remove, by_id, 6).responses;
  CHECK(second.at(0).error_code == ErrorCode::none);
  CHECK(second.at(0).topic_id == made[1].topic_id);
  CHECK(second.at(1).error_code == ErrorCode::unknown_topic_id);
  CHECK(second.at(1).topic_id == base::Uuid{{9}});
  CHECK_FALSE(second.at(1).name);
}

TEST_CASE("a topic grows, and never shrinks") {
  Bench bench;
  bench.created({"t"});
  const auto grown = [&](int count) {
    protocol::CreatePartitionsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    topic.count = count;
    request.timeout_ms = 10'000;
    return bench.ask<protocol::CreatePartitionsResponse>(bench.grow, request, 3).results.at(0);
  };
  CHECK(grown(3).error_code == ErrorCode::none);
  CHECK(bench.lone.metadata().snapshot()->find_topic("t")->partitions.size() == 3);
  CHECK(grown(3).error_message == "Topic already has 3 partitions.");
  CHECK(grown(1).error_code == ErrorCode::invalid_partitions);
}
