#include "config/topic_settings.h"

#include <catch2/catch.hpp>

#include <limits>

#include "tests/support/config/tables.h"

using namespace config;

namespace {

BrokerSettings broker_with(Texts texts) {
  auto settings = BrokerSettings::from(std::move(texts));
  REQUIRE(settings.ok());
  return std::move(*settings);
}

std::string refusal(const Texts& overrides) {
  const auto checked = validate_topic_overrides(BrokerSettings(), overrides);
  REQUIRE_FALSE(checked.ok());
  CHECK(checked.error().code == base::ErrorCode::invalid_config);
  return checked.error().detail;
}

}  // namespace

TEST_CASE("a topic has exactly the 36 keys of Kafka 3.9, with their types, defaults and broker keys") {
  const auto rows = test::read_table(WEIR_TEST_DATA "/data/topic-configs.tsv");
  CHECK(rows.size() == 36);
  CHECK(topic_settings().size() == 36);
  const TopicSettings defaults;
  for (const auto& row : rows) {
    INFO(row.at("key"));
    const auto* setting = find_topic_setting(row.at("key"));
    REQUIRE(setting != nullptr);
    std::string type(type_name(setting->type));
    for (auto& c : type) c = static_cast<char>(std::tolower(c));
    CHECK(type == row.at("type"));
    auto expected = test::newest(row.at("default"));
    if (expected == "\"\"") expected = "";
    CHECK(text_of(setting->value(defaults)) == expected);
    const auto& synonyms = row.at("broker_synonyms_in_order");
    CHECK((setting->broker_key.empty() ? "none" : std::string(setting->broker_key)) ==
          synonyms.substr(0, synonyms.find(' ')));
    if (!setting->broker_key.empty()) CHECK(find_broker_setting(setting->broker_key) != nullptr);
    CHECK((setting->effect == Effect::ignored) == (row.at("relevance") == "accept-with-notice"));
    CHECK_FALSE(setting->doc.empty());
  }
}

TEST_CASE("a topic follows its broker, units converted") {
  const TopicSettings topic(broker_with({{"log.retention.hours", "2"},
                                         {"log.roll.hours", "3"},
                                         {"log.roll.jitter.hours", "1"},
                                         {"log.flush.scheduler.interval.ms", "77"},
                                         {"log.segment.bytes", "4096"},
                                         {"message.max.bytes", "555"},
                                         {"log.cleanup.policy", "compact,delete"},
                                         {"log.message.timestamp.difference.max.ms", "5"},
                                         {"compression.type", "zstd"}}));
  CHECK(topic.retention_ms == 7'200'000);
  CHECK(topic.segment_ms == 10'800'000);
  CHECK(topic.segment_jitter_ms == 3'600'000);
  CHECK(topic.flush_ms == 77);
  CHECK(topic.segment_bytes == 4096);
  CHECK(topic.max_message_bytes == 555);
  CHECK(topic.compacts());
  CHECK(topic.deletes());
  CHECK(topic.timestamp_before_max_ms() == 5);
  CHECK(topic.timestamp_after_max_ms() == 5);
  CHECK(topic.compression() == CompressionType::zstd);
  CHECK(topic.timestamp_type() == TimestampType::create_time);
}

TEST_CASE("an override goes before the broker, and what does not parse leaves the broker's value") {
  const auto broker = broker_with({{"log.retention.ms", "5"}});
  const auto topic = TopicSettings::with(
      broker,
      {{"retention.ms", "0"}, {"segment.bytes", "lots"}, {"new.in.kafka.5", "x"}, {"cleanup.policy", "compact"}});
  CHECK(topic.retention_ms == 0);
  CHECK(topic.segment_bytes == 1'073'741'824);
  CHECK(topic.compacts());
  CHECK_FALSE(topic.deletes());
  CHECK_FALSE(topic == TopicSettings(broker));
  CHECK(TopicSettings(broker) == TopicSettings(broker));
}

TEST_CASE("the format of records is the topic's, then the broker's, and the newest from protocol 3.0 on") {
  const auto old = broker_with({{"inter.broker.protocol.version", "2.7"}, {"log.message.format.version", "0.10.2"}});
  CHECK(TopicSettings(old).record_version() == 1);
  CHECK(TopicSettings::with(old, {{"message.format.version", "0.9.0"}}).record_version() == 0);
  CHECK(TopicSettings::with(old, {{"message.format.version", "1.0"}}).record_version() == 2);
  CHECK(TopicSettings::with(BrokerSettings(), {{"message.format.version", "0.9.0"}}).record_version() == 2);
  CHECK(TopicSettings(broker_with({{"log.message.format.version", "0.9.0"}})).record_version() == 2);
}

TEST_CASE("a topic's limits on timestamps: each its own, or the symmetric one") {
  const auto topic = TopicSettings::with(
      BrokerSettings(), {{"message.timestamp.difference.max.ms", "100"}, {"message.timestamp.after.max.ms", "7"}});
  CHECK(topic.timestamp_before_max_ms() == 100);
  CHECK(topic.timestamp_after_max_ms() == 7);
}

TEST_CASE("a compacted topic's segment rolls in time to be compacted") {
  const auto topic = TopicSettings::with(
      BrokerSettings(),
      {{"cleanup.policy", "compact"}, {"max.compaction.lag.ms", "1000"}, {"segment.jitter.ms", "99"}});
  CHECK(topic.roll_ms() == 1000);
  CHECK(topic.roll_jitter_ms() == 99);
  CHECK(TopicSettings::with(BrokerSettings(), {{"segment.ms", "10"}, {"segment.jitter.ms", "99"}}).roll_jitter_ms() ==
        10);
}

TEST_CASE("overrides are refused in Kafka's words") {
  CHECK(refusal({{"foo", "1"}}) == "Unknown topic config name: foo");
  CHECK(refusal({{"foo", "1"}, {"retention.ms", "x"}}) == "Unknown topic config name: foo");
  CHECK(refusal({{"retention.ms", "x"}}) ==
        "Invalid value x for configuration retention.ms: Not a number of type LONG");
  CHECK(refusal({{"retention.ms", "-2"}}) ==
        "Invalid value -2 for configuration retention.ms: Value must be at least -1");
  CHECK(refusal({{"min.insync.replicas", "0"}}) ==
        "Invalid value 0 for configuration min.insync.replicas: Value must be at least 1");
  CHECK(refusal({{"min.cleanable.dirty.ratio", "1.5"}}) ==
        "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1");
  CHECK(refusal({{"preallocate", "maybe"}}) ==
        "Invalid value maybe for configuration preallocate: Expected value to be either true or false");
  CHECK(refusal({{"cleanup.policy", "delete,shred"}}) ==
        "Invalid value shred for configuration cleanup.policy: String must be one of: compact, delete");
  CHECK(refusal({{"cleanup.policy", "compact,"}}) ==
        "Invalid value  for configuration cleanup.policy: String must be one of: compact, delete");
  CHECK(
      refusal({{"compression.type", "none"}}) ==
      "Invalid value none for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, "
      "gzip, producer");
  CHECK(refusal({{"message.timestamp.type", "createtime"}}) ==
        "Invalid value createtime for configuration message.timestamp.type: String must be one of: CreateTime, "
        "LogAppendTime");
  CHECK(refusal({{"compression.gzip.level", "0"}}) ==
        "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1");
  CHECK(refusal({{"compression.zstd.level", "23"}}) ==
        "Invalid value 23 for configuration compression.zstd.level: Value must be no more than 22");
  CHECK(refusal({{"message.format.version", "9.9"}}) ==
        "Invalid value 9.9 for configuration message.format.version: Version `9.9` is not a valid version");
  CHECK(refusal({{"leader.replication.throttled.replicas", "0:1,x"}}) ==
        "Invalid value [0:1, x] for configuration leader.replication.throttled.replicas: "
        "leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following format: "
        "[partitionId]:[brokerId],[partitionId]:[brokerId],...");
  CHECK(refusal({{"min.compaction.lag.ms", "10"}, {"max.compaction.lag.ms", "5"}}) ==
        "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)");
  CHECK(refusal({{"remote.storage.enable", "true"}}).find("Tiered Storage functionality is disabled") == 0);
}

TEST_CASE("good overrides pass") {
  const Texts all = {{"retention.ms", " +5 "},
                     {"retention.bytes", "-100"},
                     {"cleanup.policy", "compact, delete"},
                     {"leader.replication.throttled.replicas", "0:1,12:3"},
                     {"follower.replication.throttled.replicas", "*"},
                     {"message.format.version", "0.10.2"},
                     {"compression.gzip.level", "-1"},
                     {"unclean.leader.election.enable", "TRUE"}};
  CHECK(validate_topic_overrides(BrokerSettings(), all).ok());
  CHECK(validate_topic_overrides(BrokerSettings(), {}).ok());
  CHECK(validate_topic_overrides(BrokerSettings(), {{"leader.replication.throttled.replicas", ""}}).ok());
}
