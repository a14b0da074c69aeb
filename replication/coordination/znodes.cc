#include "replication/coordination/znodes.h"

#include <algorithm>

#include "replication/coordination/json.h"

namespace replication {

namespace bj = boost::json;

// ---- paths -------------------------------------------------------------------------------------------------------

namespace paths {

std::string broker(base::BrokerId id) { return fmt::format("{}/{}", kBrokerIds, id); }
std::string topic(std::string_view topic) { return fmt::format("{}/{}", kTopics, topic); }
std::string topic_partitions(std::string_view topic) { return fmt::format("{}/{}/partitions", kTopics, topic); }
std::string partition(std::string_view topic, base::PartitionIndex partition) {
  return fmt::format("{}/{}/partitions/{}", kTopics, topic, partition);
}
std::string partition_state(std::string_view topic, base::PartitionIndex partition) {
  return fmt::format("{}/{}/partitions/{}/state", kTopics, topic, partition);
}
std::string delete_topic(std::string_view topic) { return fmt::format("{}/{}", kDeleteTopics, topic); }
std::string consumer_offset(std::string_view group, std::string_view topic, base::PartitionIndex partition) {
  return fmt::format("/consumers/{}/offsets/{}/{}", group, topic, partition);
}
std::string config(std::string_view type, std::string_view name) { return fmt::format("/config/{}/{}", type, name); }
std::string config_change_prefix() { return fmt::format("{}/config_change_", kConfigChanges); }
std::string log_dir_event_prefix() { return fmt::format("{}/log_dir_event_", kLogDirEvents); }
std::string isr_change_prefix() { return fmt::format("{}/isr_change_", kIsrChanges); }

const std::vector<std::string>& top_level() {
  static const std::vector<std::string> all = {"/consumers",
                                               "/brokers",
                                               "/brokers/ids",
                                               "/brokers/topics",
                                               "/config",
                                               "/config/changes",
                                               "/admin",
                                               "/admin/delete_topics",
                                               "/brokers/seqid",
                                               "/isr_change_notification",
                                               "/latest_producer_id_block",
                                               "/log_dir_event_notification",
                                               "/config/topics",
                                               "/config/clients",
                                               "/config/users",
                                               "/config/brokers",
                                               "/config/ips"};
  return all;
}

std::string parent(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos || slash == 0) return "/";
  return std::string(path.substr(0, slash));
}
std::string_view last(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::optional<std::int64_t> sequence(std::string_view name) {
  std::int64_t number = 0;
  const auto underscore = name.rfind('_');
  if (underscore == std::string_view::npos || underscore + 1 == name.size()) return {};
  const auto digits = name.substr(underscore + 1);
  if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) return {};
  if (!json::read_number(digits, number)) return {};
  return number;
}

std::string sanitize(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    if (plain)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::optional<std::string> desanitize(std::string_view name) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '%') {
      out += name[i] == '+' ? ' ' : name[i];
      continue;
    }
    if (i + 2 >= name.size() || digit(name[i + 1]) < 0 || digit(name[i + 2]) < 0) return {};
    out += static_cast<char>(digit(name[i + 1]) * 16 + digit(name[i + 2]));
    i += 2;
  }
  return out;
}

}  // namespace paths

// ---- contents ----------------------------------------------------------------------------------------------------

namespace {

bj::array ids_to_json(const std::vector<base::BrokerId>& ids) {
  bj::array out;
  for (const auto id : ids) out.emplace_back(id.raw);
  return out;
}
std::vector<base::BrokerId> ids_from_json(json::Object& in, const bj::array& ids, std::string_view what) {
  std::vector<base::BrokerId> out;
  for (const auto& id : ids) out.emplace_back(in.to_number<std::int32_t>(id, what));
  return out;
}

bj::object lists_to_json(const ReplicaLists& lists) {
  bj::object out;
  for (const auto& [partition, ids] : lists) out.emplace(std::to_string(partition), ids_to_json(ids));
  return out;
}
ReplicaLists lists_from_json(json::Object& in, const bj::object& lists, std::string_view what) {
  ReplicaLists out;
  for (const auto& field : lists) {
    const std::string_view key(field.key().data(), field.key().size());
    base::PartitionIndex partition = 0;
    if (!json::read_number(key, partition) || partition < 0) {
      in.fail(fmt::format("'{}' in {} is no partition number", key, what));
      break;
    }
    out[partition] = ids_from_json(in, in.to_array(field.value(), what), what);
  }
  return out;
}

// "EXTERNAL://[::1]:9092"; the listener's name stands for its protocol where no map says otherwise.
bool read_endpoint(std::string_view uri, Endpoint& out) {
  const auto scheme = uri.find("://");
  const auto colon = uri.rfind(':');
  if (scheme == std::string_view::npos || colon == std::string_view::npos || colon < scheme + 3) return false;
  auto host = uri.substr(scheme + 3, colon - scheme - 3);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  out = {.listener = std::string(uri.substr(0, scheme)),
         .security_protocol = std::string(uri.substr(0, scheme)),
         .host = std::string(host)};
  return json::read_number(uri.substr(colon + 1), out.port);
}
std::string endpoint_uri(const Endpoint& endpoint) {
  const bool is_ipv6 = endpoint.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", endpoint.listener, is_ipv6 ? "[" : "", endpoint.host, is_ipv6 ? "]" : "",
                     endpoint.port);
}

}  // namespace

// {"version":"1","id":"MkU3OEVBNTcwNTJENDM2Qg"}: the version is text.
std::string encode(const ClusterIdNode& node) { return bj::serialize(bj::object{{"version", "1"}, {"id", node.id}}); }
base::Result<ClusterIdNode> decode_cluster_id(std::string_view path, std::string_view text) {
  json::Object in(path, text);
  ClusterIdNode node{.id = in.text("id")};
  if (!in.ok()) return in.error();
  return node;
}

namespace {
bj::value features_object(const std::string& features) {
  boost::system::error_code error;
  bj::value found = bj::parse(features, error);
  return error ? bj::object() : found;
}
}  // namespace

// {"version":5,"host":"h1","port":9092,"jmx_port":-1,"timestamp":"1617000000000","endpoints":["PLAINTEXT://h1:9092"],
//  "rack":"r1","listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},"features":{}}
// Versions below 4 have no map, below 2 only host and port: those of a plaintext listener.
std::string encode(const BrokerNode& node) {
  const auto plain = std::ranges::find(node.endpoints, "PLAINTEXT", &Endpoint::security_protocol);
  bj::object out{{"version", node.version}};
  if (plain != node.endpoints.end())
    out.emplace("host", plain->host), out.emplace("port", plain->port);
  else
    out.emplace("host", nullptr), out.emplace("port", -1);
  out.emplace("jmx_port", node.jmx_port);
  out.emplace("timestamp", std::to_string(base::to_ms(node.timestamp)));
  bj::array endpoints;
  bj::object protocols;
  for (const auto& endpoint : node.endpoints) {
    endpoints.emplace_back(endpoint_uri(endpoint));
    protocols[endpoint.listener] = endpoint.security_protocol;
  }
  if (node.version >= 2) out.emplace("endpoints", std::move(endpoints));
  if (node.version >= 3 && node.rack) out.emplace("rack", *node.rack);
  if (node.version >= 4) out.emplace("listener_security_protocol_map", std::move(protocols));
  if (node.version >= 5) out.emplace("features", features_object(node.features));
  return bj::serialize(out);
}
base::Result<BrokerNode> decode_broker(std::string_view path, std::string_view text) {
  json::Object in(path, text);
  BrokerNode node{.version = in.number<std::int32_t>("version")};
  if (in.ok() && node.version < 1) in.fail("version below 1");
  node.jmx_port = in.number_or<std::int32_t>("jmx_port", -1);
  if (in.find("timestamp")) node.timestamp = base::timestamp_from_ms(in.quoted_number<std::int64_t>("timestamp"));
  node.rack = in.text_if("rack");
  if (const auto& features = in.object_or_empty("features"); !features.empty()) node.features = bj::serialize(features);
  if (node.version < 2) {
    node.endpoints.push_back({.listener = "PLAINTEXT",
                              .security_protocol = "PLAINTEXT",
                              .host = in.text("host"),
                              .port = in.number<std::int32_t>("port")});
  } else {
    const auto& protocols = in.object_or_empty("listener_security_protocol_map");
    for (const auto& uri : in.array("endpoints")) {
      Endpoint endpoint;
      const std::string spelled = in.to_text(uri, "endpoints");
      if (in.ok() && !read_endpoint(spelled, endpoint)) in.fail("'" + spelled + "' is no endpoint");
      if (const auto* protocol = protocols.if_contains(endpoint.listener))
        endpoint.security_protocol = in.to_text(*protocol, "listener_security_protocol_map");
      node.endpoints.push_back(std::move(endpoint));
    }
  }
  if (!in.ok()) return in.error();
  return node;
}

// {"version":3,"partitions":{"0":[1,2]},"adding_replicas":{},"removing_replicas":{},"topic_id":"…"}
std::string encode(const TopicNode& node) {
  bj::object out{{"version", node.version}, {"partitions", lists_to_json(node.replicas)}};
  if (node.version >= 2 || !node.adding.empty() || !node.removing.empty()) {
    out.emplace("adding_replicas", lists_to_json(node.adding));
    out.emplace("removing_replicas", lists_to_json(node.removing));
  }
  if (node.topic_id) out.emplace("topic_id", node.topic_id->text());
  json::add_unknown(out, node.unknown);
  return bj::serialize(out);
}
base::Result<TopicNode> decode_topic(std::string_view path, std::string_view text) {
  json::Object in(path, text);
  TopicNode node{.version = in.number_or<std::int32_t>("version", 1)};
  node.replicas = lists_from_json(in, in.object("partitions"), "partitions");
  node.adding = lists_from_json(in, in.object_or_empty("adding_replicas"), "adding_replicas");
  node.removing = lists_from_json(in, in.object_or_empty("removing_replicas"), "removing_replicas");
  if (auto id = in.text_if("topic_id")) {
    node.topic_id = base::Uuid::from_text(*id);
    if (in.ok() && !node.topic_id) in.fail("'" + *id + "' is no topic id");
  }
  if (!in.ok()) return in.error();
  node.unknown = in.without({"version", "partitions", "adding_replicas", "removing_replicas", "topic_id"});
  return node;
}

// {"controller_epoch":7,"leader":1,"version":1,"leader_epoch":3,"isr":[1,2]}, while recovering also
// "leader_recovery_state":1
std::string encode(const PartitionStateNode& node) {
  bj::object out{{"controller_epoch", node.controller_epoch},
                 {"leader", node.leader.raw},
                 {"version", node.version},
                 {"leader_epoch", node.leader_epoch.raw},
                 {"isr", ids_to_json(node.isr)}};
  if (node.recovering) out.emplace("leader_recovery_state", 1);
  json::add_unknown(out, node.unknown);
  return bj::serialize(out);
}
base::Result<PartitionStateNode> decode_partition_state(std::string_view path, std::string_view text) {
  json::Object in(path, text);
  PartitionStateNode node{.version = in.number_or<std::int32_t>("version", 1)};
  node.controller_epoch = in.number<std::int32_t>("controller_epoch");
  node.leader = base::BrokerId{in.number<std::int32_t>("leader")};
  node.leader_epoch = base::LeaderEpoch{in.number<std::int32_t>("leader_epoch")};
  node.isr = ids_from_json(in, in.array("isr"), "isr");
  node.recovering = in.number_or<std::int32_t>("leader_recovery_state", 0) == 1;
  if (!in.ok()) return in.error();
  node.unknown = in.without({"version", "controller_epoch", "leader", "leader_epoch", "isr", "leader_recovery_state"});
  return node;
}

// {"version":1,"brokerid":1,"timestamp":"1617000000000"}; version 2 adds kraftControllerEpoch.
std::string encode(const ControllerNode& node) {
  return bj::serialize(bj::object{
      {"version", 1}, {"brokerid", node.broker.raw}, {"timestamp", std::to_string(base::to_ms(node.timestamp))}});
}
base::Result<ControllerNode> decode_controller(std::string_view path, std::string_view text) {
  json::Object in(path, text);
  ControllerNode node{.broker = base::BrokerId{in.number<std::int32_t>("brokerid")}};
  if (in.find("timestamp")) node.timestamp = base::timestamp_from_ms(in.quoted_number<std::int64_t>("timestamp"));
  node.kraft_controller_epoch = in.number_or<std::int32_t>("kraftControllerEpoch", -1);
  if (!in.ok()) return in.error();
  return node;
}

// Decimal text.
std::string encode_controller_epoch(std::int32_t epoch) { return std::to_string(epoch); }
base::Result<std::int32_t> decode_controller_epoch(std::string_view path, std::string_view text) {
  std::int32_t epoch = 0;
  if (!json::read_number(text, epoch))
    return base::fail(base::ErrorCode::corrupt_message, "{}: '{}' is no number", path, text);
  return epoch;
}

// {"version":1,"config":{"retention.ms":"1000"}}; no data at all (a parent node) means no entries.
std::string encode_config(const ConfigEntries& entries) {
  bj::object config;
  for (const auto& [key, value] : entries) config.emplace(key, value);
  return bj::serialize(bj::object{{"version", 1}, {"config", std::move(config)}});
}
base::Result<ConfigEntries> decode_config(std::string_view path, std::string_view text) {
  ConfigEntries entries;
  if (text.empty()) return entries;
  json::Object in(path, text);
  for (const auto& field : in.object("config")) {
    const std::string key(field.key().data(), field.key().size());
    entries[key] = in.to_text(field.value(), key);
  }
  if (!in.ok()) return in.error();
  return entries;
}

// {"version":2,"entity_path":"topics/foo"}; version 1: {"version":1,"entity_type":"topics","entity_name":"foo"}
std::string encode(const ConfigChangeNode& node) {
  return bj::serialize(bj::object{{"version", 2}, {"entity_path", node.entity_path}});
}
base::Result<ConfigChangeNode> decode_config_change(std::string_view path, std::string_view text) {
  json::Object in(path, text);
  ConfigChangeNode node;
  if (in.find("entity_path"))
    node.entity_path = in.text("entity_path");
  else
    node.entity_path = in.text("entity_type") + "/" + in.text("entity_name");
  if (!in.ok()) return in.error();
  return node;
}

// {"version":1,"broker":2,"event":1}: 1 is the only event there is, a failed directory.
std::string encode(const LogDirEventNode& node) {
  return bj::serialize(bj::object{{"version", 1}, {"broker", node.broker.raw}, {"event", 1}});
}
base::Result<LogDirEventNode> decode_log_dir_event(std::string_view path, std::string_view text) {
  json::Object in(path, text);
  LogDirEventNode node{.broker = base::BrokerId{in.number<std::int32_t>("broker")}};
  if (!in.ok()) return in.error();
  return node;
}

namespace {

// {"topic":"t","partition":0}, which further fields may follow.
base::TopicPartition partition_from_json(json::Object& in, const bj::object& entry) {
  base::TopicPartition out;
  const auto* topic = entry.if_contains("topic");
  const auto* partition = entry.if_contains("partition");
  if (!topic || !partition) {
    in.fail("a partition without topic or number");
    return out;
  }
  out = {in.to_text(*topic, "topic"), in.to_number<base::PartitionIndex>(*partition, "partition")};
  if (out.partition < 0) in.fail("a partition below 0");
  return out;
}
bj::object partition_to_json(const base::TopicPartition& partition) {
  return {{"topic", partition.topic}, {"partition", partition.partition}};
}

// {"version":1,"partitions":[{"topic":"t","partition":0}]}
std::string encode_partitions(const std::vector<base::TopicPartition>& partitions) {
  bj::array list;
  for (const auto& partition : partitions) list.push_back(partition_to_json(partition));
  return bj::serialize(bj::object{{"version", 1}, {"partitions", std::move(list)}});
}
template <class ListNode>
base::Result<ListNode> decode_partitions(std::string_view path, std::string_view text) {
  json::Object in(path, text);
  ListNode node;
  for (const auto& entry : in.array("partitions"))
    node.partitions.push_back(partition_from_json(in, in.to_object(entry, "partitions")));
  if (!in.ok()) return in.error();
  return node;
}

}  // namespace

std::string encode(const IsrChangeNode& node) { return encode_partitions(node.partitions); }
base::Result<IsrChangeNode> decode_isr_change(std::string_view path, std::string_view text) {
  return decode_partitions<IsrChangeNode>(path, text);
}

std::string encode(const PreferredElectionNode& node) { return encode_partitions(node.partitions); }
base::Result<PreferredElectionNode> decode_preferred_election(std::string_view path, std::string_view text) {
  return decode_partitions<PreferredElectionNode>(path, text);
}

// {"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1,2,3]}]}; Kafka's tool adds log_dirs, which only
// the tool itself uses.
std::string encode(const ReassignPartitionsNode& node) {
  bj::array list;
  for (const auto& [partition, replicas] : node.partitions) {
    auto entry = partition_to_json(partition);
    entry.emplace("replicas", ids_to_json(replicas));
    list.push_back(std::move(entry));
  }
  return bj::serialize(bj::object{{"version", 1}, {"partitions", std::move(list)}});
}
base::Result<ReassignPartitionsNode> decode_reassign_partitions(std::string_view path, std::string_view text) {
  json::Object in(path, text);
  ReassignPartitionsNode node;
  for (const auto& value : in.array("partitions")) {
    const auto& entry = in.to_object(value, "partitions");
    auto partition = partition_from_json(in, entry);
    const auto* replicas = entry.if_contains("replicas");
    if (!replicas) in.fail("a partition without replicas");
    if (!in.ok()) break;
    node.partitions[std::move(partition)] = ids_from_json(in, in.to_array(*replicas, "replicas"), "replicas");
  }
  if (!in.ok()) return in.error();
  return node;
}

// {"version":1,"broker":1,"block_start":"0","block_end":"999"}: bounds are text, both inclusive.
std::string encode(const ProducerIdBlockNode& node) {
  return bj::serialize(bj::object{{"version", 1},
                                  {"broker", node.broker.raw},
                                  {"block_start", std::to_string(node.first)},
                                  {"block_end", std::to_string(node.last)}});
}
base::Result<ProducerIdBlockNode> decode_producer_id_block(std::string_view path, std::string_view text) {
  json::Object in(path, text);
  ProducerIdBlockNode node{.broker = base::BrokerId{in.number<std::int32_t>("broker")}};
  node.first = in.quoted_number<std::int64_t>("block_start");
  node.last = in.quoted_number<std::int64_t>("block_end");
  if (!in.ok()) return in.error();
  return node;
}

// {"version":1,"status":1,"features":{}}: status 0 disabled, 1 enabled. Version 2 (inter-broker protocol 3.3 on)
// differs inside the features only. A ZooKeeper-mode broker finalizes none.
std::string encode(const FeatureNode& node) {
  bj::object out{
      {"version", node.version}, {"status", node.enabled ? 1 : 0}, {"features", features_object(node.features)}};
  json::add_unknown(out, node.unknown);
  return bj::serialize(out);
}
base::Result<FeatureNode> decode_feature(std::string_view path, std::string_view text) {
  json::Object in(path, text);
  FeatureNode node{.version = in.number<std::int32_t>("version")};
  const auto status = in.number<std::int32_t>("status");
  if (in.ok() && status != 0 && status != 1) in.fail("status is neither 0 nor 1");
  node.enabled = status == 1;
  if (const auto& features = in.object("features"); !features.empty()) node.features = bj::serialize(features);
  node.unknown = in.without({"version", "status", "features"});
  if (!in.ok()) return in.error();
  return node;
}

}  // namespace replication
