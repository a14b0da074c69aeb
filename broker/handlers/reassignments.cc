#include "broker/handlers/reassignments.h"

#include "broker/dispatch/owed.h"
#include "broker/dispatch/reply.h"
#include "protocol/messages/alter_partition_reassignments.h"
#include "protocol/messages/elect_leaders.h"
#include "protocol/messages/list_partition_reassignments.h"

namespace broker {
namespace {

using base::ErrorCode;
using base::TopicPartition;
using protocol::AlterPartitionReassignmentsRequest;
using protocol::AlterPartitionReassignmentsResponse;
using protocol::ElectLeadersRequest;
using protocol::ElectLeadersResponse;
using protocol::ListPartitionReassignmentsRequest;
using protocol::ListPartitionReassignmentsResponse;
using replication::PartitionResult;
using replication::PartitionResults;

// The entry of that topic: answers come topic by topic.
template <class Topic>
Topic& entry_of(std::vector<Topic>& topics, std::string Topic::*name, const std::string& wanted) {
  if (!topics.empty() && topics.back().*name == wanted) return topics.back();
  auto& topic = topics.emplace_back();
  topic.*name = wanted;
  return topic;
}

ElectLeadersResponse answer_to(const std::vector<PartitionResult>& results) {
  ElectLeadersResponse out;
  for (const auto& result : results)
    entry_of(out.replica_election_results, &ElectLeadersResponse::ReplicaElectionResult::topic, result.partition.topic)
        .partition_result.push_back({result.partition.partition, result.code, result.message});
  return out;
}

std::vector<PartitionResult> refuse_all(const std::vector<TopicPartition>& partitions, ErrorCode code) {
  std::vector<PartitionResult> results;
  for (const auto& partition : partitions) results.push_back({.partition = partition, .code = code});
  return results;
}

}  // namespace

void ElectLeadersHandler::operator()(Request& request, AnswerSlot answer) const {
  ElectLeadersRequest in;
  if (!read_body(request, answer, in)) return;
  replication::ElectionRequest wanted{.timeout = std::chrono::milliseconds(in.timeout_ms)};
  std::vector<TopicPartition> asked;
  if (in.topic_partitions) {
    for (const auto& topic : *in.topic_partitions)
      for (const auto partition : topic.partitions) asked.push_back({topic.topic, partition});
    wanted.partitions = asked;
  }
  if (in.election_type != 0 && in.election_type != 1) {
    auto out = answer_to(refuse_all(asked, ErrorCode::unknown_server_error));
    out.error_code = ErrorCode::unknown_server_error;
    return reply(answer, request, out);
  }
  wanted.type = static_cast<replication::ElectionType>(in.election_type);
  controller_.elect_leaders(std::move(wanted), [owed = owe(request, std::move(answer)), asked = std::move(asked),
                                                all = !in.topic_partitions](const PartitionResults& results) {
    if (results.code == ErrorCode::none) return owed->reply(answer_to(results.partitions));
    // As Kafka: said of each partition named; where none was, of the request.
    auto out = answer_to(refuse_all(asked, results.code));
    if (all) out.error_code = results.code;
    owed->reply(out);
  });
}

void AlterPartitionReassignmentsHandler::operator()(Request& request, AnswerSlot answer) const {
  AlterPartitionReassignmentsRequest in;
  if (!read_body(request, answer, in)) return;
  std::vector<replication::WantedReplicas> wanted;
  for (auto& topic : in.topics)
    for (auto& partition : topic.partitions)
      wanted.push_back(
          {.partition = {topic.name, partition.partition_index}, .replicas = std::move(partition.replicas)});
  controller_.reassign(std::move(wanted), [owed = owe(request, std::move(answer))](const PartitionResults& results) {
    AlterPartitionReassignmentsResponse out;
    out.error_code = results.code;
    if (results.code == ErrorCode::none) out.error_message = "";
    for (const auto& result : results.partitions)
      entry_of(out.responses, &AlterPartitionReassignmentsResponse::Topic::name, result.partition.topic)
          .partitions.push_back({result.partition.partition, result.code, result.message});
    owed->reply(out);
  });
}

void ListPartitionReassignmentsHandler::operator()(Request& request, AnswerSlot answer) const {
  ListPartitionReassignmentsRequest in;
  if (!read_body(request, answer, in)) return;
  std::optional<std::vector<TopicPartition>> asked;
  if (in.topics) {
    asked.emplace();
    for (const auto& topic : *in.topics)
      for (const auto partition : topic.partition_indexes) asked->push_back({topic.name, partition});
  }
  controller_.list_reassignments(
      std::move(asked), [owed = owe(request, std::move(answer))](const replication::MovingPartitions& moving) {
        ListPartitionReassignmentsResponse out;
        out.error_code = moving.code;
        if (moving.code == ErrorCode::none) out.error_message = "";
        for (const auto& move : moving.partitions)
          entry_of(out.topics, &ListPartitionReassignmentsResponse::Topic::name, move.partition.topic)
              .partitions.push_back({move.partition.partition, move.replicas, move.adding, move.removing});
        owed->reply(out);
      });
}

}  // namespace broker
