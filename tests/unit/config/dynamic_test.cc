#include "config/dynamic.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

#include "config/load.h"

using namespace config;

namespace {

std::string host_name() { return "kafka.example"; }

BrokerSettings started_with(const std::string& text) {
  auto loaded = load_broker_settings(text, {}, {.host_name = host_name, .file_name = "server.properties"});
  REQUIRE(loaded.ok());
  return std::move(loaded->settings);
}

}  // namespace

TEST_CASE("the more particular layer wins: default, file, cluster, broker, topic") {
  DynamicSettings settings(started_with("log.retention.ms=10\nmax.connections=5"), host_name);
  const auto retention = [&] { return settings.snapshot()->topic("t")->retention_ms; };
  CHECK(retention() == 10);
  CHECK(settings.set_cluster_overrides({{"log.retention.ms", "20"}}).empty());
  CHECK(retention() == 20);
  CHECK(settings.set_broker_overrides({{"log.retention.ms", "30"}}).empty());
  CHECK(retention() == 30);
  settings.set_topic_overrides("t", {{"retention.ms", "40"}});
  CHECK(retention() == 40);
  CHECK(settings.snapshot()->topic("other")->retention_ms == 30);
  CHECK(settings.snapshot()->broker->max_connections == 5);

  settings.set_topic_overrides("t", {});
  CHECK(retention() == 30);
  CHECK(settings.set_broker_overrides({}).empty());
  CHECK(retention() == 20);
  CHECK(settings.set_cluster_overrides({}).empty());
  CHECK(retention() == 10);
}

TEST_CASE("a changed broker setting reaches topics that have overrides of their own") {
  DynamicSettings settings(started_with(""), host_name);
  settings.set_topic_overrides("t", {{"retention.ms", "40"}});
  CHECK(settings.set_cluster_overrides({{"log.segment.bytes", "1234"}}).empty());
  const auto topic = settings.snapshot()->topic("t");
  CHECK(topic->segment_bytes == 1234);
  CHECK(topic->retention_ms == 40);
}

TEST_CASE("a snapshot stays what it was when taken") {
  DynamicSettings settings(started_with(""), host_name);
  settings.set_topic_overrides("t", {{"retention.ms", "40"}});
  const auto before = settings.snapshot();
  const auto topic = before->topic("t");
  settings.set_all_topic_overrides({{"u", {{"retention.ms", "50"}}}, {"plain", {}}});
  CHECK(before->topics.contains("t"));
  CHECK(topic->retention_ms == 40);
  const auto now = settings.snapshot();
  CHECK_FALSE(now->topics.contains("t"));
  CHECK_FALSE(now->topics.contains("plain"));
  CHECK(now->topic("u")->retention_ms == 50);
}

TEST_CASE("stored overrides that may not take effect stay out of force, and say why") {
  DynamicSettings settings(started_with("num.partitions=3\nlog.retention.ms=10"), host_name);
  const auto problems = settings.set_cluster_overrides({{"num.partitions", "9"},
                                                        {"listeners", "PLAINTEXT://:1"},
                                                        {"log.retention.ms", "x"},
                                                        {"log.segment.bytes", "99"}});
  REQUIRE(problems.size() == 3);
  CHECK(problems[0] == "Cannot update these configs at default cluster level, broker id must be specified: listeners");
  CHECK(problems[1] == "Invalid value x for configuration log.retention.ms: Not a number of type LONG");
  CHECK(problems[2] == "Cannot update these configs dynamically: num.partitions");
  const auto now = settings.snapshot();
  CHECK(now->broker->num_partitions == 3);
  CHECK(now->broker->log_retention_ms == 10);
  CHECK(now->broker->log_segment_bytes == 99);
  CHECK(now->cluster_overrides.size() == 4);
}

TEST_CASE("overrides that break a rule between keys leave everything in force as it was") {
  DynamicSettings settings(started_with("log.retention.ms=10"), host_name);
  const auto problems = settings.set_broker_overrides({{"log.retention.ms", "0"}, {"log.segment.bytes", "99"}});
  REQUIRE(problems.size() == 1);
  CHECK(problems[0] == "requirement failed: log.retention.ms must be unlimited (-1) or, equal or greater than 1");
  CHECK(settings.snapshot()->broker->log_retention_ms == 10);
  CHECK(settings.snapshot()->broker->log_segment_bytes == 1'073'741'824);
}

TEST_CASE("a dynamic listener change works the addresses out anew") {
  DynamicSettings settings(started_with("listeners=PLAINTEXT://10.0.0.1:9092"), host_name);
  CHECK(settings.set_broker_overrides({{"advertised.listeners", "PLAINTEXT://k:1"}}).empty());
  CHECK(settings.snapshot()->broker->endpoints.advertised.at(0).text() == "PLAINTEXT://k:1");
}

TEST_CASE("subscribers hear what changed") {
  DynamicSettings settings(started_with(""), host_name);
  std::vector<SettingsChange> heard;
  settings.subscribe([&](const SettingsChange& change, const std::shared_ptr<const Snapshot>& now) {
    REQUIRE(now != nullptr);
    heard.push_back(change);
  });
  settings.set_topic_overrides("t", {{"retention.ms", "40"}});
  settings.set_broker_overrides({{"log.retention.ms", "5"}});
  settings.set_all_topic_overrides({{"u", {{"retention.ms", "50"}}}});
  REQUIRE(heard.size() == 3);
  CHECK(heard[0].topics == std::vector<std::string>{"t"});
  CHECK_FALSE(heard[0].broker);
  CHECK(heard[1].broker);
  CHECK(heard[2].topics == std::vector<std::string>{"t", "u"});
}

TEST_CASE("readers on other threads always see one whole snapshot") {
  DynamicSettings settings(started_with(""), host_name);
  std::atomic<bool> done = false;
  std::atomic<int> torn = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i)
    readers.emplace_back([&] {
      while (!done) {
        const auto now = settings.snapshot();
        if (now->broker->retention_ms() != now->plain_topic->retention_ms) ++torn;
        if (now->topic("t")->segment_bytes != now->plain_topic->segment_bytes) ++torn;
      }
    });
  for (int i = 1; i < 300; ++i) {
    settings.set_broker_overrides(
        {{"log.retention.ms", std::to_string(i)}, {"log.segment.bytes", std::to_string(99 + i)}});
    settings.set_topic_overrides("t", {{"retention.ms", std::to_string(i)}});
  }
  done = true;
  for (auto& reader : readers) reader.join();
  CHECK(torn == 0);
}

TEST_CASE("a change a broker must not make is refused in Kafka's words") {
  const auto refusal = [](Level level, const Texts& overrides) {
    const auto checked = validate_broker_overrides(level, overrides);
    REQUIRE_FALSE(checked.ok());
    CHECK(checked.error().code == base::ErrorCode::invalid_request);
    return checked.error().detail;
  };
  CHECK(refusal(Level::broker, {{"broker.rack", "r"}}) == "Cannot update these configs dynamically: Set(broker.rack)");
  CHECK(refusal(Level::cluster, {{"listeners", "PLAINTEXT://:1"}}) ==
        "Cannot update these configs at default cluster level, broker id must be specified: Set(listeners)");
  CHECK(refusal(Level::broker, {{"ssl.keystore.location", "/k"}}) ==
        "These security configs can be dynamically updated only per-listener using the listener prefix: "
        "Set(ssl.keystore.location)");
  CHECK(refusal(Level::broker, {{"log.cleaner.threads", "x"}}) ==
        "Invalid value x for configuration log.cleaner.threads: Not a number of type INT");
  CHECK(refusal(Level::cluster, {{"listener.name.a.ssl.keystore.location", "/k"}}).find("Cannot update these") == 0);
  CHECK(validate_broker_overrides(Level::broker, {{"listener.name.a.ssl.keystore.location", "/k"}}).ok());
  CHECK(validate_broker_overrides(Level::cluster, {{"listener.name.a.max.connections", "3"}}).ok());
  CHECK(validate_broker_overrides(Level::cluster, {{"foo.bar", "x"}, {"log.cleaner.threads", "2"}}).ok());
  CHECK(validate_broker_overrides(Level::cluster, {{"leader.replication.throttled.rate", "5"}}).ok());
}
