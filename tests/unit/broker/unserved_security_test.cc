#include "broker/unserved_security.h"

#include <catch2/catch.hpp>

#include "broker/broker.h"
#include "config/load.h"

using Catch::Matchers::Contains;

namespace {

config::BrokerSettings settings_of(const std::string& text) {
  auto loaded = config::load_broker_settings(text, {}, {.host_name = [] { return std::string("kafka.example"); }});
  INFO((loaded ? std::string() : loaded.error().detail));
  REQUIRE(loaded.ok());
  return std::move(loaded->settings);
}

}  // namespace

TEST_CASE("a plain broker passes") {
  CHECK(broker::refuse_unserved_security(settings_of("")).ok());
  CHECK(broker::refuse_unserved_security(
            settings_of("listeners=A://:9092,B://:9093\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT\n"
                        "inter.broker.listener.name=A\nauthorizer.class.name=\n"))
            .ok());
}

TEST_CASE("a listener that wants TLS or SASL stops the start, naming key, value and remedy") {
  for (const std::string protocol : {"SSL", "SASL_PLAINTEXT", "SASL_SSL"}) {
    const auto refused = broker::refuse_unserved_security(
        settings_of("listeners=PLAINTEXT://:9092," + protocol + "://127.0.0.1:9093\n"));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == base::ErrorCode::invalid_config);
    CHECK_THAT(refused.error().detail, Contains(protocol + "://127.0.0.1:9093 for configuration listeners"));
    CHECK_THAT(refused.error().detail, Contains("no TLS and no SASL"));
    CHECK_THAT(refused.error().detail, Contains("Give it PLAINTEXT"));
    CHECK(refused.error().detail.find('\n') == std::string::npos);
  }
}

TEST_CASE("what counts is the protocol behind a listener's name") {
  const auto refused = broker::refuse_unserved_security(settings_of(
      "listeners=CLIENTS://:9092\nlistener.security.protocol.map=CLIENTS:SSL\ninter.broker.listener.name=CLIENTS\n"));
  REQUIRE_FALSE(refused.ok());
  CHECK_THAT(refused.error().detail, Contains("its security protocol is SSL"));
}

TEST_CASE("an authorizer stops the start, since nothing would be checked") {
  const auto refused =
      broker::refuse_unserved_security(settings_of("authorizer.class.name=kafka.security.authorizer.AclAuthorizer\n"));
  REQUIRE_FALSE(refused.ok());
  CHECK_THAT(refused.error().detail,
             Contains("kafka.security.authorizer.AclAuthorizer for configuration authorizer.class.name"));
}

TEST_CASE("TLS towards ZooKeeper stops the start rather than being left out") {
  const auto refused = broker::refuse_unserved_security(settings_of("zookeeper.ssl.client.enable=true\n"));
  REQUIRE_FALSE(refused.ok());
  CHECK_THAT(refused.error().detail, Contains("zookeeper.ssl.client.enable"));
}

TEST_CASE("a broker asked for what it cannot guard does not start, and has touched nothing") {
  broker::Broker one(
      settings_of("log.dirs=/nonexistent/never-made\nlisteners=SSL://127.0.0.1:0\n"
                  "security.inter.broker.protocol=SSL\n"),
      [] { return std::string("localhost"); }, [] {});
  const auto started = one.start();
  REQUIRE_FALSE(started.ok());
  CHECK_THAT(started.error().detail, Contains("no TLS"));
}
