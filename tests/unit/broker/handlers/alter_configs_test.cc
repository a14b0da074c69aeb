#include "broker/handlers/alter_configs.h"

#include <catch2/catch.hpp>

#include "protocol/messages/alter_configs.h"
#include "protocol/messages/incremental_alter_configs.h"
#include "tests/support/broker/lone_controller.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::ErrorCode;
using protocol::AlterConfigsRequest;
using protocol::AlterConfigsResponse;
using protocol::IncrementalAlterConfigsRequest;
using protocol::IncrementalAlterConfigsResponse;

namespace {

constexpr std::int8_t kTopic = 2;
constexpr std::int8_t kBroker = 4;
constexpr std::int8_t kLogger = 8;

struct Bench : HandlerBench {
  Bench() { tell_metadata({}); }

  IncrementalAlterConfigsResponse incremental(const IncrementalAlterConfigsRequest& request, std::int16_t version = 1) {
    return ask<IncrementalAlterConfigsResponse>(IncrementalAlterConfigsHandler(alterations), request, version);
  }
  IncrementalAlterConfigsResponse::Topic set(std::int8_t type, const std::string& name, const std::string& key,
                                             std::optional<std::string> value, std::int8_t operation = 0) {
    IncrementalAlterConfigsRequest request;
    add(request, type, name, key, std::move(value), operation);
    return incremental(request).responses.at(0);
  }
  AlterConfigsResponse replace(const AlterConfigsRequest& request, std::int16_t version = 2) {
    return ask<AlterConfigsResponse>(AlterConfigsHandler(alterations), request, version);
  }
  static void add(IncrementalAlterConfigsRequest& request, std::int8_t type, const std::string& name,
                  const std::string& key, std::optional<std::string> value, std::int8_t operation = 0) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = name;
    auto& config = resource.configs.emplace_back();
    config.name = key;
    config.config_operation = operation;
    config.value = std::move(value);
  }
  std::string node(const std::string& path) { return lone.member->store.get(path).value.data; }

  LoneController lone;
  replication::StoredConfigs stored{lone.embedded, lone.loop};
  ConfigAlterations alterations{kSelf, settings, metadata, stored};
};

}  // namespace

TEST_CASE("each resource of a request is altered or refused by itself") {
  Bench bench;
  IncrementalAlterConfigsRequest request;
  Bench::add(request, kTopic, "orders", "retention.ms", "5");
  Bench::add(request, kTopic, "never", "retention.ms", "5");
  Bench::add(request, kBroker, "", "log.retention.ms", "6");
  Bench::add(request, 3, "orders", "retention.ms", "5");
  const auto version = GENERATE(as<std::int16_t>{}, 0, 1);
  const auto out = bench.incremental(request, version);
  REQUIRE(out.responses.size() == 4);
  CHECK(out.responses[0].error_code == ErrorCode::none);
  CHECK_FALSE(out.responses[0].error_message);
  CHECK(out.responses[1].error_code == ErrorCode::unknown_topic_or_partition);
  CHECK(out.responses[1].error_message == "The topic 'never' does not exist.");
  CHECK(out.responses[1].resource_name == "never");
  CHECK(out.responses[2].error_code == ErrorCode::none);
  CHECK(out.responses[3].error_code == ErrorCode::invalid_request);
  CHECK(out.responses[3].resource_type == 3);
  CHECK(bench.node("/config/topics/orders") == R"({"version":1,"config":{"retention.ms":"5"}})");
  CHECK(bench.node("/config/brokers/<default>") == R"({"version":1,"config":{"log.retention.ms":"6"}})");
  CHECK_FALSE(bench.lone.member->store.exists("/config/topics/never").ok());
}

TEST_CASE("AlterConfigs keeps nothing of what was set before") {
  Bench bench;
  REQUIRE(bench.set(kTopic, "orders", "segment.ms", "9").error_code == ErrorCode::none);
  AlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = kTopic;
  resource.resource_name = "orders";
  resource.configs = {{"retention.ms", "1"}, {"retention.ms", "2"}};
  SECTION("and the last value of a key counts") {
    const auto version = GENERATE(as<std::int16_t>{}, 0, 1, 2);
    CHECK(bench.replace(request, version).responses.at(0).error_code == ErrorCode::none);
    CHECK(bench.node("/config/topics/orders") == R"({"version":1,"config":{"retention.ms":"2"}})");
  }
  SECTION("unless it only checks") {
    request.validate_only = true;
    CHECK(bench.replace(request).responses.at(0).error_code == ErrorCode::none);
    resource.configs = {{"retention.ms", "x"}};
    CHECK(bench.replace(request).responses.at(0).error_code == ErrorCode::invalid_request);
    CHECK(bench.node("/config/topics/orders") == R"({"version":1,"config":{"segment.ms":"9"}})");
  }
  SECTION("nor of a resource named twice, which is refused") {
    request.resources.push_back(resource);
    const auto out = bench.replace(request);
    for (const auto& one : out.responses) {
      CHECK(one.error_code == ErrorCode::invalid_request);
      CHECK(one.error_message == "Each resource must appear at most once.");
    }
  }
}

TEST_CASE("an empty request is answered at once") {
  Bench bench;
  CHECK(bench.incremental({}).responses.empty());
  CHECK(bench.replace({}).responses.empty());
}

TEST_CASE("only this broker's own settings are altered here") {
  Bench bench;
  const auto own = std::to_string(kSelf.raw);
  CHECK(bench.set(kBroker, own, "log.retention.ms", "7").error_code == ErrorCode::none);
  CHECK(bench.node("/config/brokers/" + own) == R"({"version":1,"config":{"log.retention.ms":"7"}})");
  const auto other = bench.set(kBroker, "77", "log.retention.ms", "7");
  CHECK(other.error_code == ErrorCode::invalid_request);
  CHECK(other.error_message == fmt::format("Unexpected broker id, expected {}, but received 77", own));
  CHECK(bench.set(kBroker, "x", "log.retention.ms", "7").error_message == "Broker id must be an integer, but it is: x");
  CHECK(bench.set(kTopic, "", "retention.ms", "7").error_message == "Default topic resources are not allowed.");
}

TEST_CASE("the level of the log changes at once") {
  Bench bench;
  const auto own = std::to_string(kSelf.raw);
  const auto before = base::log_level();
  CHECK(bench.set(kLogger, own, "root", "WARN").error_code == ErrorCode::none);
  CHECK(base::log_level() == base::LogLevel::warn);
  base::set_log_level(before);
  CHECK(bench.set(kLogger, own, "root", "LOUD").error_code == ErrorCode::invalid_request);
  CHECK(bench.set(kLogger, own, "root", "OFF").error_code == ErrorCode::invalid_request);
  CHECK(bench.set(kLogger, own, "root", std::nullopt, 1).error_message ==
        "Removing the log level of the root logger is not allowed");
  CHECK(bench.set(kLogger, own, "root", "INFO", 2).error_message ==
        "APPEND operation is not allowed for the BROKER_LOGGER resource");
  CHECK(
      bench.set(kLogger, own, "kafka", "INFO").error_message ==
      fmt::format("Invalid config value for resource ConfigResource(type=BROKER_LOGGER, name='{}'): Logger kafka does "
                  "not exist!",
                  own));
  CHECK(bench.set(kLogger, own, "root", "INFO", 9).error_code == ErrorCode::unknown_server_error);
  CHECK(base::log_level() == before);
}
