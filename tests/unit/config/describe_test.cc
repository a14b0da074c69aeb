#include "config/describe.h"

#include <catch2/catch.hpp>

#include <algorithm>

#include "config/load.h"

using namespace config;

namespace {

std::string host_name() { return "kafka.example"; }

struct World {
  DynamicSettings settings;
  explicit World(const std::string& file)
      : settings(
            [&] {
              auto loaded = load_broker_settings(file, {}, {.host_name = host_name, .file_name = "server.properties"});
              REQUIRE(loaded.ok());
              return std::move(loaded->settings);
            }(),
            host_name) {}
  DescribedSetting topic(const std::string& name, const Texts& overrides = {}) const {
    return only(describe_topic(*settings.snapshot(), overrides), name);
  }
  DescribedSetting broker(const std::string& name) const { return only(describe_broker(*settings.snapshot()), name); }

  static DescribedSetting only(const std::vector<DescribedSetting>& all, const std::string& name) {
    INFO(name);
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.name == name; });
    REQUIRE(found != all.end());
    return *found;
  }
};

// "DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact, ..." as kafka-configs prints synonyms, sources as numbers.
std::string synonyms_of(const DescribedSetting& described) {
  std::string text;
  for (const auto& synonym : described.synonyms)
    text += (text.empty() ? "" : ", ") + std::to_string(static_cast<int>(synonym.source)) + ":" + synonym.name + "=" +
            synonym.value.value_or("null");
  return text;
}

}  // namespace

TEST_CASE("a fresh topic shows 36 settings at their defaults, sorted by name") {
  const World world("");
  const auto all = describe_topic(*world.settings.snapshot(), {});
  CHECK(all.size() == 36);
  CHECK(std::is_sorted(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; }));
  for (const auto& each : all) {
    INFO(each.name);
    CHECK(each.is_default());
    CHECK_FALSE(each.read_only);
    CHECK_FALSE(each.sensitive);
    CHECK(each.value.has_value());
    CHECK_FALSE(each.documentation.empty());
    CHECK(each.type != Type::unknown);
  }
  CHECK(world.topic("message.format.version").value == "3.0-IV1");
  CHECK(world.topic("min.cleanable.dirty.ratio").value == "0.5");
  CHECK(synonyms_of(world.topic("cleanup.policy")) == "5:log.cleanup.policy=delete");
  // These follow keys in other units, which do not count as synonyms.
  for (const auto* name : {"retention.ms", "segment.ms", "segment.jitter.ms", "flush.ms"})
    CHECK(synonyms_of(world.topic(name)).empty());
}

TEST_CASE("a topic's overrides come before what the broker says, which stays visible") {
  World world("log.cleanup.policy=delete\nlog.retention.hours=5\nmessage.max.bytes= 777 ");
  world.settings.set_cluster_overrides({{"log.cleanup.policy", "compact"}});
  world.settings.set_broker_overrides({{"log.cleanup.policy", "compact,delete"}});
  const auto policy = world.topic("cleanup.policy", {{"cleanup.policy", "delete , compact"}});
  CHECK(policy.source == Source::topic);
  CHECK(policy.value == "delete,compact");
  CHECK(policy.type == Type::list);
  CHECK(synonyms_of(policy) ==
        "1:cleanup.policy=delete,compact, 2:log.cleanup.policy=compact,delete, 3:log.cleanup.policy=compact, "
        "4:log.cleanup.policy=delete, 5:log.cleanup.policy=delete");
  CHECK(world.topic("cleanup.policy").source == Source::dynamic_broker);

  const auto retention = world.topic("retention.ms");
  CHECK(retention.value == "18000000");
  CHECK(retention.source == Source::default_value);
  CHECK(retention.synonyms.empty());

  const auto largest = world.topic("max.message.bytes");
  CHECK(largest.value == "777");
  CHECK(largest.source == Source::static_broker);
}

TEST_CASE("a stored topic key that nobody knows is shown without its value") {
  const auto unknown = World("").topic("from.the.future", {{"from.the.future", "secret"}});
  CHECK(unknown.sensitive);
  CHECK_FALSE(unknown.value.has_value());
  CHECK(unknown.source == Source::topic);
  CHECK(unknown.type == Type::unknown);
}

TEST_CASE("a broker shows every public key, typed, with what may change marked so") {
  const World world("log.retention.hours=5\nbroker.rack=r1\nsuper.users=User:a\nfoo.bar=1\nssl.key.password=geheim");
  const auto all = describe_broker(*world.settings.snapshot());
  CHECK(all.size() > 320);

  const auto hours = world.broker("log.retention.hours");
  CHECK(hours.value == "5");
  CHECK(hours.read_only);
  CHECK(hours.source == Source::static_broker);
  const auto ms = world.broker("log.retention.ms");
  CHECK_FALSE(ms.value.has_value());
  CHECK_FALSE(ms.read_only);
  CHECK(synonyms_of(ms) == "4:log.retention.hours=5, 5:log.retention.hours=168");

  const auto rack = world.broker("broker.rack");
  CHECK(rack.read_only);
  CHECK(rack.type == Type::string);
  const auto password = world.broker("ssl.key.password");
  CHECK(password.sensitive);
  CHECK_FALSE(password.value.has_value());
  CHECK(synonyms_of(password) == "4:ssl.key.password=null");
  for (const auto* name : {"foo.bar", "super.users"}) {
    const auto unknown = world.broker(name);
    CHECK(unknown.sensitive);
    CHECK(unknown.read_only);
    CHECK_FALSE(unknown.value.has_value());
    CHECK(unknown.type == Type::unknown);
  }
  // Internal keys are hidden until somebody sets them.
  CHECK(
      std::none_of(all.begin(), all.end(), [](const auto& each) { return each.name == "log.initial.task.delay.ms"; }));
}

TEST_CASE("a listener's own key falls back on the broker's") {
  World world("listener.name.internal.ssl.keystore.type=PEM\nlistener.name.internal.ssl.keystore.password=x");
  const auto type = world.broker("listener.name.internal.ssl.keystore.type");
  CHECK(type.value == "PEM");
  CHECK(type.type == Type::string);
  CHECK(synonyms_of(type) == "4:listener.name.internal.ssl.keystore.type=PEM, 5:ssl.keystore.type=JKS");
  CHECK_FALSE(world.broker("listener.name.internal.ssl.keystore.password").value.has_value());
}

TEST_CASE("the cluster's defaults show only what is set for all brokers") {
  World world("log.cleaner.threads=3");
  world.settings.set_cluster_overrides({{"log.cleaner.threads", "2"}, {"foo.bar", "x"}});
  const auto all = describe_cluster_defaults(*world.settings.snapshot());
  REQUIRE(all.size() == 2);
  CHECK(all[0].name == "foo.bar");
  CHECK(all[0].sensitive);
  CHECK_FALSE(all[0].value.has_value());
  CHECK(all[1].value == "2");
  CHECK(all[1].source == Source::dynamic_default_broker);
  CHECK(synonyms_of(all[1]) == "3:log.cleaner.threads=2");
  CHECK(world.broker("log.cleaner.threads").source == Source::dynamic_default_broker);
}
