#include "config/broker_settings.h"

#include <catch2/catch.hpp>

#include <limits>
#include <regex>
#include <set>

#include "tests/support/config/tables.h"

using namespace config;

namespace {

std::string type_of(const Setting& setting) {
  std::string name(type_name(setting.type));
  for (auto& c : name) c = static_cast<char>(std::tolower(c));
  return name;
}

// Plug-ins of the JVM that are known here by the names of Kafka's own ones.
const std::set<std::string, std::less<>> kKnownPlugins = {"replica.selector.class"};

// Kafka has what these are for, a native broker has nothing of the kind: no pool for small jobs (each runs on the
// thread of its subject), no purgatory to sweep (who stops waiting takes his entry with him), no rates sampled into
// windows (counters are told as they are, and whoever reads them works out rates), no queue between network and
// execution (a request runs as it is read; the unanswered ones of each connection are bounded, and the memory of all
// by queued.max.request.bytes).
const std::set<std::string, std::less<>> kWithoutCounterpart = {
    "background.threads",
    "delete.records.purgatory.purge.interval.requests",
    "fetch.purgatory.purge.interval.requests",
    "producer.purgatory.purge.interval.requests",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "queued.max.requests",
};

// Rows that name one key (patterns have <...> in theirs) which may stand in server.properties.
std::vector<test::Row> rows_of_keys() {
  auto rows = test::read_table(WEIR_TEST_DATA "/data/broker-configs.tsv");
  std::erase_if(rows, [](const test::Row& row) {
    return row.at("scope").starts_with("entity") || row.at("key").find('<') != std::string::npos;
  });
  return rows;
}

BrokerSettings given(Texts texts) {
  auto settings = BrokerSettings::from(std::move(texts));
  REQUIRE(settings.ok());
  return std::move(*settings);
}

}  // namespace

TEST_CASE("every broker key of Kafka is known by its name, type, default, importance and way of changing") {
  const auto rows = rows_of_keys();
  REQUIRE(rows.size() > 340);
  for (const auto& row : rows) {
    const auto& key = row.at("key");
    INFO(key);
    const auto* setting = find_broker_setting(key);
    REQUIRE(setting != nullptr);
    CHECK(type_of(*setting) == row.at("type"));

    auto expected = test::newest(row.at("default"));
    if (expected == "\"\"") expected = "";
    // host.name and port still count here, so that `listeners` is unset as it was when they did.
    if (key == "listeners" || expected == "value" || row.at("default").starts_with("value of")) expected = "null";
    if (key == "inter.broker.protocol.version") CHECK(setting->default_text == "3.9-IV0");
    if (key == "ssl.protocol") expected = "TLSv1.3";
    if (key == "ssl.enabled.protocols") expected = "TLSv1.2,TLSv1.3";
    CHECK(setting->default_text.value_or("null") == expected);
    CHECK(setting->nullable == (expected == "null"));

    if (row.at("importance") != "-") {
      const auto importance = setting->importance == Importance::high     ? "high"
                              : setting->importance == Importance::medium ? "medium"
                                                                          : "low";
      CHECK(importance == row.at("importance"));
    }
    const auto& change = row.at("dynamic_mode");
    CHECK((setting->change == Change::read_only) == (change == "read-only"));
    CHECK((setting->change == Change::per_broker) == (change == "per-broker"));
    CHECK((setting->effect == Effect::ignored) ==
          ((row.at("relevance") == "accept-with-notice" && !kKnownPlugins.contains(key)) ||
           kWithoutCounterpart.contains(key)));
    CHECK_FALSE(setting->doc.empty());
  }
}

TEST_CASE("no key is declared that Kafka does not have, but our own") {
  std::map<std::string, int, std::less<>> known;
  for (const auto& row : rows_of_keys()) known[row.at("key")] = 1;
  for (const auto& setting : broker_settings()) {
    INFO(setting.name);
    CHECK((known.contains(setting.name) || setting.scope == Scope::weir));
  }
}

TEST_CASE("a default is what its member holds, and shows again as the same text") {
  const BrokerSettings defaults;
  for (const auto& setting : broker_settings()) {
    INFO(setting.name);
    const auto shown = text_of(setting.value(defaults));
    CHECK(shown == (setting.default_text ? std::optional<std::string>(*setting.default_text) : std::nullopt));
  }
}

TEST_CASE("a range ends exactly where Kafka's does") {
  const std::regex range(R"(\[(-?[0-9.]+),\.\.\.(?:,(-?[0-9.]+))?\].*)");
  int checked = 0;
  for (const auto& row : rows_of_keys()) {
    const auto cell = row.at("valid_values").substr(row.at("valid_values").rfind("; ") + 1);
    const auto trimmed = cell.substr(cell.find_first_not_of(' '));
    std::smatch bounds;
    if (!std::regex_match(trimmed, bounds, range)) continue;
    const auto& setting = *find_broker_setting(row.at("key"));
    INFO(setting.name);
    ++checked;
    CHECK(parse(setting, bounds[1].str()).ok());
    if (setting.type == Type::real) {
      CHECK_FALSE(parse(setting, "-0.01").ok());
      CHECK_FALSE(parse(setting, "NaN").ok());
    } else {
      // One key's range has -1 beside it, which is also the number below its end.
      const auto below = std::stoll(bounds[1].str()) - (setting.bounds.kind == Bounds::Kind::level ? 3 : 1);
      const auto refused = parse(setting, std::to_string(below));
      REQUIRE_FALSE(refused.ok());
      if (setting.bounds.kind == Bounds::Kind::range)
        CHECK(refused.error().detail == "Invalid value " + std::to_string(below) + " for configuration " +
                                            std::string(setting.name) + ": Value must be at least " + bounds[1].str());
    }
    if (bounds[2].matched && setting.type != Type::real) {
      CHECK(parse(setting, bounds[2].str()).ok());
      CHECK_FALSE(parse(setting, std::to_string(std::stoll(bounds[2].str()) + 1)).ok());
    }
  }
  CHECK(checked > 100);
}

TEST_CASE("the smaller unit wins where several keys say one thing") {
  CHECK(BrokerSettings().retention_ms() == 604'800'000);
  CHECK(given({{"log.retention.hours", "1"}}).retention_ms() == 3'600'000);
  CHECK(given({{"log.retention.hours", "1"}, {"log.retention.minutes", "2"}}).retention_ms() == 120'000);
  CHECK(
      given({{"log.retention.hours", "1"}, {"log.retention.minutes", "2"}, {"log.retention.ms", "3"}}).retention_ms() ==
      3);
  CHECK(given({{"log.retention.hours", "-7"}}).retention_ms() == -1);
  CHECK(given({{"log.retention.hours", "2147483647"}}).retention_ms() == 2147483647LL * 3'600'000);
  CHECK(given({{"log.roll.hours", "2"}}).roll_ms() == 7'200'000);
  CHECK(given({{"log.roll.hours", "2"}, {"log.roll.ms", "5"}}).roll_ms() == 5);
  CHECK(given({{"log.roll.jitter.hours", "1"}}).roll_jitter_ms() == 3'600'000);
  CHECK(given({{"log.flush.scheduler.interval.ms", "9"}}).flush_ms() == 9);
  CHECK(given({{"log.flush.scheduler.interval.ms", "9"}, {"log.flush.interval.ms", "4"}}).flush_ms() == 4);
  CHECK(given({{"log.dir", "/a"}, {"log.dirs", "/b, /c,"}}).data_directories() == std::vector<std::string>{"/b", "/c"});
  CHECK(given({{"log.dir", "/a"}}).data_directories() == std::vector<std::string>{"/a"});
  CHECK(given({{"log.dirs", "/b,/c"}}).threads_moving_logs() == 2);
  CHECK(BrokerSettings().zookeeper_connect_timeout_ms() == 18'000);
  CHECK(given({{"zookeeper.connection.timeout.ms", "6"}}).zookeeper_connect_timeout_ms() == 6);
  CHECK(given({{"delegation.token.master.key", "old"}}).token_secret() == "old");
  CHECK(given({{"delegation.token.master.key", "old"}, {"delegation.token.secret.key", "new"}}).token_secret() ==
        "new");
  CHECK(given({{"node.id", "7"}}).id() == base::BrokerId{7});
  CHECK(given({{"broker.id", "7"}}).node_id == 7);
}

TEST_CASE("the old symmetric limit of timestamps counts until a newer one is set") {
  constexpr auto kNoLimit = std::numeric_limits<std::int64_t>::max();
  CHECK(BrokerSettings().timestamp_before_max_ms() == kNoLimit);
  const auto old = given({{"log.message.timestamp.difference.max.ms", "10"}});
  CHECK(old.timestamp_before_max_ms() == 10);
  CHECK(old.timestamp_after_max_ms() == 10);
  const auto both =
      given({{"log.message.timestamp.difference.max.ms", "10"}, {"log.message.timestamp.after.max.ms", "3"}});
  CHECK(both.timestamp_before_max_ms() == 10);
  CHECK(both.timestamp_after_max_ms() == 3);
}

TEST_CASE("a listener's own value goes before the broker's") {
  const auto settings = given({{"max.connections", "10"},
                               {"listener.name.internal.max.connections", "3"},
                               {"listener.name.external.scram-sha-256.sasl.jaas.config", "module required;"}});
  CHECK(settings.for_listener("INTERNAL", "max.connections") == Value{std::int32_t{3}});
  CHECK(settings.for_listener("EXTERNAL", "max.connections") == Value{std::int32_t{10}});
  const auto key = split_prefixed_key("listener.name.external.scram-sha-256.sasl.jaas.config");
  REQUIRE(key.setting != nullptr);
  CHECK(key.listener == "external");
  CHECK(key.mechanism == "scram-sha-256");
  CHECK(key.setting->name == "sasl.jaas.config");
  CHECK(split_prefixed_key("listener.name.external.no.such.key").setting == nullptr);
  CHECK(split_prefixed_key("listener.name..max.connections").setting == nullptr);
  CHECK(split_prefixed_key("listener.name.").setting == nullptr);
  CHECK(split_prefixed_key("authorizer.zookeeper.ssl.keystore.location").setting ==
        find_broker_setting("zookeeper.ssl.keystore.location"));
}

TEST_CASE("a release is named by as much of it as counts") {
  CHECK(find_protocol_version("2.7") == find_protocol_version("2.7-IV2"));
  CHECK(find_protocol_version("2.7.1") == find_protocol_version("2.7-IV2"));
  CHECK(find_protocol_version("0.10.1")->tag() == "0.10.1-IV2");
  CHECK(find_protocol_version("0.9.0.1")->tag() == "0.9.0");
  CHECK(*find_protocol_version("2.8") > *find_protocol_version("2.7-IV2"));
  for (const auto* wrong : {"", "2", "2.7-IV5", "2.7-IV", "abc", "5.0", "0.9", "..", "2..7"}) {
    INFO(wrong);
    CHECK_FALSE(find_protocol_version(wrong).has_value());
  }
  CHECK(find_protocol_version("0.9.0")->record_version() == 0);
  CHECK(find_protocol_version("0.10.2")->record_version() == 1);
  CHECK(find_protocol_version("0.11.0")->record_version() == 2);
}
