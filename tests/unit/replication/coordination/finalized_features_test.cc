#include "replication/coordination/finalized_features.h"

#include <catch2/catch.hpp>

#include "replication/coordination/embedded_store.h"
#include "tests/support/replication/lone_broker.h"

using namespace replication;
using namespace test_support;

namespace {

struct Fixture {
  Fixture() : embedded(directory.path + "/db", loop, clock) {
    loop.start();
    REQUIRE(embedded.start().ok());
  }
  ~Fixture() {
    embedded.stop();
    loop.stop();
  }
  void start() {
    run_on(loop, [&] { features.start(); });
    settle();
  }
  // What was asked before is answered, and what the answers asked for as well.
  void settle() {
    (void)store.exists("/");
    (void)store.exists("/");
  }
  void create(const std::string& json) {
    REQUIRE(store.commit({Create{.path = "/feature", .data = json}}).ok());
    settle();
  }
  void write(const std::string& json) {
    REQUIRE(store.commit({Set{.path = "/feature", .data = json}}).ok());
    settle();
  }

  TemporaryDirectory directory;
  base::SystemClock clock;
  base::Loop loop{"coordination"};
  EmbeddedStore embedded;
  BlockingStore store{embedded};
  std::atomic<int> unsupported{0};
  FinalizedFeatures features{embedded, [this] { ++unsupported; }};
};

constexpr const char* kEnabled = R"({"version":1,"status":1,"features":{}})";

}  // namespace

TEST_CASE("the features' epoch is the version of the node, followed as others write it") {
  Fixture fixture;
  fixture.start();
  CHECK(fixture.features.epoch() == -1);
  fixture.create(kEnabled);
  CHECK(fixture.features.epoch() == 0);
  fixture.write(R"({"version":2,"status":1,"features":{}})");
  CHECK(fixture.features.epoch() == 1);
  fixture.write(R"({"version":1,"status":0,"features":{}})");
  CHECK(fixture.features.epoch() == -1);
  fixture.write(R"({"version":2,"status":1,"features":{},"later":1})");
  CHECK(fixture.features.epoch() == 3);
  for (const std::string json :
       {"garbage", R"({"version":1,"status":1})", R"({"version":1,"status":7,"features":{}})"}) {
    fixture.write(json);
    CHECK(fixture.features.epoch() == -1);
  }
  fixture.write(kEnabled);
  CHECK(fixture.features.epoch() == 7);
  REQUIRE(fixture.store.commit({Remove{.path = "/feature"}}).ok());
  fixture.settle();
  CHECK(fixture.features.epoch() == -1);
  fixture.create(kEnabled);
  CHECK(fixture.features.epoch() == 0);
  CHECK(fixture.unsupported == 0);
}

TEST_CASE("the features' epoch is known from a node that stands there already") {
  Fixture fixture;
  fixture.create(kEnabled);
  fixture.write(kEnabled);
  fixture.start();
  CHECK(fixture.features.epoch() == 1);
}

TEST_CASE("a feature that was finalized is one this broker does not support, unless it is disabled") {
  Fixture fixture;
  fixture.start();
  fixture.create(R"({"version":2,"status":0,"features":{"f":{"max_version_level":2}}})");
  CHECK(fixture.unsupported == 0);
  fixture.write(R"({"version":2,"status":1,"features":{"f":{"max_version_level":2}}})");
  CHECK(fixture.unsupported == 1);
  CHECK(fixture.features.epoch() == -1);
}
