#include "tools/consumer_groups/group_admin.h"

#include <algorithm>

#include "base/bytes.h"
#include "protocol/internal/assignment.h"
#include "protocol/messages/delete_groups.h"
#include "protocol/messages/describe_groups.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_delete.h"
#include "protocol/messages/offset_fetch.h"

namespace tools {

using base::ErrorCode;
using base::TopicPartition;

namespace {

constexpr std::string_view kConsumers = "consumer";  // the protocol type of groups of consumers

// The row of a topic in a request whose partitions come sorted by topic.
template <class Topic>
Topic& topic_row(std::vector<Topic>& topics, const std::string& name) {
  if (topics.empty() || topics.back().name != name) {
    topics.emplace_back();
    topics.back().name = name;
  }
  return topics.back();
}

// What is not a consumer's assignment assigns nothing.
std::vector<TopicPartition> assigned_to(const std::string& blob) {
  std::vector<TopicPartition> out;
  protocol::ConsumerAssignment assignment;
  if (!protocol::read_versioned(base::as_bytes(blob), assignment, protocol::NewerVersions::as_the_newest)) return out;
  for (const auto& topic : assignment.assigned_partitions)
    for (const auto partition : topic.partitions) out.push_back({topic.topic, partition});
  return out;
}

}  // namespace

Failure thrown(const Failure& cause) { return {"java.util.concurrent.ExecutionException", cause.text(), cause.text()}; }

Failure thrown(const base::Error& error) { return thrown(failure_of(error)); }

std::variant<std::vector<GroupListing>, Failure> GroupAdmin::list(const std::vector<std::string>& states,
                                                                  const std::vector<std::string>& types) {
  const auto cluster = admin_.metadata("findAllBrokers", std::vector<std::string>{});
  if (!cluster)
    return thrown(Failure{"org.apache.kafka.common.KafkaException", "Failed to find brokers to send ListGroups", ""});
  protocol::ListGroupsRequest request;
  request.states_filter = states;
  request.types_filter = types;
  std::map<std::string, GroupListing> found;  // a group that moves meanwhile may be listed twice
  for (const auto& broker : cluster->brokers) {
    using Response = protocol::ListGroupsResponse;
    const auto answer = admin_.call<Response>(broker.node_id, "listConsumerGroups", request,
                                              [](const Response& r) { return r.error_code; });
    if (!answer) return thrown(answer.error());
    if (answer->error_code != ErrorCode::none) return thrown(base::Error{answer->error_code, ""});
    for (const auto& group : answer->groups)
      if (group.protocol_type == kConsumers || group.protocol_type.empty())
        found.insert_or_assign(group.group_id, GroupListing{group.group_id, group.group_state, group.group_type});
  }
  std::vector<GroupListing> out;
  for (auto& [id, listing] : found) out.push_back(std::move(listing));
  return out;
}

std::variant<GroupDescription, Failure> GroupAdmin::describe(const std::string& group) {
  using Response = protocol::DescribeGroupsResponse;
  protocol::DescribeGroupsRequest request;
  request.groups = {group};
  const auto answer = admin_.call<Response>(
      coordinator_of(group), "describeConsumerGroups", request,
      [](const Response& r) { return r.groups.empty() ? ErrorCode::none : r.groups[0].error_code; });
  if (!answer) return thrown(answer.error());
  if (answer->groups.empty()) return thrown(base::Error{ErrorCode::unknown_server_error, ""});
  const auto& found = answer->groups[0];
  if (found.error_code == ErrorCode::group_id_not_found)  // what brokers say of no group since 4.0
    return GroupDescription{.group = group, .state = "Dead", .assignor = {}, .members = {}, .coordinator = {}};
  if (found.error_code != ErrorCode::none) return thrown(base::Error{found.error_code, ""});
  if (found.protocol_type != kConsumers && !found.protocol_type.empty())
    return thrown(illegal_argument("GroupId {} is not a consumer group ({}).", group, found.protocol_type));
  auto node = admin_.coordinator(coordinator_of(group));
  if (!node) return thrown(node.error());
  GroupDescription out{group, found.group_state, found.protocol_data, {}, std::move(*node)};
  for (const auto& member : found.members)
    out.members.push_back({member.member_id, member.group_instance_id.value_or(""), member.client_id,
                           member.client_host, assigned_to(member.member_assignment.raw)});
  return out;
}

std::variant<Offsets, Failure> GroupAdmin::committed(const std::string& group) {
  using Response = protocol::OffsetFetchResponse;
  protocol::OffsetFetchRequest request;
  request.group_id = group;
  request.groups.emplace_back();
  request.groups[0].group_id = group;  // no topics: all that the group has
  const auto answer =
      admin_.call<Response>(coordinator_of(group), "listConsumerGroupOffsets", request,
                            [](const Response& r) { return r.groups.empty() ? r.error_code : r.groups[0].error_code; });
  if (!answer) return thrown(answer.error());
  const auto code = answer->groups.empty() ? answer->error_code : answer->groups[0].error_code;
  if (code != ErrorCode::none) return thrown(base::Error{code, ""});
  Offsets offsets;
  const auto take = [&](const auto& topics) {
    for (const auto& topic : topics)
      for (const auto& partition : topic.partitions)
        if (partition.error_code == ErrorCode::none && partition.committed_offset.raw >= 0)
          offsets[{topic.name, partition.partition_index}] = partition.committed_offset;
  };
  take(answer->topics);
  if (!answer->groups.empty()) take(answer->groups[0].topics);
  return offsets;
}

Outcome GroupAdmin::commit(const std::string& group, const Offsets& offsets) {
  using Response = protocol::OffsetCommitResponse;
  protocol::OffsetCommitRequest request;
  request.group_id = group;
  for (const auto& [partition, offset] : offsets) {
    auto& row = topic_row(request.topics, partition.topic).partitions.emplace_back();
    row.partition_index = partition.partition;
    row.committed_offset = offset;
    row.committed_metadata = "";
  }
  const auto worst = [](const Response& r) {
    for (const auto& topic : r.topics)
      for (const auto& partition : topic.partitions)
        if (partition.error_code != ErrorCode::none) return partition.error_code;
    return ErrorCode::none;
  };
  const auto answer = admin_.call<Response>(coordinator_of(group), "commitOffset", request, worst);
  if (!answer) return thrown(answer.error());
  if (const auto code = worst(*answer); code != ErrorCode::none) return thrown(base::Error{code, ""});
  return std::nullopt;
}

Outcome GroupAdmin::remove(const std::string& group) {
  using Response = protocol::DeleteGroupsResponse;
  protocol::DeleteGroupsRequest request;
  request.groups_names = {group};
  const auto code_of = [](const Response& r) {
    return r.results.empty() ? ErrorCode::unknown_server_error : r.results[0].error_code;
  };
  const auto answer = admin_.call<Response>(coordinator_of(group), "deleteConsumerGroups", request, code_of);
  if (!answer) return thrown(answer.error());
  if (const auto code = code_of(*answer); code != ErrorCode::none) return thrown(base::Error{code, ""});
  return std::nullopt;
}

std::variant<GroupAdmin::Removed, Failure> GroupAdmin::remove_offsets(const std::string& group,
                                                                      const std::vector<TopicPartition>& partitions) {
  using Response = protocol::OffsetDeleteResponse;
  protocol::OffsetDeleteRequest request;
  request.group_id = group;
  auto sorted = partitions;
  std::sort(sorted.begin(), sorted.end());
  for (const auto& partition : sorted)
    topic_row(request.topics, partition.topic).partitions.push_back({partition.partition});
  const auto answer = admin_.call<Response>(coordinator_of(group), "deleteConsumerGroupOffsets", request,
                                            [](const Response& r) { return r.error_code; });
  if (!answer) return thrown(answer.error());
  Removed out;
  out.group_error = answer->error_code;
  for (const auto& partition : partitions) out.partitions[partition] = answer->error_code;
  for (const auto& topic : answer->topics)
    for (const auto& partition : topic.partitions)
      if (answer->error_code == ErrorCode::none)
        out.partitions[{topic.name, partition.partition_index}] = partition.error_code;
  return out;
}

}  // namespace tools
