#include "broker/stored_settings.h"

#include <catch2/catch.hpp>

#include "replication/coordination/embedded_store.h"
#include "replication/coordination/membership.h"
#include "replication/coordination/znodes.h"
#include "tests/support/storage/temporary_directory.h"

using namespace broker;
namespace paths = replication::paths;

namespace {

constexpr base::BrokerId kSelf{3};

struct Bench {
  Bench() {
    loop.start();
    base::invariant(embedded.start().ok(), "a fresh store starts");
    base::invariant(replication::create_top_level(store).ok(), "a fresh store takes its top level");
  }
  ~Bench() {
    embedded.stop();
    loop.stop();
  }
  void put(const std::string& type, const std::string& name, const std::string& data) {
    REQUIRE(store.commit({replication::Create{.path = paths::config(type, name), .data = data}}).ok());
  }

  support::TemporaryDirectory directory;
  base::SystemClock clock;
  base::Loop loop{"coordination"};
  replication::EmbeddedStore embedded{directory.file("metadata.sqlite"), loop, clock};
  replication::BlockingStore store{embedded};
  config::DynamicSettings settings{config::BrokerSettings(), [] { return std::string("localhost"); }};
};

}  // namespace

TEST_CASE("an empty store changes nothing") {
  Bench bench;
  REQUIRE(load_stored_settings(bench.store, kSelf, bench.settings).ok());
  const auto now = bench.settings.snapshot();
  CHECK(now->topics.empty());
  CHECK(now->cluster_overrides.empty());
  CHECK(now->broker_overrides.empty());
  CHECK(load_overrides(bench.store, "topics", {"missing"}).at(0)->empty());
}

TEST_CASE("topics, the cluster's defaults and this broker's own settings are loaded, not other brokers'") {
  Bench bench;
  bench.put("topics", "orders", R"({"version":1,"config":{"retention.ms":"5000"}})");
  bench.put("topics", "plain", R"({"version":1,"config":{}})");
  bench.put("brokers", "<default>", R"({"version":1,"config":{"message.max.bytes":"2000","log.cleaner.threads":"2"}})");
  bench.put("brokers", "3", R"({"version":1,"config":{"message.max.bytes":"3000"}})");
  bench.put("brokers", "4", R"({"version":1,"config":{"message.max.bytes":"4000"}})");
  REQUIRE(load_stored_settings(bench.store, kSelf, bench.settings).ok());
  const auto now = bench.settings.snapshot();
  CHECK(now->broker->message_max_bytes == 3000);
  CHECK(now->broker->log_cleaner_threads == 2);
  CHECK(now->topic_overrides("orders") == config::Texts{{"retention.ms", "5000"}});
  CHECK(now->topic("orders")->max_message_bytes == 3000);
  CHECK(now->topics.size() == 1);
}

TEST_CASE("a topic's damaged configuration is passed over, a broker's stops the start") {
  Bench bench;
  bench.put("topics", "broken", "{nonsense");
  bench.put("topics", "empty", "");
  bench.put("topics", "orders", R"({"version":1,"config":{"retention.ms":"5000"}})");
  REQUIRE(load_stored_settings(bench.store, kSelf, bench.settings).ok());
  CHECK(bench.settings.snapshot()->topics.size() == 1);
  bench.put("brokers", "3", "{nonsense");
  const auto loaded = load_stored_settings(bench.store, kSelf, bench.settings);
  REQUIRE_FALSE(loaded.ok());
  CHECK_THAT(loaded.error().detail, Catch::Matchers::Contains("/config/brokers/3"));
}
