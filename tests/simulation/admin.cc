#include <fmt/format.h>

#include "protocol/messages/alter_partition_reassignments.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/elect_leaders.h"
#include "protocol/messages/incremental_alter_configs.h"
#include "tests/simulation/client.h"

namespace simulation {

using base::ErrorCode;
using std::chrono::milliseconds;

namespace {
constexpr milliseconds kTimeout{5000};
constexpr std::int8_t kTopicResource = 2;
constexpr std::int8_t kPreferred = 0;
}  // namespace

template <class Request, class Response>
void Admin::ask_controller(Request request, std::int16_t version, std::function<void(base::Result<Response>)> done) {
  host_.loop().post([this, request = std::move(request), version, done = std::move(done)] {
    host_.refresh();  // who knows how long it stays the controller
    const auto controller = host_.controller() == base::kNoBroker ? host_.anybody() : host_.controller();
    replication::ask<Response>(host_.to(controller), request, version, kTimeout + kTimeout,
                               [done](base::Result<replication::PeerAnswer<Response>> answer) {
                                 if (!done) return;
                                 if (!answer) return done(answer.error());
                                 done(std::move(answer->message));
                               });
  });
}

void Admin::create_topic(NewTopic topic, Done done) {
  protocol::CreateTopicsRequest request;
  request.timeout_ms = kTimeout.count();
  auto& wanted = request.topics.emplace_back();
  wanted.name = topic.name;
  wanted.num_partitions = -1;
  wanted.replication_factor = -1;
  for (std::size_t i = 0; i < topic.replicas.size(); ++i) {
    auto& assignment = wanted.assignments.emplace_back();
    assignment.partition_index = static_cast<std::int32_t>(i);
    assignment.broker_ids = topic.replicas[i];
  }
  for (const auto& [key, value] : topic.config) {
    auto& entry = wanted.configs.emplace_back();
    entry.name = key;
    entry.value = value;
  }
  ask_controller<protocol::CreateTopicsRequest, protocol::CreateTopicsResponse>(
      std::move(request), 5, [done = std::move(done)](base::Result<protocol::CreateTopicsResponse> answer) {
        done(answer ? answer->topics.at(0).error_code : answer.error().code);
      });
}

void Admin::delete_topic(const std::string& name) {
  protocol::DeleteTopicsRequest request;
  request.timeout_ms = kTimeout.count();
  request.topic_names.push_back(name);
  ask_controller<protocol::DeleteTopicsRequest, protocol::DeleteTopicsResponse>(std::move(request), 5, nullptr);
}

void Admin::elect_preferred() {
  protocol::ElectLeadersRequest request;
  request.election_type = kPreferred;
  request.timeout_ms = kTimeout.count();
  ask_controller<protocol::ElectLeadersRequest, protocol::ElectLeadersResponse>(std::move(request), 2, nullptr);
}

void Admin::reassign(const base::TopicPartition& partition, std::optional<std::vector<base::BrokerId>> replicas) {
  protocol::AlterPartitionReassignmentsRequest request;
  request.timeout_ms = kTimeout.count();
  auto& topic = request.topics.emplace_back();
  topic.name = partition.topic;
  auto& one = topic.partitions.emplace_back();
  one.partition_index = partition.partition;
  one.replicas = std::move(replicas);
  ask_controller<protocol::AlterPartitionReassignmentsRequest, protocol::AlterPartitionReassignmentsResponse>(
      std::move(request), 0, nullptr);
}

void Admin::alter_topic(const std::string& topic, const std::string& key, const std::string& value) {
  protocol::IncrementalAlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = kTopicResource;
  resource.resource_name = topic;
  auto& entry = resource.configs.emplace_back();
  entry.name = key;
  entry.value = value;
  ask_controller<protocol::IncrementalAlterConfigsRequest, protocol::IncrementalAlterConfigsResponse>(
      std::move(request), 1, nullptr);
}

}  // namespace simulation
