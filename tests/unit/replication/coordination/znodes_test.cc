#include "replication/coordination/znodes.h"

#include <catch2/catch.hpp>

#include "base/random.h"

using namespace replication;
using base::BrokerId;

namespace {
const base::Uuid kId = *base::Uuid::from_text("MkU3OEVBNTcwNTJENDM2Qg");
}

TEST_CASE("paths are Kafka's") {
  CHECK(paths::broker(BrokerId{7}) == "/brokers/ids/7");
  CHECK(paths::partition_state("t.x", 12) == "/brokers/topics/t.x/partitions/12/state");
  CHECK(paths::config("topics", "t") == "/config/topics/t");
  CHECK(paths::parent("/a/b") == "/a");
  CHECK(paths::parent("/a") == "/");
  CHECK(paths::last("/a/b") == "b");
  CHECK(paths::sequence("config_change_0000000017") == 17);
  CHECK_FALSE(paths::sequence("config_change_").has_value());
  CHECK_FALSE(paths::sequence("config_change_x7").has_value());
}

TEST_CASE("names of users and clients are percent-encoded as Java's Sanitizer does it") {
  CHECK(paths::sanitize("CN=a b,O=*+~") == "CN%3Da%20b%2CO%3D%2A%2B%7E");
  CHECK(paths::desanitize("CN%3Da%20b%2CO%3D%2A%2B%7E") == "CN=a b,O=*+~");
  CHECK_FALSE(paths::desanitize("%4").has_value());
  CHECK_FALSE(paths::desanitize("%zz").has_value());
}

TEST_CASE("the cluster id node has its version as text") {
  CHECK(encode(ClusterIdNode{.id = "MkU3OEVBNTcwNTJENDM2Qg"}) == R"({"version":"1","id":"MkU3OEVBNTcwNTJENDM2Qg"})");
  CHECK(decode_cluster_id("/cluster/id", R"({"version":"1","id":"x"})").value().id == "x");
}

TEST_CASE("a broker registration is Kafka's version 5, byte for byte") {
  const std::string golden =
      R"({"version":5,"host":"h1","port":9092,"jmx_port":-1,"timestamp":"1617000000000",)"
      R"("endpoints":["PLAINTEXT://h1:9092"],"rack":"r1","listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},)"
      R"("features":{}})";
  BrokerNode node{.endpoints = {{"PLAINTEXT", "PLAINTEXT", "h1", 9092}},
                  .rack = "r1",
                  .timestamp = base::timestamp_from_ms(1617000000000)};
  CHECK(encode(node) == golden);
  CHECK(decode_broker("/brokers/ids/1", golden).value() == node);
}

TEST_CASE("a broker without a plaintext listener registers no host and no port") {
  BrokerNode node{.endpoints = {{"EXTERNAL", "SASL_SSL", "::1", 9094}}};
  CHECK(encode(node) ==
        R"({"version":5,"host":null,"port":-1,"jmx_port":-1,"timestamp":"0","endpoints":["EXTERNAL://[::1]:9094"],)"
        R"("listener_security_protocol_map":{"EXTERNAL":"SASL_SSL"},"features":{}})");
  CHECK(decode_broker("p", encode(node)).value() == node);
}

TEST_CASE("registrations of versions 1 to 4 are read") {
  auto v1 = decode_broker("p", R"({"version":1,"host":"h","port":9092,"jmx_port":9999,"timestamp":"5"})").value();
  CHECK(v1.endpoints == std::vector<Endpoint>{{"PLAINTEXT", "PLAINTEXT", "h", 9092}});
  CHECK(v1.jmx_port == 9999);
  auto v2 = decode_broker("p", R"({"version":2,"host":"h","port":9092,"jmx_port":-1,"timestamp":"5",)"
                               R"("endpoints":["PLAINTEXT://h:9092","SSL://h:9093"]})")
                .value();
  CHECK(v2.endpoints.at(1) == Endpoint{"SSL", "SSL", "h", 9093});
  auto v3 = decode_broker("p", R"({"version":3,"host":"h","port":9092,"jmx_port":-1,"timestamp":"5",)"
                               R"("endpoints":["PLAINTEXT://h:9092"],"rack":"r"})")
                .value();
  CHECK(v3.rack == "r");
  auto v4 = decode_broker("p", R"({"version":4,"host":null,"port":-1,"jmx_port":-1,"timestamp":"5","rack":null,)"
                               R"("listener_security_protocol_map":{"X":"SASL_PLAINTEXT"},"endpoints":["X://:9092"]})")
                .value();
  CHECK(v4.endpoints == std::vector<Endpoint>{{"X", "SASL_PLAINTEXT", "", 9092}});
  CHECK_FALSE(v4.rack.has_value());
}

TEST_CASE("a topic node is read in all versions and keeps what it does not know") {
  auto v1 = decode_topic("p", R"({"version":1,"partitions":{"10":[1,2],"9":[2]}})").value();
  CHECK(v1.replicas.at(10) == std::vector<BrokerId>{BrokerId{1}, BrokerId{2}});
  CHECK(encode(v1) == R"({"version":1,"partitions":{"9":[2],"10":[1,2]}})");

  const std::string v3 = R"({"version":3,"partitions":{"0":[1,2]},"adding_replicas":{"0":[2]},"removing_replicas":{},)"
                         R"("topic_id":"MkU3OEVBNTcwNTJENDM2Qg"})";
  auto node = decode_topic("p", v3).value();
  CHECK(node.topic_id == kId);
  CHECK(node.adding.at(0) == std::vector<BrokerId>{BrokerId{2}});
  CHECK(encode(node) == v3);

  const std::string newer = R"({"version":4,"partitions":{"0":[1]},"adding_replicas":{},"removing_replicas":{},)"
                            R"("topic_id":"MkU3OEVBNTcwNTJENDM2Qg","observers":{"0":[3]},"note":"x"})";
  auto rewritten = decode_topic("p", newer).value();
  rewritten.replicas[1] = {BrokerId{1}};
  CHECK(encode(rewritten) ==
        R"({"version":4,"partitions":{"0":[1],"1":[1]},"adding_replicas":{},"removing_replicas":{},)"
        R"("topic_id":"MkU3OEVBNTcwNTJENDM2Qg","observers":{"0":[3]},"note":"x"})");
}

TEST_CASE("a partition state names the recovery state only while it recovers") {
  const std::string plain = R"({"controller_epoch":7,"leader":1,"version":1,"leader_epoch":3,"isr":[1,2]})";
  auto state = decode_partition_state("p", plain).value();
  CHECK(state.controller_epoch == 7);
  CHECK(state.leader == BrokerId{1});
  CHECK(state.leader_epoch == base::LeaderEpoch{3});
  CHECK(encode(state) == plain);
  const std::string recovering =
      R"({"controller_epoch":7,"leader":-1,"version":1,"leader_epoch":3,"isr":[1],"leader_recovery_state":1})";
  CHECK(encode(decode_partition_state("p", recovering).value()) == recovering);
  CHECK(decode_partition_state("p", recovering)->recovering);
  CHECK_FALSE(state.recovering);
}

TEST_CASE("what tools write to start elections and reassignments is read, and nonsense refused") {
  const std::string election =
      R"({"version":1,"partitions":[{"topic":"t","partition":3},{"topic":"u","partition":0}]})";
  const auto preferred = decode_preferred_election("p", election).value();
  CHECK(preferred.partitions == std::vector<base::TopicPartition>{{"t", 3}, {"u", 0}});
  CHECK(encode(preferred) == election);
  const std::string moves = R"({"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[2,1]}]})";
  const auto wanted = decode_reassign_partitions("p", moves).value();
  CHECK(wanted.partitions.at({"t", 0}) == std::vector{BrokerId{2}, BrokerId{1}});
  CHECK(encode(wanted) == moves);
  CHECK(decode_reassign_partitions(
            "p", R"({"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[2],"log_dirs":["any"]}]})")
            .ok());
  for (const char* broken :
       {"", "x", "[]", "{}", R"({"partitions":{}})", R"({"partitions":[1]})", R"({"partitions":[{"topic":"t"}]})",
        R"({"partitions":[{"partition":0}]})", R"({"partitions":[{"topic":1,"partition":0}]})",
        R"({"partitions":[{"topic":"t","partition":"0"}]})", R"({"partitions":[{"topic":"t","partition":-1}]})"}) {
    CHECK_FALSE(decode_preferred_election("p", broken).ok());
    CHECK_FALSE(decode_reassign_partitions("p", broken).ok());
  }
  CHECK_FALSE(decode_reassign_partitions("p", R"({"partitions":[{"topic":"t","partition":0}]})").ok());
  CHECK_FALSE(decode_reassign_partitions("p", R"({"partitions":[{"topic":"t","partition":0,"replicas":["1"]}]})").ok());
}

TEST_CASE("the smaller nodes are Kafka's too") {
  CHECK(encode(ControllerNode{.broker = BrokerId{1}, .timestamp = base::timestamp_from_ms(1617000000000)}) ==
        R"({"version":1,"brokerid":1,"timestamp":"1617000000000"})");
  auto migrating =
      decode_controller("p", R"({"version":2,"brokerid":3000,"timestamp":"1617","kraftControllerEpoch":4})").value();
  CHECK(migrating.broker == BrokerId{3000});
  CHECK(migrating.kraft_controller_epoch == 4);
  CHECK(encode_controller_epoch(7) == "7");
  CHECK(decode_controller_epoch("p", "7").value() == 7);
  CHECK_FALSE(decode_controller_epoch("p", "x").ok());
  CHECK(encode_config({{"retention.ms", "1000"}}) == R"({"version":1,"config":{"retention.ms":"1000"}})");
  CHECK(encode_config({}) == R"({"version":1,"config":{}})");
  CHECK(decode_config("p", "").value().empty());
  CHECK(decode_config("p", R"({"version":1,"config":{"a":"b"}})").value() == ConfigEntries{{"a", "b"}});
  CHECK_FALSE(decode_config("p", R"({"version":1,"config":{"a":1}})").ok());
  CHECK(encode(ConfigChangeNode{.entity_path = "topics/foo"}) == R"({"version":2,"entity_path":"topics/foo"})");
  CHECK(encode(LogDirEventNode{.broker = base::BrokerId{2}}) == R"({"version":1,"broker":2,"event":1})");
  CHECK(decode_log_dir_event("p", R"({"version":2,"event":1,"broker":7,"x":{}})").value().broker == base::BrokerId{7});
  for (const char* broken : {"", "garbage", "{}", R"({"broker":"7"})", R"({"broker":99999999999})"})
    CHECK_FALSE(decode_log_dir_event("p", broken).ok());
  CHECK(paths::log_dir_event_prefix() == "/log_dir_event_notification/log_dir_event_");
  CHECK(decode_config_change("p", R"({"version":1,"entity_type":"topics","entity_name":"foo"})").value().entity_path ==
        "topics/foo");
  const std::string block = R"({"version":1,"broker":1,"block_start":"0","block_end":"999"})";
  CHECK(encode(ProducerIdBlockNode{.broker = BrokerId{1}, .first = 0, .last = 999}) == block);
  CHECK(decode_producer_id_block("p", block).value().last == 999);
}

TEST_CASE("the news of a changed in-sync set names partitions, and one that is malformed is refused whole") {
  const std::string json = R"({"version":1,"partitions":[{"topic":"t","partition":0},{"topic":"u","partition":3}]})";
  CHECK(encode(IsrChangeNode{.partitions = {{"t", 0}, {"u", 3}}}) == json);
  CHECK(decode_isr_change("p", json).value().partitions == std::vector<base::TopicPartition>{{"t", 0}, {"u", 3}});
  CHECK(decode_isr_change("p", R"({"version":9,"partitions":[],"x":1})").value().partitions.empty());
  for (const char* broken :
       {"", "[]", "{}", R"({"partitions":{}})", R"({"partitions":[1]})", R"({"partitions":[{"topic":"t"}]})",
        R"({"partitions":[{"topic":1,"partition":0}]})", R"({"partitions":[{"topic":"t","partition":"x"}]})"})
    CHECK_FALSE(decode_isr_change("p", broken).ok());
  CHECK(paths::isr_change_prefix() == "/isr_change_notification/isr_change_");
}

TEST_CASE("the feature node reads back as it was, whichever release wrote it") {
  CHECK(encode(FeatureNode{}) == R"({"version":1,"status":1,"features":{}})");
  CHECK(decode_feature("/feature", R"({"features":{},"version":2,"status":1})").value() == FeatureNode{.version = 2});
  CHECK_FALSE(decode_feature("/feature", R"({"version":1,"status":0,"features":{}})").value().enabled);
  for (const std::string json :
       {R"({"version":1,"status":1,"features":{"f":{"min_version_level":1,"max_version_level":2}}})",
        R"({"version":2,"status":0,"features":{"f":{"max_version_level":2}},"later":[1]})"})
    CHECK(encode(decode_feature("/feature", json).value()) == json);
  for (const std::string json :
       {"", "garbage", "[]", R"({"status":1,"features":{}})", R"({"version":1,"status":1})",
        R"({"version":1,"status":7,"features":{}})", R"({"version":1,"status":1,"features":3})"})
    CHECK_FALSE(decode_feature("/feature", json).ok());
}

TEST_CASE("a broken node is refused with its path and the reason") {
  const auto reason = [](auto result) { return result.ok() ? std::string("accepted") : result.error().detail; };
  CHECK(reason(decode_topic("/brokers/topics/t", "{")) == "/brokers/topics/t: not JSON: incomplete JSON");
  CHECK(reason(decode_topic("/brokers/topics/t", "[1]")) == "/brokers/topics/t: not a JSON object");
  CHECK(reason(decode_topic("/p", "{}")) == "/p: no field 'partitions'");
  CHECK(reason(decode_topic("/p", R"({"partitions":{"x":[1]}})")) == "/p: 'x' in partitions is no partition number");
  CHECK(reason(decode_topic("/p", R"({"partitions":{"0":[1.5]}})")) == "/p: partitions is not a fitting number");
  CHECK(reason(decode_topic("/p", R"({"partitions":{"0":[99999999999]}})")) ==
        "/p: partitions is not a fitting number");
  CHECK(reason(decode_topic("/p", R"({"partitions":{"0":7}})")) == "/p: partitions is not an array");
  CHECK(reason(decode_topic("/p", R"({"partitions":{},"topic_id":"short"})")) == "/p: 'short' is no topic id");
  CHECK(reason(decode_broker("/b", R"({"version":5,"endpoints":["nonsense"]})")) == "/b: 'nonsense' is no endpoint");
  CHECK(reason(decode_broker("/b", R"({"version":0})")) == "/b: version below 1");
  CHECK(decode_topic("/p", "{").error().code == base::ErrorCode::corrupt_message);
}

TEST_CASE("damaged nodes never do worse than being refused") {
  const std::vector<std::string> healthy = {
      encode(BrokerNode{.endpoints = {{"PLAINTEXT", "PLAINTEXT", "h1", 9092}, {"X", "SSL", "::1", 1}}, .rack = "r1"}),
      encode(TopicNode{.topic_id = kId, .replicas = {{0, {BrokerId{1}}}, {1, {BrokerId{2}}}}, .adding = {{0, {}}}}),
      encode(PartitionStateNode{.leader = BrokerId{1}, .isr = {BrokerId{1}}}),
      encode(ControllerNode{.broker = BrokerId{1}}),
      encode_config({{"a", "b"}}),
      encode(ConfigChangeNode{.entity_path = "topics/foo"}),
      encode(ProducerIdBlockNode{.broker = BrokerId{1}, .first = 0, .last = 999}),
      encode(ClusterIdNode{.id = "x"}),
      std::string(10000, '['),
      R"({"partitions":)" + std::string(10000, '{') + "}",
  };
  const std::string spice = R"({}[]",:0-9.eE\un)";
  base::SeededRandom random(20260101);
  for (int round = 0; round < 20000; ++round) {
    std::string text = healthy[random.below(healthy.size())];
    for (auto edits = random.below(4); edits > 0 && !text.empty(); --edits) {
      const auto at = random.below(text.size());
      switch (random.below(4)) {
        case 0:
          text[at] = static_cast<char>(random.below(256));
          break;
        case 1:
          text.erase(at, random.below(8) + 1);
          break;
        case 2:
          text.insert(at, 1, spice[random.below(spice.size())]);
          break;
        default:
          text.resize(at);
      }
    }
    // What is accepted can be written again and is then stable.
    if (auto node = decode_topic("/p", text); node.ok()) CHECK(decode_topic("/p", encode(*node)).value() == *node);
    if (auto node = decode_broker("/p", text); node.ok()) CHECK_NOTHROW(encode(*node));
    if (auto node = decode_partition_state("/p", text); node.ok())
      CHECK(decode_partition_state("/p", encode(*node)).value() == *node);
    (void)decode_controller("/p", text).ok();
    (void)decode_config("/p", text).ok();
    (void)decode_config_change("/p", text).ok();
    (void)decode_producer_id_block("/p", text).ok();
    (void)decode_cluster_id("/p", text).ok();
    (void)decode_controller_epoch("/p", text).ok();
    (void)paths::desanitize(text);
    (void)paths::sequence(text);
  }
}
