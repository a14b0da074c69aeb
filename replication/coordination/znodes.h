// Every path we use, and what is in the node: written and read by functions that stand side by side in znodes.cc.
// The layout is Apache Kafka's (2.7.1 to 3.9, ZooKeeper mode) and is shared with its brokers and tools.
//
// Fields we do not know, and versions newer than ours, survive when a node is read and written again (`unknown`, a JSON
// object, empty when there is nothing to keep). Readers look at fields, not at the version, as Kafka's do.
// Broken JSON is `corrupt_message` with the path and the reason. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "replication/cluster/endpoint.h"

namespace replication {

// ---- paths -------------------------------------------------------------------------------------------------------

namespace paths {
inline constexpr std::string_view kClusterId = "/cluster/id";
inline constexpr std::string_view kBrokerIds = "/brokers/ids";
inline constexpr std::string_view kBrokerSequence = "/brokers/seqid";
inline constexpr std::string_view kTopics = "/brokers/topics";
inline constexpr std::string_view kController = "/controller";
inline constexpr std::string_view kControllerEpoch = "/controller_epoch";
inline constexpr std::string_view kConfigChanges = "/config/changes";
inline constexpr std::string_view kDeleteTopics = "/admin/delete_topics";
inline constexpr std::string_view kReassignPartitions = "/admin/reassign_partitions";
inline constexpr std::string_view kPreferredElection = "/admin/preferred_replica_election";
inline constexpr std::string_view kIsrChanges = "/isr_change_notification";
inline constexpr std::string_view kLogDirEvents = "/log_dir_event_notification";
inline constexpr std::string_view kProducerIdBlock = "/latest_producer_id_block";
inline constexpr std::string_view kFeature = "/feature";

std::string broker(base::BrokerId id);
std::string topic(std::string_view topic);
std::string topic_partitions(std::string_view topic);
std::string partition(std::string_view topic, base::PartitionIndex partition);
std::string partition_state(std::string_view topic, base::PartitionIndex partition);
std::string delete_topic(std::string_view topic);
// Where consumers of before 0.9 keep their offsets.
std::string consumer_offset(std::string_view group, std::string_view topic, base::PartitionIndex partition);
// Type: "topics", "brokers", "clients", "users", "ips". The name is as it stands in the path, see sanitize().
std::string config(std::string_view type, std::string_view name);
// For creating: the sequence number follows.
std::string config_change_prefix();
std::string log_dir_event_prefix();
std::string isr_change_prefix();

// What every broker creates at start when it is missing, parents first.
const std::vector<std::string>& top_level();

std::string parent(std::string_view path);
std::string_view last(std::string_view path);
// "config_change_0000000007" -> 7.
std::optional<std::int64_t> sequence(std::string_view name);

// Names of users and clients in paths: percent-encoded, '+' as %20, '*' as %2A.
std::string sanitize(std::string_view name);
std::optional<std::string> desanitize(std::string_view name);
inline constexpr std::string_view kDefaultEntity = "<default>";
}  // namespace paths

// ---- contents ----------------------------------------------------------------------------------------------------

// /cluster/id
struct ClusterIdNode {
  std::string id{};
};

// /brokers/ids/<id>
struct BrokerNode {
  std::int32_t version = 5;
  std::vector<Endpoint> endpoints{};
  std::optional<std::string> rack{};
  std::int32_t jmx_port = -1;
  base::Timestamp timestamp{};
  std::string features{};  // JSON object as found; empty: {}

  bool operator==(const BrokerNode&) const = default;
};

// /brokers/topics/<topic>
using ReplicaLists = std::map<base::PartitionIndex, std::vector<base::BrokerId>>;
struct TopicNode {
  std::int32_t version = 3;
  std::optional<base::Uuid> topic_id{};
  ReplicaLists replicas{};  // targets first, then those being removed
  ReplicaLists adding{};    // only partitions under reassignment
  ReplicaLists removing{};
  std::string unknown{};

  bool operator==(const TopicNode&) const = default;
};

// /brokers/topics/<topic>/partitions/<partition>/state; the partition epoch is the node's version.
struct PartitionStateNode {
  std::int32_t version = 1;
  std::int32_t controller_epoch = 0;
  base::BrokerId leader = base::kNoBroker;
  base::LeaderEpoch leader_epoch{0};
  std::vector<base::BrokerId> isr{};
  bool recovering = false;  // its leader was not in sync when it was elected, and is not through with what follows
  std::string unknown{};

  bool operator==(const PartitionStateNode&) const = default;
};

// /controller
struct ControllerNode {
  base::BrokerId broker = base::kNoBroker;
  base::Timestamp timestamp{};
  // Positive: a KRaft controller holds the cluster during a migration.
  std::int32_t kraft_controller_epoch = -1;
};

// /config/<type>/<name>
using ConfigEntries = std::map<std::string, std::string>;

// /config/changes/config_change_<n>
struct ConfigChangeNode {
  std::string entity_path{};  // "topics/foo", "users/<default>/clients/x"
};

// /log_dir_event_notification/log_dir_event_<n>: a directory of this broker has failed.
struct LogDirEventNode {
  base::BrokerId broker = base::kNoBroker;
};

// /isr_change_notification/isr_change_<n>: their leaders have changed the in-sync sets of these.
struct IsrChangeNode {
  std::vector<base::TopicPartition> partitions{};
};

// /admin/preferred_replica_election: these are to be led by the first of their replicas.
struct PreferredElectionNode {
  std::vector<base::TopicPartition> partitions{};
};

// /admin/reassign_partitions: where replicas are to be.
struct ReassignPartitionsNode {
  std::map<base::TopicPartition, std::vector<base::BrokerId>> partitions{};
};

// /latest_producer_id_block
struct ProducerIdBlockNode {
  base::BrokerId broker = base::kNoBroker;
  std::int64_t first = 0;
  std::int64_t last = 0;
};

// /feature; the epoch of the features is the node's version.
struct FeatureNode {
  std::int32_t version = 1;
  bool enabled = true;
  std::string features{};  // JSON object as found; empty: {}
  std::string unknown{};

  bool operator==(const FeatureNode&) const = default;
};

// ---- writing and reading ------------------------------------------------------------------------------------------

std::string encode(const ClusterIdNode& node);
base::Result<ClusterIdNode> decode_cluster_id(std::string_view path, std::string_view json);

std::string encode(const BrokerNode& node);
base::Result<BrokerNode> decode_broker(std::string_view path, std::string_view json);

std::string encode(const TopicNode& node);
base::Result<TopicNode> decode_topic(std::string_view path, std::string_view json);

std::string encode(const PartitionStateNode& node);
base::Result<PartitionStateNode> decode_partition_state(std::string_view path, std::string_view json);

std::string encode(const ControllerNode& node);
base::Result<ControllerNode> decode_controller(std::string_view path, std::string_view json);

std::string encode_controller_epoch(std::int32_t epoch);
base::Result<std::int32_t> decode_controller_epoch(std::string_view path, std::string_view text);

std::string encode_config(const ConfigEntries& entries);
base::Result<ConfigEntries> decode_config(std::string_view path, std::string_view json);

std::string encode(const ConfigChangeNode& node);
base::Result<ConfigChangeNode> decode_config_change(std::string_view path, std::string_view json);

std::string encode(const LogDirEventNode& node);
base::Result<LogDirEventNode> decode_log_dir_event(std::string_view path, std::string_view json);

std::string encode(const IsrChangeNode& node);
base::Result<IsrChangeNode> decode_isr_change(std::string_view path, std::string_view json);

std::string encode(const PreferredElectionNode& node);
base::Result<PreferredElectionNode> decode_preferred_election(std::string_view path, std::string_view json);

std::string encode(const ReassignPartitionsNode& node);
base::Result<ReassignPartitionsNode> decode_reassign_partitions(std::string_view path, std::string_view json);

std::string encode(const ProducerIdBlockNode& node);
base::Result<ProducerIdBlockNode> decode_producer_id_block(std::string_view path, std::string_view json);

std::string encode(const FeatureNode& node);
base::Result<FeatureNode> decode_feature(std::string_view path, std::string_view json);

}  // namespace replication
