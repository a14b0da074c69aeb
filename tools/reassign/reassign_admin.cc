#include "tools/reassign/reassign_admin.h"

#include <algorithm>

#include "protocol/messages/alter_partition_reassignments.h"
#include "protocol/messages/alter_replica_log_dirs.h"
#include "protocol/messages/describe_log_dirs.h"
#include "protocol/messages/incremental_alter_configs.h"
#include "protocol/messages/list_partition_reassignments.h"

namespace tools {

using base::BrokerId;
using base::Error;
using base::ErrorCode;
using base::TopicPartition;

namespace {

// Resources and operations of IncrementalAlterConfigs.
constexpr std::int8_t kTopicResource = 2;
constexpr std::int8_t kBrokerResource = 4;
constexpr std::int8_t kSet = 0;
constexpr std::int8_t kDelete = 1;

// The entry for `name`, made when it is missing.
template <class Rows, class Field>
auto& row_of(Rows& rows, Field field, const std::string& name) {
  auto found = std::find_if(rows.begin(), rows.end(), [&](const auto& each) { return each.*field == name; });
  if (found != rows.end()) return *found;
  rows.emplace_back();
  rows.back().*field = name;
  return rows.back();
}

Error error_of(ErrorCode code, const std::optional<std::string>& message) { return {code, message.value_or("")}; }

}  // namespace

base::Result<ReassigningPartitions> ReassignAdmin::running(const std::vector<TopicPartition>* partitions) {
  using Request = protocol::ListPartitionReassignmentsRequest;
  using Response = protocol::ListPartitionReassignmentsResponse;
  Request request;
  request.timeout_ms = static_cast<std::int32_t>(admin_.settings().api_timeout.count());
  if (partitions) {
    request.topics.emplace();
    for (const auto& each : *partitions)
      row_of(*request.topics, &Request::Topic::name, each.topic).partition_indexes.push_back(each.partition);
  }
  auto answer = admin_.call<Response>(Controller{}, "listPartitionReassignments", request,
                                      [](const Response& r) { return r.error_code; });
  if (!answer) return answer.error();
  if (answer->error_code != ErrorCode::none) return error_of(answer->error_code, answer->error_message);
  ReassigningPartitions running;
  for (auto& topic : answer->topics)
    for (auto& row : topic.partitions)
      running[{topic.name, row.partition_index}] = {std::move(row.replicas), std::move(row.adding_replicas),
                                                    std::move(row.removing_replicas)};
  return running;
}

base::Result<std::map<TopicPartition, Error>> ReassignAdmin::move(const Wanted& wanted) {
  using Request = protocol::AlterPartitionReassignmentsRequest;
  using Response = protocol::AlterPartitionReassignmentsResponse;
  Request request;
  request.timeout_ms = static_cast<std::int32_t>(admin_.settings().api_timeout.count());
  for (const auto& [partition, replicas] : wanted)
    row_of(request.topics, &Request::Topic::name, partition.topic)
        .partitions.push_back({partition.partition, replicas});
  auto answer = admin_.call<Response>(Controller{}, "alterPartitionReassignments", request,
                                      [](const Response& r) { return r.error_code; });
  if (!answer) return answer.error();
  std::map<TopicPartition, Error> refused;
  if (answer->error_code != ErrorCode::none) {
    for (const auto& [partition, replicas] : wanted)
      refused[partition] = error_of(answer->error_code, answer->error_message);
    return refused;
  }
  for (const auto& topic : answer->responses)
    for (const auto& row : topic.partitions)
      if (row.error_code != ErrorCode::none)
        refused[{topic.name, row.partition_index}] = error_of(row.error_code, row.error_message);
  return refused;
}

base::Result<std::map<BrokerId, std::optional<std::string>>> ReassignAdmin::brokers() {
  auto cluster = admin_.metadata("listNodes", std::vector<std::string>{});
  if (!cluster) return cluster.error();
  std::map<BrokerId, std::optional<std::string>> living;
  for (auto& broker : cluster->brokers) living[broker.node_id] = std::move(broker.rack);
  return living;
}

base::Result<ReplicasByPartition> ReassignAdmin::replicas_of(const std::vector<std::string>& topics, Missing missing) {
  ReplicasByPartition out;
  if (topics.empty()) return out;
  protocol::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  request.topics.emplace();
  for (const auto& topic : topics) request.topics->push_back({.topic_id = {}, .name = topic});
  // The controller knows first what has become of a move.
  auto cluster = admin_.call<protocol::MetadataResponse>(Controller{}, "describeTopics", request);
  if (!cluster) return cluster.error();
  for (auto& topic : cluster->topics) {
    if (topic.error_code != ErrorCode::none) {
      if (missing == Missing::left_out && topic.error_code == ErrorCode::unknown_topic_or_partition) continue;
      return Error{topic.error_code, ""};
    }
    for (auto& row : topic.partitions) out[{*topic.name, row.partition_index}] = std::move(row.replica_nodes);
  }
  return out;
}

base::Result<std::map<PartitionReplica, ReplicaDirectories>> ReassignAdmin::directories_of(
    const DirectoryByReplica& replicas) {
  using Request = protocol::DescribeLogDirsRequest;
  std::map<BrokerId, Request> by_broker;
  std::map<PartitionReplica, ReplicaDirectories> out;
  for (const auto& [replica, directory] : replicas) {
    auto& topics = by_broker[replica.broker].topics;
    if (!topics) topics.emplace();
    row_of(*topics, &Request::Topic::topic, replica.partition.topic).partitions.push_back(replica.partition.partition);
    out[replica];
  }
  for (const auto& [broker, request] : by_broker) {
    auto answer = admin_.call<protocol::DescribeLogDirsResponse>(broker, "describeReplicaLogDirs", request);
    if (!answer) return answer.error();
    if (answer->error_code != ErrorCode::none) return Error{answer->error_code, ""};
    for (const auto& directory : answer->results) {
      if (directory.error_code == ErrorCode::kafka_storage_error) continue;  // it failed: what lies in it is not known
      if (directory.error_code != ErrorCode::none) return Error{directory.error_code, ""};
      for (const auto& topic : directory.topics)
        for (const auto& row : topic.partitions) {
          const auto found = out.find({broker, {topic.name, row.partition_index}});
          if (found == out.end()) continue;
          (row.is_future_key ? found->second.future : found->second.current) = directory.log_dir;
        }
    }
  }
  return out;
}

std::variant<std::set<PartitionReplica>, Failure> ReassignAdmin::move_to_directories(const DirectoryByReplica& wanted) {
  using Request = protocol::AlterReplicaLogDirsRequest;
  std::map<BrokerId, Request> by_broker;
  for (const auto& [replica, directory] : wanted) {
    auto& topics = row_of(by_broker[replica.broker].dirs, &Request::Dir::path, directory).topics;
    row_of(topics, &Request::Dir::Topic::name, replica.partition.topic)
        .partitions.push_back(replica.partition.partition);
  }
  std::set<PartitionReplica> begun;
  for (const auto& [broker, request] : by_broker) {
    auto answer = admin_.call<protocol::AlterReplicaLogDirsResponse>(broker, "alterReplicaLogDirs", request);
    const auto failed = [](const PartitionReplica& replica, const Error& error) {
      return Failure{"kafka.common.AdminCommandFailedException",
                     fmt::format("Failed to alter dir for {}", replica.text()), failure_of(error).text()};
    };
    if (!answer) {
      const auto first =
          std::find_if(wanted.begin(), wanted.end(), [&](const auto& each) { return each.first.broker == broker; });
      return failed(first->first, answer.error());
    }
    for (const auto& topic : answer->results)
      for (const auto& row : topic.partitions) {
        const PartitionReplica replica{broker, {topic.topic_name, row.partition_index}};
        if (row.error_code == ErrorCode::none)
          begun.insert(replica);
        else if (row.error_code != ErrorCode::replica_not_available)
          return failed(replica, {row.error_code, ""});
      }
  }
  return begun;
}

base::Status ReassignAdmin::alter(Target target, std::int8_t type, const std::map<std::string, Overrides>& resources) {
  protocol::IncrementalAlterConfigsRequest request;
  for (const auto& [name, overrides] : resources) {
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = name;
    for (const auto& [key, value] : overrides) resource.configs.push_back({key, value ? kSet : kDelete, value});
  }
  auto answer = admin_.call<protocol::IncrementalAlterConfigsResponse>(target, "incrementalAlterConfigs", request);
  if (!answer) return answer.error();
  for (const auto& row : answer->responses)
    if (row.error_code != ErrorCode::none) return error_of(row.error_code, row.error_message);
  return {};
}

base::Status ReassignAdmin::alter_topics(const std::map<std::string, Overrides>& topics) {
  return topics.empty() ? base::Status{} : alter(AnyBroker{}, kTopicResource, topics);
}

base::Status ReassignAdmin::alter_brokers(const std::set<BrokerId>& brokers, const Overrides& overrides) {
  for (const auto id : brokers)
    if (auto done = alter(id, kBrokerResource, {{std::to_string(id.raw), overrides}}); !done) return done;
  return {};
}

}  // namespace tools
