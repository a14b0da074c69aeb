#include "config/load.h"

#include <catch2/catch.hpp>

#include <fstream>
#include <sstream>

using namespace config;

namespace {

Environment environment() {
  Environment here;
  here.host_name = [] { return std::string("kafka.example"); };
  return here;
}

std::string file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

LoadedSettings load(std::string_view text, const std::vector<std::string>& overrides = {}) {
  auto loaded = load_broker_settings(text, overrides, environment());
  INFO((loaded ? std::string("accepted") : loaded.error().detail));
  REQUIRE(loaded.ok());
  return std::move(*loaded);
}

std::string refusal(std::string_view text, const std::vector<std::string>& overrides = {}) {
  const auto loaded = load_broker_settings(text, overrides, environment());
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().code == base::ErrorCode::invalid_config);
  return loaded.error().detail;
}

std::vector<std::string> texts(const LoadedSettings& loaded, base::LogLevel level) {
  std::vector<std::string> found;
  for (const auto& notice : loaded.notices)
    if (notice.level == level) found.push_back(notice.text);
  return found;
}

}  // namespace

TEST_CASE("an operator's server.properties with comments behind values is accepted as it is") {
  const auto loaded = load(file(WEIR_TEST_DATA "/data/operator-server.properties"));
  const auto& s = loaded.settings;
  CHECK(s.broker_id == 1);
  CHECK(s.endpoints.bound == std::vector<Listener>{{"PLAINTEXT", SecurityProtocol::plaintext, "0.0.0.0", 9092}});
  CHECK(s.endpoints.advertised ==
        std::vector<Listener>{{"PLAINTEXT", SecurityProtocol::plaintext, "192.168.1.1", 9092}});
  CHECK(s.data_directories() == std::vector<std::string>{"/data/kafka"});
  CHECK(s.zookeeper_connect == "192.168.1.1:2181,192.168.1.2:2181,192.168.1.3:2181");
  CHECK_FALSE(s.embedded_metadata());
  CHECK(s.num_partitions == 48);
  CHECK(s.retention_ms() == 604'800'000);
  CHECK(s.message_max_bytes == 1'024'000'000);

  auto warnings = texts(loaded, base::LogLevel::warn);
  std::erase_if(warnings, [](const auto& text) { return text.find("has no effect yet") != std::string::npos; });
  REQUIRE(warnings.size() == 5);
  CHECK(warnings[0].find("broker.id") != std::string::npos);
  CHECK(warnings[1].find("advertised.listeners") != std::string::npos);
  CHECK(warnings[2].find("log.dirs") != std::string::npos);
  CHECK(warnings[3].find("zookeeper.connect") != std::string::npos);
  CHECK(warnings[4].find("unknown key max.partition.fetch.bytes") == 0);
}

TEST_CASE("the sample configuration starts a broker alone, without a word of warning") {
  const auto loaded = load(file(WEIR_TEST_DATA "/../config/server.properties"));
  CHECK(texts(loaded, base::LogLevel::warn).empty());
  CHECK(loaded.settings.embedded_metadata());
  CHECK(loaded.settings.data_directories() == std::vector<std::string>{"/tmp/kafka-logs"});
  REQUIRE(loaded.settings.endpoints.advertised.size() == 1);
  CHECK(loaded.settings.endpoints.advertised[0].text() == "PLAINTEXT://kafka.example:9092");
}

TEST_CASE("a value of the wrong kind is refused with its place, Kafka's words and what is allowed") {
  CHECK(refusal("\n\nnum.partitions=many\n") ==
        "line 3: Invalid value many for configuration num.partitions: Not a number of type INT (allowed for "
        "num.partitions: a whole number of at least 1)");
  CHECK(refusal("auto.create.topics.enable=yes") ==
        "line 1: Invalid value yes for configuration auto.create.topics.enable: Expected value to be either true or "
        "false (allowed for auto.create.topics.enable: true or false)");
  CHECK(refusal("num.partitions=0") ==
        "line 1: Invalid value 0 for configuration num.partitions: Value must be at least 1 (allowed for "
        "num.partitions: a whole number of at least 1)");
  CHECK(refusal("num.partitions=3", {"num.partitions=x"}).find("--override: Invalid value x") == 0);
  CHECK(refusal("log.retention.ms=9223372036854775808").find("Not a number of type LONG") != std::string::npos);
  CHECK(refusal("sasl.login.refresh.buffer.seconds=40000").find("Not a number of type SHORT") != std::string::npos);
  CHECK(refusal("log.cleaner.io.buffer.load.factor=lots").find("Not a number of type DOUBLE") != std::string::npos);
  CHECK(refusal("compression.type=none")
            .find("Invalid value none for configuration compression.type: String must be one of: uncompressed, zstd, "
                  "lz4, snappy, gzip, producer") != std::string::npos);
  CHECK(refusal("log.cleanup.policy=delete,shred")
            .find("Invalid value shred for configuration log.cleanup.policy: String must be one of: compact, delete") !=
        std::string::npos);
  CHECK(refusal("compression.gzip.level=12").find("Value must be between 1 and 9 or equal to -1") != std::string::npos);
  CHECK(refusal("compression.lz4.level=18").find("Value must be no more than 17") != std::string::npos);
  CHECK(refusal("inter.broker.protocol.version=2.7-IV5").find("Version `2.7-IV5` is not a valid version") !=
        std::string::npos);
  CHECK(refusal("listener.name.internal.ssl.client.auth=maybe")
            .find("String must be one of: required, requested, none") != std::string::npos);
}

TEST_CASE("a secret is never repeated in a message") {
  for (const auto* key : {"ssl.key.password", "sasl.jaas.config"}) {
    const auto loaded = load(std::string(key) + "=geheim #1\nunknown.password=geheim #2");
    for (const auto& notice : loaded.notices) CHECK(notice.text.find("geheim") == std::string::npos);
    CHECK(loaded.settings.given.find(key)->second == "geheim #1");
    CHECK(loaded.settings.given.find("unknown.password")->second == "geheim #2");
  }
}

TEST_CASE("a key that does nothing here gets one line of information") {
  const auto loaded = load("create.topic.policy.class.name=com.example.Policy\nmetrics.context.team=x\n");
  CHECK(texts(loaded, base::LogLevel::info).size() == 3);  // and one about the advertised address
  CHECK(texts(loaded, base::LogLevel::info)[0] ==
        "create.topic.policy.class.name (line 1) has no meaning for a native broker and is ignored");
  CHECK(texts(loaded, base::LogLevel::warn).empty());
}

TEST_CASE("a key whose feature is missing gets one warning when it is set to anything but its default") {
  const auto loaded = load(
      "quota.producer.default=1000\nquota.consumer.default = 9223372036854775807\nssl.key.password=geheim\n"
      "listener.name.a.num.network.threads=3\nlistener.name.a.max.connections=3\n",
      {"quota.window.num=5"});
  CHECK(
      texts(loaded, base::LogLevel::warn) ==
      std::vector<std::string>{
          "quota.producer.default=1000 (line 1) has no effect yet: this release does not have what it is for",
          "ssl.key.password=[hidden] (line 3) has no effect yet: this release does not have what it is for",
          "listener.name.a.num.network.threads=3 (line 4) has no effect yet: this release does not have what it is for",
          "quota.window.num=5 (--override) has no effect yet: this release does not have what it is for"});
  CHECK(texts(load(""), base::LogLevel::warn).empty());
}

TEST_CASE("an unknown key gets one warning with the nearest known one") {
  const auto loaded = load("log.retention.hour=5\n", {"num.partition=3"});
  CHECK(texts(loaded, base::LogLevel::warn) ==
        std::vector<std::string>{
            "unknown key log.retention.hour (line 1) is ignored; the nearest known key is log.retention.hours",
            "unknown key num.partition (--override) is ignored; the nearest known key is num.partitions"});
  CHECK(loaded.settings.num_partitions == 1);
}

TEST_CASE("a key set twice: the last one counts, and both lines are named") {
  const auto loaded = load("num.partitions=2\n\nnum.partitions=5\n");
  CHECK(loaded.settings.num_partitions == 5);
  CHECK(texts(loaded, base::LogLevel::warn) ==
        std::vector<std::string>{
            "server.properties: num.partitions is set on line 1 and again on line 3; the last one counts"});
}

TEST_CASE("an override on the command line wins over the file, the last over the first") {
  const auto loaded = load("num.partitions=2", {"num.partitions=3", "num.partitions=4", "broker.rack=a=b # c"});
  CHECK(loaded.settings.num_partitions == 4);
  CHECK(loaded.settings.broker_rack == "a=b # c");
  CHECK(refusal("", {"num.partitions"}) == "--override num.partitions: expected property=value");
  CHECK(refusal("", {"=3"}) == "--override =3: expected property=value");
}

TEST_CASE("without zookeeper.connect the broker keeps its own metadata") {
  CHECK(load("").settings.embedded_metadata());
  CHECK(load("zookeeper.connect=").settings.embedded_metadata());
  CHECK(load("zookeeper.connect=  # nobody").settings.embedded_metadata());
  CHECK_FALSE(load("zookeeper.connect=zk:2181/kafka").settings.embedded_metadata());
}

TEST_CASE("KRaft is refused with what to do instead") {
  CHECK(refusal("process.roles=broker,controller") ==
        "process.roles=broker,controller asks for KRaft mode, which Weir does not have: it runs with ZooKeeper (set "
        "zookeeper.connect) or on its own with an embedded metadata store (leave zookeeper.connect out). Remove "
        "process.roles and the controller.* keys (process.roles=broker,controller, line 1)");
  CHECK(refusal("controller.listener.names=CONTROLLER")
            .find("requirement failed: controller.listener.names must be empty when not running in KRaft mode: "
                  "[CONTROLLER]") == 0);
  CHECK(refusal("zookeeper.metadata.migration.enable=true").find("migration to KRaft") != std::string::npos);
  CHECK(refusal("remote.log.storage.system.enable=true").find("tiered storage") != std::string::npos);
  // What KRaft calls the broker's id is read all the same.
  CHECK(load("node.id=4").settings.broker_id == 4);
}

TEST_CASE("rules between keys are refused in Kafka's words, with the lines they come from") {
  CHECK(refusal("log.retention.hours=0") ==
        "requirement failed: log.retention.ms must be unlimited (-1) or, equal or greater than 1 "
        "(log.retention.hours=0, line 1)");
  CHECK(refusal("broker.id=1001") ==
        "requirement failed: broker.id must be equal or greater than -1 and not greater than reserved.broker.max.id "
        "(broker.id=1001, line 1)");
  CHECK(refusal("broker.id=-2").find("requirement failed: broker.id must be equal or greater than -1") == 0);
  CHECK(refusal("broker.id.generation.enable=false")
            .find("requirement failed: broker.id must be equal or greater than 0") == 0);
  CHECK(load("broker.id=5000\nbroker.id.generation.enable=false").settings.broker_id == 5000);
  CHECK(refusal("broker.id=1\nnode.id=2") ==
        "You must set `node.id` to the same value as `broker.id`. (node.id=2, line 2; broker.id=1, line 1)");
  CHECK(refusal("log.roll.ms=0").find("requirement failed: log.roll.ms must be equal or greater than 1") == 0);
  CHECK(
      refusal("log.roll.jitter.ms=-1").find("requirement failed: log.roll.jitter.ms must be equal or greater than 0") ==
      0);
  for (const auto* none : {"log.dirs=", "log.dirs=,,"})
    CHECK(refusal(none).find(
              "requirement failed: At least one log directory must be defined via log.dirs or log.dir.") == 0);
  CHECK(refusal("log.cleaner.dedupe.buffer.size=1048576")
            .find("requirement failed: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.") == 0);
  CHECK(refusal("log.cleaner.threads=0").find("requirement failed: log.cleaner.threads must be at least 1") == 0);
  CHECK(
      refusal("replica.socket.timeout.ms=100")
          .find("requirement failed: replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms") ==
      0);
  CHECK(refusal("replica.lag.time.max.ms=100")
            .find("requirement failed: replica.fetch.wait.max.ms should always be less than or equal to") == 0);
  CHECK(refusal("offsets.commit.required.acks=4").find("requirement failed: offsets.commit.required.acks must be") ==
        0);
  CHECK(refusal("offsets.topic.compression.codec=5").find("5 is an unknown compression codec") == 0);
  CHECK(refusal("queued.max.request.bytes=5").find("requirement failed: queued.max.request.bytes must be larger") == 0);
  CHECK(refusal("max.connections.per.ip=0")
            .find("requirement failed: max.connections.per.ip can be set to zero only if") == 0);
  CHECK(load("max.connections.per.ip=0\nmax.connections.per.ip.overrides=127.0.0.1:5,::1:6")
            .settings.max_connections_per_ip == 0);
  CHECK(refusal("max.connections.per.ip.overrides=localhost")
            .find("Error parsing configuration property 'max.connections.per.ip.overrides'") == 0);
  CHECK(refusal("max.connections.per.ip.overrides=a b:1")
            .find("max.connections.per.ip.overrides contains invalid addresses : a b") == 0);
  CHECK(
      refusal("connections.max.idle.ms=50").find("requirement failed: connection.failed.authentication.delay.ms=100") ==
      0);
  CHECK(load("connections.max.idle.ms=-1").settings.connections_max_idle_ms == -1);
  CHECK(refusal("inter.broker.protocol.version=0.10.0\nlog.message.format.version=2.0")
            .find("requirement failed: log.message.format.version 2.0 can only be used when "
                  "inter.broker.protocol.version is set to version 0.11.0 or higher") == 0);
  CHECK(refusal("authorizer.class.name=com.example.Own").find("Class com.example.Own could not be found.") !=
        std::string::npos);
  CHECK(load("authorizer.class.name=kafka.security.authorizer.AclAuthorizer").notices.size() == 1);
  CHECK(refusal("listeners=A://:9092") ==
        "Error creating broker listeners from 'A://:9092': No security protocol defined for listener A "
        "(listeners=A://:9092, line 1)");
}

TEST_CASE("a placeholder for a configuration provider is refused rather than taken for a value") {
  CHECK(refusal("config.providers=file\nssl.key.password=${file:/etc/secret:key}")
            .find("line 2: the value of ssl.key.password refers to the configuration provider file") == 0);
  CHECK(load("broker.rack=${file:/etc/rack}").settings.broker_rack == "${file:/etc/rack}");
}

TEST_CASE("our own log level is checked like any other key") {
  CHECK(load("").settings.weir_log_level == "INFO");
  CHECK(load("weir.log.level=debug").settings.weir_log_level == "debug");
  CHECK(refusal("weir.log.level=loud").find("String must be one of (case insensitive): TRACE, DEBUG") !=
        std::string::npos);
}

TEST_CASE("where metrics are shown is a host and a port, or nowhere") {
  CHECK_FALSE(load("").settings.metrics_listener);
  for (const auto* good : {"127.0.0.1:9644", "localhost:0", "[::1]:65535", ":9644", "0.0.0.0:1"})
    CHECK(load(std::string("metrics.listener=") + good).settings.metrics_listener == good);
  for (const auto* bad : {"9644", "localhost", "localhost:", "localhost:65536", "localhost:-1", "::1:9644", "a b:1",
                          "http://localhost:9644", "[::1:9644", "localhost:9644/metrics", "localhost:9x"}) {
    INFO(bad);
    CHECK(refusal(std::string("metrics.listener=") + bad)
              .find(std::string("Invalid value ") + bad + " for configuration metrics.listener: ") == 0);
  }
}

TEST_CASE("every key may be written out at its default and changes nothing") {
  std::string text;
  for (const auto& setting : broker_settings())
    if (setting.default_text && setting.scope != Scope::dynamic_only)
      text += std::string(setting.name) + "=" + std::string(*setting.default_text) + "\n";
  const auto loaded = load(text);
  for (const auto& setting : broker_settings()) {
    INFO(setting.name);
    CHECK(setting.value(loaded.settings) == setting.value(BrokerSettings()));
  }
  CHECK(texts(loaded, base::LogLevel::warn).empty());
}

TEST_CASE("a file that is not there, or not configuration at all, is an error and not a crash") {
  CHECK(refusal("a=\\u12").find("server.properties line 1: ") == 0);
  std::string noise;
  for (int i = 0; i < 4096; ++i) noise.push_back(static_cast<char>(i * 7919 >> 3));
  (void)load_broker_settings(noise, {}, environment());
  const auto one_long_key = load(std::string(100'000, 'k'));
  REQUIRE(texts(one_long_key, base::LogLevel::warn).size() == 1);
  CHECK(texts(one_long_key, base::LogLevel::warn)[0].size() < 500);
}
