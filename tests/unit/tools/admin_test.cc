#include "tools/client/admin.h"

#include <catch2/catch.hpp>

#include "base/bytes.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/find_coordinator.h"
#include "tests/support/tools/fake_broker.h"

using base::ErrorCode;
using namespace std::chrono_literals;
using namespace tools;

namespace {

template <class M>
std::string frame(std::int32_t correlation_id, std::int16_t version, const M& message) {
  auto flat = base::flatten(protocol::encode_response(correlation_id, version, message));
  return std::string(base::as_text(flat->bytes()));
}

AdminSettings quick(std::uint16_t port) {
  base::set_log_level(base::LogLevel::off);
  AdminSettings settings;
  settings.bootstrap = {{"127.0.0.1", port}};
  settings.api_timeout = 300ms;
  settings.request_timeout = 200ms;
  settings.retry_backoff = 5ms;
  settings.reconnect_backoff = 5ms;
  settings.reconnect_backoff_max = 10ms;
  return settings;
}

protocol::ApiVersionsResponse versions(std::int16_t metadata_max) {
  protocol::ApiVersionsResponse response;
  response.api_keys = {{3, 0, metadata_max}, {18, 0, 2}, {19, 0, 99}};
  return response;
}

// Answers ApiVersions as `versions` says and knows of itself as broker 5, the controller.
std::string ordinary(const test::FakeBroker::Request& request, std::uint16_t port, std::int16_t metadata_max) {
  if (request.api == 18) {
    auto answer = versions(metadata_max);
    if (request.version <= 2) return frame(request.correlation_id, request.version, answer);
    answer.error_code = ErrorCode::unsupported_version;  // an older broker, in its oldest form
    return frame(request.correlation_id, 0, answer);
  }
  protocol::MetadataResponse answer;
  answer.brokers = {{base::BrokerId{5}, "127.0.0.1", port, std::nullopt}};
  answer.controller_id = base::BrokerId{5};
  return frame(request.correlation_id, request.version, answer);
}

}  // namespace

TEST_CASE("the highest version both sides know is used, also with a broker that refuses the newest ApiVersions") {
  base::SystemClock clock;
  for (std::int16_t theirs : {std::int16_t{1}, std::int16_t{7}, std::int16_t{50}}) {
    std::atomic<int> used{-1};
    test::FakeBroker* self = nullptr;
    test::FakeBroker broker([&](const auto& request) {
      if (request.api == 3) used = request.version;
      return ordinary(request, self->port(), theirs);
    });
    self = &broker;
    Admin admin(quick(broker.port()), clock);
    auto answer = admin.metadata("listTopics", std::nullopt);
    REQUIRE(answer);
    CHECK(answer->brokers.at(0).node_id == base::BrokerId{5});
    CHECK(used == std::min<std::int16_t>(theirs, protocol::kMetadata.versions.max));
  }
}

TEST_CASE("an answer that the controller has moved leads to another question") {
  base::SystemClock clock;
  std::atomic<int> asked{0};
  test::FakeBroker* self = nullptr;
  test::FakeBroker broker([&](const test::FakeBroker::Request& request) {
    if (request.api != 19) return ordinary(request, self->port(), 9);
    protocol::CreateTopicsResponse answer;
    answer.topics.emplace_back();
    answer.topics[0].error_code = ++asked < 3 ? ErrorCode::not_controller : ErrorCode::none;
    return frame(request.correlation_id, request.version, answer);
  });
  self = &broker;
  Admin admin(quick(broker.port()), clock);
  using Response = protocol::CreateTopicsResponse;
  auto answer = admin.call<Response>(Controller{}, "createTopics", protocol::CreateTopicsRequest{},
                                     [](const Response& r) { return r.topics.at(0).error_code; });
  REQUIRE(answer);
  CHECK(asked == 3);
}

TEST_CASE("an API the broker does not serve is an error at once") {
  base::SystemClock clock;
  test::FakeBroker* self = nullptr;
  test::FakeBroker broker([&](const auto& request) { return ordinary(request, self->port(), 9); });
  self = &broker;
  Admin admin(quick(broker.port()), clock);
  protocol::FindCoordinatorRequest request;
  auto answer = admin.call<protocol::FindCoordinatorResponse>(AnyBroker{}, "findCoordinator", request);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ErrorCode::unsupported_version);
  CHECK_FALSE(admin.version_on(AnyBroker{}, protocol::kFindCoordinator));
  CHECK(admin.version_on(AnyBroker{}, protocol::kMetadata) == 9);
}

TEST_CASE("hostile and broken answers end in a time-out, never in more") {
  base::SystemClock clock;
  const std::string answers[] = {
      std::string("\x7f\xff\xff\xff", 4),                         // a size no answer has
      std::string("\xff\xff\xff\xff", 4),                         // a negative one
      std::string("\0\0\0\2ab", 6),                               // too short for a correlation id
      std::string("\0\0\0\6\x55\x55\x55\x55zz", 10),              // another request's
      std::string("\0\0\0\x0a\0\0\0\0\0\0\x7f\xff\xff\xff", 14),  // lying array count
      std::string("HTTP/1.1 400 Bad Request\r\n\r\n"),
      std::string(),  // hangs up
  };
  for (const std::string& bytes : answers) {
    test::FakeBroker broker([&](const auto&) { return bytes; });
    Admin admin(quick(broker.port()), clock);
    auto begun = clock.now();
    auto answer = admin.metadata("listTopics", std::nullopt);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == ErrorCode::request_timed_out);
    CHECK(clock.now() - begun < 2s);
  }
}

TEST_CASE("with no broker in reach the time-out names the call as Kafka's does") {
  base::SystemClock clock;
  Admin admin(quick(test::closed_port()), clock);
  auto answer = admin.metadata("listTopics", std::nullopt);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().detail.starts_with("Call(callName=listTopics, deadlineMs="));
  CHECK(answer.error().detail.ends_with(" after 1 attempt(s)"));
}

TEST_CASE("addresses are read as Kafka reads them") {
  CHECK(parse_host_port("h:1") == HostPort{"h", 1});
  CHECK(parse_host_port("[::1]:9092") == HostPort{"::1", 9092});
  CHECK(parse_host_port("PLAINTEXT://h.x:9092") == HostPort{"h.x", 9092});
  for (auto bad : {"h", "h:", ":1", "h:x", "h:65536", "h h:1", "", "h:-1"}) CHECK_FALSE(parse_host_port(bad));
  CHECK(java_address({"127.0.0.1", 1}) == "/127.0.0.1:1");
}

TEST_CASE("the admin client's settings come from the file, and protocols it does not speak are refused") {
  auto good = admin_settings("127.0.0.1:1,127.0.0.1:2", {{"request.timeout.ms", "7"}, {"client.id", "me"}});
  REQUIRE(std::holds_alternative<AdminSettings>(good));
  CHECK(std::get<AdminSettings>(good).bootstrap.size() == 2);
  CHECK(std::get<AdminSettings>(good).request_timeout == 7ms);
  CHECK(std::get<AdminSettings>(good).client_id == "me");
  auto text = [](const std::string& servers, const config::Texts& given) {
    return std::get<Failure>(admin_settings(servers, given)).text();
  };
  CHECK(text("127.0.0.1", {}) ==
        "org.apache.kafka.common.KafkaException: Failed to create new KafkaAdminClient\nCaused by: "
        "org.apache.kafka.common.config.ConfigException: Invalid url in bootstrap.servers: 127.0.0.1");
  CHECK(text("127.0.0.1:1", {{"security.protocol", "SSL"}}).find("SSL") != std::string::npos);
  CHECK(text("127.0.0.1:1", {{"request.timeout.ms", "x"}}).find("Not a number of type LONG") != std::string::npos);
}
