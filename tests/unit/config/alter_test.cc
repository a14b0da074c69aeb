#include "config/alter.h"

#include <catch2/catch.hpp>

using namespace config;
using base::ErrorCode;
using Changes = std::vector<Alteration>;

namespace {

const BrokerSettings kPlain;

base::Result<Texts> topic(const Texts& stored, const Changes& changes) {
  return alter_topic(kPlain, "t", stored, changes);
}

}  // namespace

TEST_CASE("settings are set and deleted one by one, the others stay") {
  const Texts stored{{"retention.ms", "1"}, {"segment.ms", "2"}};
  CHECK(topic(stored, {{.name = "retention.ms", .value = "5"}, {.name = "segment.ms", .operation = Alteration::remove}})
            .value() == Texts{{"retention.ms", "5"}});
  CHECK(topic(stored, {{.name = "flush.ms", .operation = Alteration::remove}}).value() == stored);
  CHECK(topic(stored, {{.name = "no.such", .operation = Alteration::remove, .value = "7"}}).value() == stored);
  CHECK(topic(stored, {}).value() == stored);
}

TEST_CASE("lists are appended to, and subtracted from, item by item") {
  const auto append = [](std::string items) {
    return Changes{{.name = "cleanup.policy", .operation = Alteration::append, .value = std::move(items)}};
  };
  const auto subtract = [](std::string items) {
    return Changes{{.name = "cleanup.policy", .operation = Alteration::subtract, .value = std::move(items)}};
  };
  SECTION("what is not set begins at its default") {
    CHECK(topic({}, append("compact")).value() == Texts{{"cleanup.policy", "delete,compact"}});
    CHECK(topic({}, subtract("delete")).value() == Texts{{"cleanup.policy", ""}});
    CHECK(
        topic({},
              {{.name = "leader.replication.throttled.replicas", .operation = Alteration::append, .value = "0:1, 1:1"}})
            .value() == Texts{{"leader.replication.throttled.replicas", "0:1,1:1"}});
  }
  SECTION("an item stands once") {
    CHECK(topic({{"cleanup.policy", "compact"}}, append("compact,delete")).value() ==
          Texts{{"cleanup.policy", "compact,delete"}});
  }
  SECTION("what is not there cannot be subtracted") {
    CHECK(topic({{"cleanup.policy", "compact"}}, subtract("delete")).value() == Texts{{"cleanup.policy", "compact"}});
  }
  SECTION("what is no list refuses both") {
    for (const auto& [operation, word] :
         {std::pair{Alteration::append, "append"}, {Alteration::subtract, "subtract"}}) {
      const auto refused = topic({}, {{.name = "retention.ms", .operation = operation, .value = "1"}});
      CHECK(refused.error().code == ErrorCode::invalid_request);
      CHECK(refused.error().detail == fmt::format("Config value {} is not allowed for config key: retention.ms", word));
      CHECK(topic({}, {{.name = "no.such", .operation = operation, .value = "1"}}).error().code ==
            ErrorCode::invalid_request);
    }
  }
}

TEST_CASE("keys given twice and values missing are refused before anything is read") {
  CHECK(check_alterations({{.name = "a", .value = "1"}, {.name = "b", .operation = Alteration::remove}}).ok());
  const auto twice = check_alterations(
      {{.name = "a", .value = "1"}, {.name = "b", .value = "2"}, {.name = "a", .operation = Alteration::remove}});
  CHECK(twice.error().code == ErrorCode::invalid_request);
  CHECK(twice.error().detail == "Error due to duplicate config keys : a");
  const auto missing =
      check_alterations({{.name = "a"}, {.name = "b", .operation = Alteration::append}, {.name = "c", .operation = 9}});
  CHECK(missing.error().code == ErrorCode::invalid_request);
  CHECK(missing.error().detail == "Null value not supported for : SET:a,APPEND:b,null:c");
}

TEST_CASE("what a topic must not be set to is refused with what is wrong") {
  const auto unknown = topic({}, {{.name = "foo", .value = "1"}});
  CHECK(unknown.error().code == ErrorCode::invalid_config);
  CHECK(unknown.error().detail == "Unknown topic config name: foo");
  const auto bad = topic({}, {{.name = "retention.ms", .value = "x"}});
  CHECK(bad.error().code == ErrorCode::invalid_request);
  CHECK(bad.error().detail ==
        "Invalid config value for resource ConfigResource(type=TOPIC, name='t'): Invalid value x for configuration "
        "retention.ms: Not a number of type LONG");
  const auto conflict = topic({{"min.compaction.lag.ms", "99"}}, {{.name = "max.compaction.lag.ms", .value = "9"}});
  CHECK(conflict.error().code == ErrorCode::invalid_config);
  CHECK(topic({}, {{.name = "retention.ms", .operation = 4, .value = "1"}}).error().code ==
        ErrorCode::unknown_server_error);
}

TEST_CASE("a broker's settings are altered where they may change while it runs") {
  CHECK(alter_broker("0", {}, {{.name = "log.retention.ms", .value = "7"}}).value() ==
        Texts{{"log.retention.ms", "7"}});
  CHECK(alter_broker("", {}, {{.name = "log.cleanup.policy", .operation = Alteration::append, .value = "compact"}})
            .value() == Texts{{"log.cleanup.policy", "delete,compact"}});
  CHECK(alter_broker("0", {}, {{.name = "of.a.plugin", .value = "x"}}).value() == Texts{{"of.a.plugin", "x"}});
  const auto fixed = alter_broker("0", {}, {{.name = "broker.rack", .value = "r"}});
  CHECK(fixed.error().code == ErrorCode::invalid_request);
  CHECK(fixed.error().detail ==
        "Invalid config value for resource ConfigResource(type=BROKER, name='0'): Cannot update these configs "
        "dynamically: Set(broker.rack)");
  CHECK(alter_broker("", {}, {{.name = "listeners", .value = "PLAINTEXT://:1"}}).error().code ==
        ErrorCode::invalid_request);
  const auto password = alter_broker("0", {}, {{.name = "listener.name.a.ssl.keystore.password", .value = "secret"}});
  CHECK(password.error().code == ErrorCode::invalid_request);
  CHECK(password.error().detail.find("secret") == std::string::npos);
}
