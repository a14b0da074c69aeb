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

  const auto warnings = texts(loaded, base::LogLevel::warn);
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
