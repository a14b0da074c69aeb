#include "broker/handlers/api_versions.h"

#include <catch2/catch.hpp>

#include "protocol/messages/api_versions.h"
#include "protocol/messages/registry.h"
#include "tests/support/broker/lone_controller.h"

using namespace broker;
using namespace broker::test;
using base::ErrorCode;
using protocol::ApiVersionsRequest;
using protocol::ApiVersionsResponse;

namespace {

struct Bench : HandlerBench {
  Bench() {
    for (const std::int16_t key : {18, 3}) {
      const auto* api = protocol::find_api(key);
      table.add({.api = *api, .versions = {api->versions.min, 2}, .handler = {}});
    }
    lone.loop.post([&] { features.start(); });
  }
  ApiVersionsResponse told(std::int16_t version = 3) {
    ApiVersionsRequest request;
    request.client_software_name = "test";
    request.client_software_version = "1.0";
    return ask<ApiVersionsResponse>(ApiVersionsHandler(table, features), request, version);
  }

  LoneController lone;
  ApiTable table;
  replication::FinalizedFeatures features{lone.embedded, [] {}};
};

}  // namespace

TEST_CASE("what is listed are the served versions of the table, by key") {
  Bench bench;
  const auto answer = bench.told(0);
  REQUIRE(answer.api_keys.size() == 2);
  CHECK(answer.api_keys[0].api_key == 3);
  CHECK(answer.api_keys[1].api_key == 18);
  CHECK(answer.api_keys[1].max_version == 2);
  CHECK_FALSE(answer.finalized_features_epoch);
}

TEST_CASE("the features' epoch is told from version 3 on, while there is one") {
  Bench bench;
  CHECK(eventually([&] { return bench.told().finalized_features_epoch == 0; }));
  auto& store = bench.lone.member->store;
  REQUIRE(
      store.commit({replication::Set{.path = "/feature", .data = R"({"version":2,"status":1,"features":{}})"}}).ok());
  CHECK(eventually([&] { return bench.told().finalized_features_epoch == 1; }));
  REQUIRE(store.commit({replication::Remove{.path = "/feature"}}).ok());
  CHECK(eventually([&] { return !bench.told().finalized_features_epoch; }));
  CHECK_FALSE(bench.told().finalized_features);
  CHECK_FALSE(bench.told().supported_features);
}
