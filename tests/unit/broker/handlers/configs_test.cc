#include "broker/handlers/configs.h"

#include <catch2/catch.hpp>

#include "tests/support/broker/handler_bench.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::ErrorCode;
using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using Result = DescribeConfigsResponse::Result;

namespace {

constexpr std::int8_t kTopic = 2;
constexpr std::int8_t kBroker = 4;
constexpr std::int8_t kLogger = 8;

struct Bench : HandlerBench {
  DescribeConfigsHandler handler{kSelf, settings, metadata};
};

struct Asked {
  std::int8_t type = kTopic;
  std::string name = "orders";
  std::optional<std::vector<std::string>> keys = std::nullopt;
  bool synonyms = false;
  bool documentation = false;
};

Result ask(Bench& bench, const Asked& asked, std::int16_t version = 4) {
  DescribeConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = asked.type;
  resource.resource_name = asked.name;
  resource.configuration_keys = asked.keys;
  request.include_synonyms = asked.synonyms;
  request.include_documentation = asked.documentation;
  return bench.ask<DescribeConfigsResponse>(bench.handler, request, version).results.at(0);
}

std::vector<std::string> names(const Result& result) {
  std::vector<std::string> out;
  for (const auto& one : result.configs) out.push_back(one.name);
  return out;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a topic's settings are shown with where they come from") {
  Bench bench;
  bench.overrides["orders"] = {{"retention.ms", "5000"}};
  bench.announce({});
  const auto all = ask(bench, {});
  CHECK(all.error_code == ErrorCode::none);
  CHECK(all.error_message == "");
  CHECK(all.configs.size() > 25);
  const auto one = ask(bench, {.keys = Names{"retention.ms", "no.such.key"}, .synonyms = true, .documentation = true});
  REQUIRE(names(one) == Names{"retention.ms"});
  CHECK(one.configs[0].value == "5000");
  CHECK(one.configs[0].config_source == 1);
  CHECK_FALSE(one.configs[0].synonyms.empty());
  CHECK(one.configs[0].documentation);
  const auto bare = ask(bench, {.keys = Names{"retention.ms"}});
  CHECK(bare.configs[0].synonyms.empty());
  CHECK_FALSE(bare.configs[0].documentation);
}

TEST_CASE("no keys and an empty list of keys both mean all") {
  Bench bench;
  bench.announce({});
  CHECK(ask(bench, {.keys = Names{}}).configs.size() == ask(bench, {}).configs.size());
}

TEST_CASE("topics there are not and names there cannot be are told apart") {
  Bench bench;
  CHECK(ask(bench, {.name = "nothing"}).error_code == ErrorCode::unknown_topic_or_partition);
  CHECK(ask(bench, {.name = "nothing"}).error_message == "");
  CHECK(ask(bench, {.name = "a/b"}).error_code == ErrorCode::invalid_topic_exception);
  CHECK(ask(bench, {.type = 16, .name = "x"}).error_code == ErrorCode::invalid_request);
}

TEST_CASE("a broker shows its own settings, or without a name those of the whole cluster") {
  Bench bench;
  CHECK(bench.settings.set_cluster_overrides({{"log.cleaner.threads", "3"}}).empty());
  CHECK(ask(bench, {.type = kBroker, .name = "1"}).configs.size() > 100);
  CHECK(names(ask(bench, {.type = kBroker, .name = ""})) == Names{"log.cleaner.threads"});
  const auto other = ask(bench, {.type = kBroker, .name = "7"});
  CHECK(other.error_code == ErrorCode::invalid_request);
  CHECK(other.error_message == "Unexpected broker id, expected 1 or empty string, but received 7");
  CHECK(ask(bench, {.type = kBroker, .name = "x"}).error_message == "Broker id must be an integer, but it is: x");
}

TEST_CASE("loggers are those of one broker, which must be named") {
  Bench bench;
  CHECK(names(ask(bench, {.type = kLogger, .name = "1"})) == Names{"root"});
  CHECK(ask(bench, {.type = kLogger, .name = ""}).error_message == "Broker id must not be empty");
  CHECK(ask(bench, {.type = kLogger, .name = "7"}).error_message == "Unexpected broker id, expected 1 but received 7");
}
