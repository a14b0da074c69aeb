#include "config/listeners.h"

#include <catch2/catch.hpp>

#include "base/random.h"
#include "config/broker_settings.h"

using namespace config;

namespace {

base::Result<ListenersOutcome> work_out(Texts texts) {
  const bool given = texts.contains("security.inter.broker.protocol");
  auto settings = BrokerSettings::from(std::move(texts));
  REQUIRE(settings.ok());
  return work_out_listeners({.settings = *settings, .inter_broker_protocol_given = given},
                            [] { return std::string("kafka.example"); });
}

ListenersOutcome accepted(Texts texts) {
  auto outcome = work_out(std::move(texts));
  INFO((outcome ? std::string() : outcome.error().detail));
  REQUIRE(outcome.ok());
  return std::move(*outcome);
}

std::string refusal(Texts texts) {
  const auto outcome = work_out(std::move(texts));
  REQUIRE_FALSE(outcome.ok());
  CHECK(outcome.error().code == base::ErrorCode::invalid_config);
  return outcome.error().detail;
}

std::vector<std::string> texts(const std::vector<Listener>& listeners) {
  std::vector<std::string> all;
  for (const auto& listener : listeners) all.push_back(listener.text());
  return all;
}

using Items = std::vector<std::string>;

}  // namespace

TEST_CASE("without any listener settings the broker listens on port 9092 and advertises the host name, saying so") {
  const auto outcome = accepted({});
  CHECK(texts(outcome.listeners.bound) == Items{"PLAINTEXT://:9092"});
  CHECK(texts(outcome.listeners.advertised) == Items{"PLAINTEXT://kafka.example:9092"});
  CHECK(outcome.listeners.inter_broker == "PLAINTEXT");
  REQUIRE(outcome.notices.size() == 1);
  CHECK(outcome.notices[0].find("kafka.example:9092") != std::string::npos);
}

TEST_CASE("every way of writing all addresses advertises the host name") {
  for (const auto* host : {"", "0.0.0.0", "[::]"}) {
    INFO(host);
    const auto outcome = accepted({{"listeners", std::string("PLAINTEXT://") + host + ":9092"}});
    CHECK(texts(outcome.listeners.advertised) == Items{"PLAINTEXT://kafka.example:9092"});
    CHECK(outcome.notices.size() == 1);
  }
}

TEST_CASE("a listener with an address advertises it without a word") {
  const auto outcome = accepted({{"listeners", "PLAINTEXT://10.0.0.1:9092"}});
  CHECK(texts(outcome.listeners.advertised) == Items{"PLAINTEXT://10.0.0.1:9092"});
  CHECK(outcome.notices.empty());
}

TEST_CASE("several named listeners, each with its protocol and its published address") {
  const auto outcome =
      accepted({{"listeners", "internal://10.0.0.1:9093 , EXTERNAL://[::]:9092,CTRL://[fe80::1%eth0]:0"},
                {"advertised.listeners", "EXTERNAL://kafka.org:443,INTERNAL://[2001:db8::1]:443"},
                {"listener.security.protocol.map", "Internal:plaintext, EXTERNAL:SASL_SSL,CTRL:SSL"},
                {"inter.broker.listener.name", "internal"}});
  const auto& listeners = outcome.listeners;
  CHECK(texts(listeners.bound) == Items{"INTERNAL://10.0.0.1:9093", "EXTERNAL://[::]:9092", "CTRL://[fe80::1%eth0]:0"});
  CHECK(texts(listeners.advertised) == Items{"EXTERNAL://kafka.org:443", "INTERNAL://[2001:db8::1]:443"});
  CHECK(listeners.inter_broker == "INTERNAL");
  CHECK(listeners.find_bound("EXTERNAL")->protocol == SecurityProtocol::sasl_ssl);
  CHECK(listeners.find_advertised("CTRL") == nullptr);
  CHECK(outcome.notices.empty());
}

TEST_CASE("an empty advertised host is the host name") {
  CHECK(texts(accepted({{"advertised.listeners", "PLAINTEXT://:19092"}}).listeners.advertised) ==
        Items{"PLAINTEXT://kafka.example:19092"});
}

TEST_CASE("the keys from before there were listeners still count, in Kafka's order") {
  CHECK(texts(accepted({{"host.name", "10.0.0.1"}, {"port", "7000"}}).listeners.bound) ==
        Items{"PLAINTEXT://10.0.0.1:7000"});
  CHECK(texts(accepted({{"host.name", "10.0.0.1"}, {"listeners", "PLAINTEXT://10.0.0.2:1"}}).listeners.bound) ==
        Items{"PLAINTEXT://10.0.0.2:1"});
  CHECK(texts(accepted({{"advertised.host.name", "a.b"}, {"port", "7000"}}).listeners.advertised) ==
        Items{"PLAINTEXT://a.b:7000"});
  CHECK(texts(accepted({{"advertised.port", "1"}, {"host.name", "h"}}).listeners.advertised) ==
        Items{"PLAINTEXT://h:1"});
  CHECK(texts(accepted({{"advertised.host.name", "a"}, {"advertised.listeners", "PLAINTEXT://b:2"}})
                  .listeners.advertised) == Items{"PLAINTEXT://b:2"});
}

TEST_CASE("one port may serve one IPv4 and one IPv6 address, and port 0 any number") {
  const std::string map = "A:PLAINTEXT,B:PLAINTEXT";
  CHECK(work_out({{"listeners", "A://127.0.0.1:9092,B://[::1]:9092"},
                  {"listener.security.protocol.map", map},
                  {"inter.broker.listener.name", "A"}})
            .ok());
  CHECK(work_out({{"listeners", "A://127.0.0.1:0,B://127.0.0.1:0"},
                  {"listener.security.protocol.map", map},
                  {"inter.broker.listener.name", "A"}})
            .ok());
}

TEST_CASE("what cannot work is refused in Kafka's words") {
  CHECK(refusal({{"listeners", "A://:9092"}}) ==
        "Error creating broker listeners from 'A://:9092': No security protocol defined for listener A");
  CHECK(refusal({{"listeners", "nonsense"}}) ==
        "Error creating broker listeners from 'nonsense': Unable to parse nonsense to a broker endpoint");
  CHECK(refusal({{"listeners", "PLAINTEXT://:9092,PLAINTEXT://:9093"}}) ==
        "requirement failed: Each listener must have a different name, listeners: PLAINTEXT://:9092,PLAINTEXT://:9093");
  CHECK(refusal({{"listeners", "PLAINTEXT://:9092,SSL://:9092"}}) ==
        "requirement failed: Each listener must have a different port, listeners: PLAINTEXT://:9092,SSL://:9092");
  CHECK(refusal({{"advertised.listeners", "PLAINTEXT://0.0.0.0:9092"}}) ==
        "requirement failed: advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP "
        "address.");
  CHECK(refusal({{"listeners", "A://:9092"},
                 {"listener.security.protocol.map", "A:PLAINTEXT,PLAINTEXT:PLAINTEXT"},
                 {"inter.broker.listener.name", "PLAINTEXT"}}) ==
        "requirement failed: inter.broker.listener.name must be a listener name defined in advertised.listeners. The "
        "valid options based on currently configured listeners are A");
  CHECK(refusal({{"listeners", ""}}).find("requirement failed: inter.broker.listener.name must be") == 0);
  CHECK(refusal({{"inter.broker.listener.name", "PLAINTEXT"}, {"security.inter.broker.protocol", "PLAINTEXT"}}) ==
        "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.");
  CHECK(refusal({{"inter.broker.listener.name", "X"}}) ==
        "Listener with name X defined in inter.broker.listener.name not found in listener.security.protocol.map.");
  CHECK(refusal({{"listener.security.protocol.map", "PLAINTEXT:CLEAR"}}) ==
        "Invalid security protocol `CLEAR` defined in listener.security.protocol.map");
  CHECK(refusal({{"listener.security.protocol.map", "PLAINTEXT"}})
            .find("Error parsing configuration property 'listener.security.protocol.map'") == 0);
  CHECK(refusal({{"listener.security.protocol.map", ""}}).find("No security protocol defined for listener PLAINTEXT") !=
        std::string::npos);
  CHECK(refusal({{"advertised.listeners", "PLAINTEXT://h:1,SSL://h:2"}})
            .find("requirement failed: advertised.listeners listener names must be equal to or a subset of the ones "
                  "defined in listeners. Found PLAINTEXT,SSL. The valid options based on the current configuration are "
                  "PLAINTEXT") == 0);
  CHECK(refusal({{"control.plane.listener.name", "SSL"}})
            .find("requirement failed: control.plane.listener.name must be a listener name defined in") == 0);
  CHECK(refusal({{"control.plane.listener.name", "plaintext"}})
            .find("requirement failed: control.plane.listener.name, when defined, should have a different value") == 0);
}

TEST_CASE("hostile listener texts are refused, never worse") {
  for (const auto* wrong : {"://", ":", "://:", "PLAINTEXT://", "PLAINTEXT://:", "PLAINTEXT://h", "PLAINTEXT://h:x",
                            "PLAINTEXT://h:-1", "PLAINTEXT://h:65536", "PLAINTEXT://h:99999999999999999999",
                            "PLAINTEXT:/h:1", "PLAINTEXT://a b:1", "PLAINTEXT://h:1/path", "PLAINTEXT//h:1"}) {
    INFO(wrong);
    CHECK_FALSE(work_out({{"listeners", wrong}}).ok());
    CHECK_FALSE(work_out({{"advertised.listeners", wrong}}).ok());
  }
  base::SeededRandom random{3};
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (auto n = random.below(30); n > 0; --n) text.push_back("PLAINTEXT:/[]09.,- %"[random.below(20)]);
    const auto outcome = work_out({{"listeners", text}, {"advertised.listeners", text}});
    if (outcome) CHECK(!outcome->listeners.bound.empty());
  }
}
