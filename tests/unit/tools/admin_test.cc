#include "tools/client/admin.h"

#include <catch2/catch.hpp>

#include "base/bytes.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_groups.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/find_coordinator.h"
#include "protocol/messages/list_offsets.h"
#include "tests/support/tools/fake_broker.h"
#include "tools/client/partition_offsets.h"

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

protocol::ApiVersionsResponse versions(std::int16_t metadata_max, std::int16_t find_coordinator_max = 3) {
  protocol::ApiVersionsResponse response;
  response.api_keys = {{2, 0, 4},  {3, 0, metadata_max}, {10, 0, find_coordinator_max},
                       {18, 0, 2}, {19, 0, 99},          {42, 0, 2}};
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

TEST_CASE("a group's request goes to its coordinator, which is looked for until there is one") {
  base::SystemClock clock;
  for (std::int16_t find_max : {std::int16_t{0}, std::int16_t{3}, std::int16_t{6}}) {
    std::atomic<int> searches{0}, asked{0};
    test::FakeBroker* self = nullptr;
    test::FakeBroker broker([&](const test::FakeBroker::Request& request) {
      if (request.api == 18) return frame(request.correlation_id, request.version, versions(9, find_max));
      if (request.api == 10) {
        protocol::FindCoordinatorResponse answer;
        answer.error_code = ++searches == 1 ? ErrorCode::coordinator_not_available : ErrorCode::none;
        answer.node_id = base::BrokerId{5};
        answer.host = "127.0.0.1";
        answer.port = self->port();
        answer.coordinators = {{"g", answer.node_id, answer.host, answer.port, answer.error_code, std::nullopt}};
        return frame(request.correlation_id, request.version, answer);
      }
      if (request.api != 42) return ordinary(request, self->port(), 9);
      protocol::DeleteGroupsResponse answer;
      const ErrorCode codes[] = {ErrorCode::coordinator_load_in_progress, ErrorCode::not_coordinator, ErrorCode::none};
      answer.results = {{"g", codes[std::min(asked++, 2)]}};
      return frame(request.correlation_id, request.version, answer);
    });
    self = &broker;
    Admin admin(quick(broker.port()), clock);
    using Response = protocol::DeleteGroupsResponse;
    const Coordinator group{Coordinator::Kind::group, "g"};
    auto answer = admin.call<Response>(group, "deleteConsumerGroups", protocol::DeleteGroupsRequest{},
                                       [](const Response& r) { return r.results.at(0).error_code; });
    REQUIRE(answer);
    CHECK(asked == 3);
    CHECK(searches == 3);  // not there yet; found; looked for again when it was not the one
    auto node = admin.coordinator(group);
    REQUIRE(node);
    CHECK(node->id == base::BrokerId{5});
    CHECK(node->address == HostPort{"127.0.0.1", broker.port()});
    CHECK(searches == 3);
  }
}

TEST_CASE("a group whose coordinator may not be known is an error at once") {
  base::SystemClock clock;
  test::FakeBroker* self = nullptr;
  test::FakeBroker broker([&](const test::FakeBroker::Request& request) {
    if (request.api != 10) return ordinary(request, self->port(), 9);
    protocol::FindCoordinatorResponse answer;
    answer.error_code = ErrorCode::group_authorization_failed;
    return frame(request.correlation_id, request.version, answer);
  });
  self = &broker;
  Admin admin(quick(broker.port()), clock);
  auto answer = admin.call<protocol::DeleteGroupsResponse>(Coordinator{Coordinator::Kind::group, "g"}, "x",
                                                           protocol::DeleteGroupsRequest{});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ErrorCode::group_authorization_failed);
}

TEST_CASE("offsets are asked of leaders, again while these are only somewhere else") {
  base::SystemClock clock;
  std::atomic<int> asked{0};
  test::FakeBroker* self = nullptr;
  test::FakeBroker broker([&](const test::FakeBroker::Request& request) {
    if (request.api == 3) {
      protocol::MetadataResponse answer;
      answer.brokers = {{base::BrokerId{5}, "127.0.0.1", self->port(), std::nullopt}};
      auto& topic = answer.topics.emplace_back();
      topic.name = "t";
      for (int i = 0; i < 3; ++i) {
        auto& partition = topic.partitions.emplace_back();
        partition.partition_index = i;
        partition.leader_id = base::BrokerId{i == 2 ? -1 : 5};
      }
      return frame(request.correlation_id, request.version, answer);
    }
    if (request.api != 2) return ordinary(request, self->port(), 9);
    const bool again = ++asked == 1;
    protocol::ListOffsetsResponse answer;
    auto& topic = answer.topics.emplace_back();
    topic.name = "t";
    for (int i = 0; i < 2; ++i) {
      if (i == 1 && !again) continue;  // it was answered the first time
      auto& row = topic.partitions.emplace_back();
      row.partition_index = i;
      row.error_code = i == 0 && again ? ErrorCode::not_leader_or_follower : ErrorCode::none;
      row.offset = base::Offset{i * 10 + 7};
    }
    return frame(request.correlation_id, request.version, answer);
  });
  self = &broker;
  Admin admin(quick(broker.port()), clock);
  const auto found =
      list_offsets(admin, {{"t", 1}, {"t", 0}, {"t", 2}, {"t", 9}, {"nosuch", 0}, {"t", 0}}, kLatestOffset);
  REQUIRE(found.size() == 5);
  CHECK(std::get<base::Offset>(found.at({"t", 0})) == base::Offset{7});
  CHECK(std::get<base::Offset>(found.at({"t", 1})) == base::Offset{17});
  CHECK(std::get<base::Error>(found.at({"t", 2})).code == ErrorCode::leader_not_available);
  CHECK(std::get<base::Error>(found.at({"t", 9})).code == ErrorCode::leader_not_available);
  CHECK(std::get<base::Error>(found.at({"nosuch", 0})).code == ErrorCode::unknown_topic_or_partition);
  CHECK(asked == 2);
}

TEST_CASE("an API the broker does not serve is an error at once") {
  base::SystemClock clock;
  test::FakeBroker* self = nullptr;
  test::FakeBroker broker([&](const auto& request) { return ordinary(request, self->port(), 9); });
  self = &broker;
  Admin admin(quick(broker.port()), clock);
  auto answer = admin.call<protocol::DeleteRecordsResponse>(AnyBroker{}, "x", protocol::DeleteRecordsRequest{});
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ErrorCode::unsupported_version);
  CHECK_FALSE(admin.version_on(AnyBroker{}, protocol::kDeleteRecords));
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

TEST_CASE("records of an answer stay where they were received, and the newest versions may be left out") {
  constexpr protocol::Api kOlder{.key = 1, .name = "Fetch", .versions = {0, 11}, .flexible_since = 12};
  const std::string_view records = "as they lie on the disk";
  std::int16_t asked = -1;
  std::uint16_t port = 0;
  test::FakeBroker broker([&](const auto& request) {
    if (request.api != 1) {
      auto known = versions(9);
      known.api_keys.push_back({1, 0, 17});
      return request.api == 18 && request.version <= 2 ? frame(request.correlation_id, request.version, known)
                                                       : ordinary(request, port, 9);
    }
    asked = request.version;
    protocol::FetchResponse answer;
    answer.responses.emplace_back();
    answer.responses[0].topic = "t";
    answer.responses[0].partitions.emplace_back();
    answer.responses[0].partitions[0].records.view = std::as_bytes(std::span(records));
    return frame(request.correlation_id, request.version, answer);
  });
  port = broker.port();
  base::SystemClock clock;
  Admin admin(quick(port), clock);
  base::Buffer received;
  auto answer =
      admin.call_borrowing<protocol::FetchResponse>(AnyBroker{}, "fetch", protocol::FetchRequest{}, kOlder, received);
  REQUIRE(answer);
  CHECK(asked == 11);
  const auto found = answer->responses.at(0).partitions.at(0).records.view;
  CHECK(base::as_text(found) == records);
  CHECK(found.data() >= received.data());
  CHECK(found.data() + found.size() <= received.data() + received.size());
}
