#include "replication/cluster/announcement_messages.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

namespace replication {
namespace {

// leader_recovery_state, KIP-704.
constexpr std::int8_t kRecovered = 0;
constexpr std::int8_t kRecovering = 1;

constexpr std::string_view kSecurityProtocols[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};  // by number

std::int16_t number_of(std::string_view security_protocol) {
  const auto found = std::ranges::find(kSecurityProtocols, security_protocol);
  return static_cast<std::int16_t>(found == std::end(kSecurityProtocols) ? 0 : found - kSecurityProtocols);
}
std::string security_protocol(std::int16_t number) {
  if (number < 0 || number >= std::ssize(kSecurityProtocols)) return {};
  return std::string(kSecurityProtocols[number]);
}

template <class Message>
void put_sender(Message& message, const FromController& from) {
  message.controller_id = from.controller;
  message.controller_epoch = from.controller_epoch;
  message.broker_epoch = from.broker_epoch;
}
template <class Message>
FromController sender(const Message& message) {
  return {.controller = message.controller_id,
          .controller_epoch = message.controller_epoch,
          .broker_epoch = message.broker_epoch};
}

// Topics in the order in which they are first named.
template <class Topic>
class Grouped {
 public:
  explicit Grouped(std::vector<Topic>& topics) : topics_(topics) {}
  Topic& operator[](std::string_view name) {
    const auto [at, first] = at_.emplace(name, topics_.size());
    if (first) topics_.emplace_back();
    return topics_[at->second];
  }

 private:
  std::vector<Topic>& topics_;
  absl::flat_hash_map<std::string_view, std::size_t> at_;
};

// What the states of both messages, grouped by topic or not, have in common. The partition epoch has two names.
template <class State>
void put_state(State& out, const PartitionState& state) {
  out.partition_index = state.partition;
  out.controller_epoch = state.controller_epoch;
  out.leader = state.leader;
  out.leader_epoch = state.leader_epoch;
  out.isr = state.isr;
  out.replicas = state.replicas;
}
template <class State>
PartitionState state_of(const std::string& topic, const State& state, std::int32_t partition_epoch) {
  return {.topic = topic,
          .partition = state.partition_index,
          .controller_epoch = state.controller_epoch,
          .leader = state.leader,
          .leader_epoch = state.leader_epoch,
          .isr = state.isr,
          .partition_epoch = partition_epoch,
          .replicas = state.replicas};
}

const Endpoint* find_endpoint(const LiveBroker& broker, std::string_view listener) {
  const auto found = std::ranges::find(broker.endpoints, listener, &Endpoint::listener);
  return found == broker.endpoints.end() ? nullptr : &*found;
}

}  // namespace

// ---- LeaderAndIsr ------------------------------------------------------------------------------------------------

protocol::LeaderAndIsrRequest to_message(const LeaderAndIsr& announcement, std::int16_t version,
                                         std::string_view listener) {
  protocol::LeaderAndIsrRequest message;
  put_sender(message, announcement.from);
  Grouped topics(message.topic_states);
  for (const auto& state : announcement.partitions) {
    if (version < 2) {
      auto& out = message.ungrouped_partition_states.emplace_back();
      put_state(out, state);
      out.topic_name = state.topic;
      out.partition_epoch = state.partition_epoch;
      out.is_new = state.is_new;
      continue;
    }
    auto& topic = topics[state.topic];
    topic.topic_name = state.topic;
    topic.topic_id = state.topic_id;
    auto& out = topic.partition_states.emplace_back();
    put_state(out, state);
    out.partition_epoch = state.partition_epoch;
    out.adding_replicas = state.adding;
    out.removing_replicas = state.removing;
    out.is_new = state.is_new;
    out.leader_recovery_state = state.recovering ? kRecovering : kRecovered;
  }
  for (const auto& leader : announcement.leaders)
    if (const auto* endpoint = find_endpoint(leader, listener))
      message.live_leaders.push_back({.broker_id = leader.id, .host_name = endpoint->host, .port = endpoint->port});
  return message;
}

LeaderAndIsr from_message(const protocol::LeaderAndIsrRequest& message) {
  LeaderAndIsr announcement{.from = sender(message)};
  for (const auto& in : message.ungrouped_partition_states) {
    auto& state = announcement.partitions.emplace_back(state_of(in.topic_name, in, in.partition_epoch));
    state.is_new = in.is_new;
  }
  for (const auto& topic : message.topic_states)
    for (const auto& in : topic.partition_states) {
      auto& state = announcement.partitions.emplace_back(state_of(topic.topic_name, in, in.partition_epoch));
      state.topic_id = topic.topic_id;
      state.adding = in.adding_replicas;
      state.removing = in.removing_replicas;
      state.is_new = in.is_new;
      state.recovering = in.leader_recovery_state == kRecovering;
    }
  for (const auto& leader : message.live_leaders)
    announcement.leaders.push_back(
        {.id = leader.broker_id, .endpoints = {{.host = leader.host_name, .port = leader.port}}});
  return announcement;
}

protocol::LeaderAndIsrResponse to_message(const AnnouncementReply& reply, const LeaderAndIsr& asked,
                                          std::int16_t version) {
  absl::flat_hash_map<base::TopicPartition, base::ErrorCode> failed;
  for (const auto& partition : reply.partitions) failed.emplace(partition.partition, partition.code);

  protocol::LeaderAndIsrResponse message;
  message.error_code = reply.code;
  Grouped topics(message.topics);
  for (const auto& state : asked.partitions) {
    const auto found = failed.find(base::TopicPartition{state.topic, state.partition});
    const auto code = found == failed.end() ? base::ErrorCode::none : found->second;
    if (version < 5) {
      message.partition_errors.push_back({state.topic, state.partition, code});
      continue;
    }
    auto& topic = topics[state.topic];
    topic.topic_id = state.topic_id;
    topic.partition_errors.push_back({state.partition, code});
  }
  return message;
}

AnnouncementReply from_message(const protocol::LeaderAndIsrResponse& message, const LeaderAndIsr& asked) {
  AnnouncementReply reply{.code = message.error_code};
  for (const auto& partition : message.partition_errors)
    if (partition.error_code != base::ErrorCode::none)
      reply.partitions.push_back({{partition.topic_name, partition.partition_index}, partition.error_code});
  if (message.topics.empty()) return reply;

  absl::flat_hash_map<base::Uuid, std::string_view> names;
  for (const auto& state : asked.partitions) names.emplace(state.topic_id, state.topic);
  for (const auto& topic : message.topics) {
    const auto name = names.find(topic.topic_id);
    if (name == names.end()) continue;
    for (const auto& partition : topic.partition_errors)
      if (partition.error_code != base::ErrorCode::none)
        reply.partitions.push_back({{std::string(name->second), partition.partition_index}, partition.error_code});
  }
  return reply;
}

// ---- StopReplica -------------------------------------------------------------------------------------------------

namespace {

void add(protocol::StopReplicaRequest& message, Grouped<protocol::StopReplicaRequest::Topic>& topics,
         const base::TopicPartition& partition, std::int16_t version) {
  if (version == 0) {
    message.ungrouped_partitions.push_back({partition.topic, partition.partition});
    return;
  }
  auto& topic = topics[partition.topic];
  topic.name = partition.topic;
  topic.partition_indexes.push_back(partition.partition);
}

}  // namespace

std::vector<protocol::StopReplicaRequest> to_messages(const StopReplica& announcement, std::int16_t version) {
  std::vector<protocol::StopReplicaRequest> messages;
  if (announcement.partitions.empty()) return messages;
  if (version >= 3) {
    auto& message = messages.emplace_back();
    put_sender(message, announcement.from);
    Grouped topics(message.topic_states);
    for (const auto& stopped : announcement.partitions) {
      auto& topic = topics[stopped.partition.topic];
      topic.topic_name = stopped.partition.topic;
      topic.partition_states.push_back({stopped.partition.partition, stopped.leader_epoch, stopped.remove});
    }
    return messages;
  }
  for (const bool remove : {false, true}) {
    protocol::StopReplicaRequest message;
    put_sender(message, announcement.from);
    message.delete_partitions = remove;
    Grouped topics(message.topics);
    for (const auto& stopped : announcement.partitions)
      if (stopped.remove == remove) add(message, topics, stopped.partition, version);
    if (!message.topics.empty() || !message.ungrouped_partitions.empty()) messages.push_back(std::move(message));
  }
  return messages;
}

StopReplica from_message(const protocol::StopReplicaRequest& message, std::int16_t version) {
  StopReplica announcement{.from = sender(message)};
  auto& out = announcement.partitions;
  const bool remove = version < 3 && message.delete_partitions;
  for (const auto& partition : message.ungrouped_partitions)
    out.push_back({.partition = {partition.topic_name, partition.partition_index}, .remove = remove});
  for (const auto& topic : message.topics)
    for (const auto partition : topic.partition_indexes)
      out.push_back({.partition = {topic.name, partition}, .remove = remove});
  for (const auto& topic : message.topic_states)
    for (const auto& state : topic.partition_states)
      out.push_back({.partition = {topic.topic_name, state.partition_index},
                     .leader_epoch = state.leader_epoch,
                     .remove = state.delete_partition});
  return announcement;
}

protocol::StopReplicaResponse to_message(const AnnouncementReply& reply, const StopReplica& asked) {
  protocol::StopReplicaResponse message;
  message.error_code = reply.code;
  if (reply.code != base::ErrorCode::none) return message;
  absl::flat_hash_map<base::TopicPartition, base::ErrorCode> failed;
  for (const auto& partition : reply.partitions) failed.emplace(partition.partition, partition.code);
  for (const auto& stopped : asked.partitions) {
    const auto found = failed.find(stopped.partition);
    message.partition_errors.push_back({stopped.partition.topic, stopped.partition.partition,
                                        found == failed.end() ? base::ErrorCode::none : found->second});
  }
  return message;
}

AnnouncementReply from_message(const protocol::StopReplicaResponse& message) {
  AnnouncementReply reply{.code = message.error_code};
  for (const auto& partition : message.partition_errors)
    if (partition.error_code != base::ErrorCode::none)
      reply.partitions.push_back({{partition.topic_name, partition.partition_index}, partition.error_code});
  return reply;
}

// ---- UpdateMetadata ----------------------------------------------------------------------------------------------

namespace {

using LiveBrokerMessage = protocol::UpdateMetadataRequest::LiveBroker;

LiveBrokerMessage to_message(const LiveBroker& broker, std::int16_t version) {
  LiveBrokerMessage out;
  out.id = broker.id;
  out.rack = broker.rack;
  if (version == 0) {
    const auto plain = std::ranges::find(broker.endpoints, kSecurityProtocols[0], &Endpoint::security_protocol);
    if (plain == broker.endpoints.end()) return out;
    out.v0_host = plain->host;
    out.v0_port = plain->port;
    return out;
  }
  for (const auto& endpoint : broker.endpoints)
    out.endpoints.push_back({.port = endpoint.port,
                             .host = endpoint.host,
                             .listener = endpoint.listener,
                             .security_protocol = number_of(endpoint.security_protocol)});
  return out;
}

LiveBroker from_message(const LiveBrokerMessage& broker, std::int16_t version) {
  LiveBroker out{.id = broker.id, .rack = broker.rack};
  if (version == 0)
    out.endpoints.push_back({.listener = std::string(kSecurityProtocols[0]),
                             .security_protocol = std::string(kSecurityProtocols[0]),
                             .host = broker.v0_host,
                             .port = broker.v0_port});
  for (const auto& endpoint : broker.endpoints) {
    auto protocol = security_protocol(endpoint.security_protocol);
    // Before listeners had names they went by their protocol.
    auto listener = version < 3 ? protocol : endpoint.listener;
    out.endpoints.push_back({.listener = std::move(listener),
                             .security_protocol = std::move(protocol),
                             .host = endpoint.host,
                             .port = endpoint.port});
  }
  return out;
}

}  // namespace

protocol::UpdateMetadataRequest to_message(const UpdateMetadata& announcement, std::int16_t version) {
  protocol::UpdateMetadataRequest message;
  put_sender(message, announcement.from);
  Grouped topics(message.topic_states);
  for (const auto& state : announcement.partitions) {
    if (version < 5) {
      auto& out = message.ungrouped_partition_states.emplace_back();
      put_state(out, state);
      out.topic_name = state.topic;
      out.zk_version = state.partition_epoch;
      out.offline_replicas = state.offline;
      continue;
    }
    auto& topic = topics[state.topic];
    topic.topic_name = state.topic;
    topic.topic_id = state.topic_id;
    auto& out = topic.partition_states.emplace_back();
    put_state(out, state);
    out.zk_version = state.partition_epoch;
    out.offline_replicas = state.offline;
  }
  for (const auto& broker : announcement.brokers) message.live_brokers.push_back(to_message(broker, version));
  return message;
}

UpdateMetadata from_message(const protocol::UpdateMetadataRequest& message, std::int16_t version) {
  UpdateMetadata announcement{.from = sender(message)};
  for (const auto& in : message.ungrouped_partition_states)
    announcement.partitions.emplace_back(state_of(in.topic_name, in, in.zk_version)).offline = in.offline_replicas;
  for (const auto& topic : message.topic_states)
    for (const auto& in : topic.partition_states) {
      auto& state = announcement.partitions.emplace_back(state_of(topic.topic_name, in, in.zk_version));
      state.topic_id = topic.topic_id;
      state.offline = in.offline_replicas;
    }
  for (const auto& broker : message.live_brokers) announcement.brokers.push_back(from_message(broker, version));
  return announcement;
}

protocol::UpdateMetadataResponse to_message(const AnnouncementReply& reply) { return {.error_code = reply.code}; }
AnnouncementReply from_message(const protocol::UpdateMetadataResponse& message) { return {.code = message.error_code}; }

}  // namespace replication
