#include "broker/handlers/metadata.h"

#include <algorithm>
#include <set>

#include "broker/dispatch/reply.h"
#include "broker/handlers/cluster_view.h"
#include "broker/internal_topics/names.h"
#include "protocol/messages/metadata.h"

namespace broker {
namespace {

using base::ErrorCode;
using protocol::MetadataRequest;
using protocol::MetadataResponse;
using replication::ClusterMetadata;
using TopicAnswer = MetadataResponse::Topic;
using PartitionAnswer = MetadataResponse::Topic::Partition;

constexpr std::int16_t kListenerNotFoundSince = 6;
constexpr std::int16_t kTopicIdsAloneSince = 12;

// What the answer is made of; copied out of the request because creating topics takes time.
struct View {
  std::string listener;
  std::int16_t version = 0;
  bool topic_operations = false;
  base::BrokerId self;
  const replication::PartitionTable& here;
};

std::vector<base::BrokerId> only_alive(const std::vector<base::BrokerId>& ids, const ClusterMetadata& cluster) {
  std::vector<base::BrokerId> out;
  for (const auto id : ids)
    if (cluster.find_broker(id)) out.push_back(id);
  return out;
}

PartitionAnswer describe(const std::string& topic, const replication::PartitionInfo& info,
                         const ClusterMetadata& cluster, const View& view) {
  PartitionAnswer out;
  out.partition_index = info.index;
  out.leader_id = info.leader;
  out.leader_epoch = info.leader_epoch;
  out.replica_nodes = info.replicas;
  out.isr_nodes = info.isr;
  for (const auto id : info.replicas)
    if (!cluster.find_broker(id) || std::count(info.offline.begin(), info.offline.end(), id))
      out.offline_replicas.push_back(id);
  const auto* leader = cluster.find_broker(info.leader);
  if (!leader || (info.leader == view.self && view.here.is_loading(topic, info.index))) {
    out.error_code = ErrorCode::leader_not_available;
    out.leader_id = base::kNoBroker;
  } else if (!endpoint_on(*leader, view.listener)) {
    out.error_code =
        view.version >= kListenerNotFoundSince ? ErrorCode::listener_not_found : ErrorCode::leader_not_available;
    out.leader_id = base::kNoBroker;
  }
  if (view.version == 0) {  // the first clients must not hear of brokers they cannot reach
    out.replica_nodes = only_alive(info.replicas, cluster);
    out.isr_nodes = only_alive(info.isr, cluster);
    const bool some_missing = out.replica_nodes.size() < info.replicas.size() || out.isr_nodes.size() < info.isr.size();
    if (out.error_code == ErrorCode::none && some_missing) out.error_code = ErrorCode::replica_not_available;
  }
  return out;
}

TopicAnswer describe(const replication::TopicInfo& topic, const ClusterMetadata& cluster, const View& view) {
  TopicAnswer out;
  out.name = topic.name;
  out.topic_id = topic.id;
  out.is_internal = is_internal_topic(topic.name);
  if (view.topic_operations) out.topic_authorized_operations = kAllTopicOperations;
  for (const auto& partition : topic.partitions)
    if (partition.leader_epoch != base::kNoLeaderEpoch)
      out.partitions.push_back(describe(topic.name, partition, cluster, view));
  return out;
}

TopicAnswer refused(std::optional<std::string> name, base::Uuid id, ErrorCode code) {
  TopicAnswer out;
  out.is_internal = name && is_internal_topic(*name);
  out.name = std::move(name);
  out.topic_id = id;
  out.error_code = code;
  return out;
}

void add_brokers(MetadataResponse& out, const ClusterMetadata& cluster, const std::string& listener) {
  for (const auto& broker : cluster.brokers())
    if (const auto* endpoint = endpoint_on(broker, listener))
      out.brokers.push_back({broker.id, endpoint->host, endpoint->port, broker.rack});
  out.controller_id = cluster.controller();
}

bool wants_all(const MetadataRequest& in, std::int16_t version) {
  return !in.topics || (version == 0 && in.topics->empty());
}

}  // namespace

void MetadataHandler::operator()(Request& request, AnswerSlot answer) const {
  MetadataRequest in;
  if (!read_body(request, answer, in)) return;
  const auto cluster = metadata_.snapshot();
  const View view{request.session.listener, request.version(), in.include_topic_authorized_operations, self_.id,
                  partitions_};
  MetadataResponse out;
  out.cluster_id = self_.cluster_id;
  if (in.include_cluster_authorized_operations) out.cluster_authorized_operations = kAllClusterOperations;
  add_brokers(out, *cluster, view.listener);

  std::vector<std::size_t> missing;  // answers that wait for a topic to be created
  if (wants_all(in, view.version)) {
    for (const auto& name : cluster->topic_names())
      if (const auto topic = cluster->find_topic(name)) out.topics.push_back(describe(*topic, *cluster, view));
  } else {
    std::set<std::string> seen;
    for (auto& wanted : *in.topics) {
      const bool by_id = view.version >= kTopicIdsAloneSince && !wanted.topic_id.is_zero();
      if (!by_id && !wanted.name) {
        out.topics.push_back(refused(std::nullopt, wanted.topic_id, ErrorCode::invalid_request));
        continue;
      }
      if (!seen.insert(by_id ? wanted.topic_id.text() : *wanted.name).second) continue;
      const auto topic = by_id ? cluster->find_topic(wanted.topic_id) : cluster->find_topic(*wanted.name);
      if (topic) {
        out.topics.push_back(describe(*topic, *cluster, view));
      } else if (by_id) {
        out.topics.push_back(refused(std::nullopt, wanted.topic_id, ErrorCode::unknown_topic_id));
      } else {
        const bool create = in.allow_auto_topic_creation && settings_.snapshot()->broker->auto_create_topics_enable;
        if (create) missing.push_back(out.topics.size());
        out.topics.push_back(refused(*wanted.name, {}, ErrorCode::unknown_topic_or_partition));
      }
    }
  }
  if (missing.empty()) return reply(answer, request, out);

  std::vector<replication::NewTopic> topics;
  for (const auto at : missing) topics.push_back(automatic_topic(*out.topics[at].name));
  // Told at once, in the words of a client that has just made a topic: its leader comes with the next question.
  auto shared = std::make_shared<std::pair<AnswerSlot, MetadataResponse>>(std::move(answer), std::move(out));
  creation_.create(std::move(topics),
                   [this, shared, missing, version = view.version,
                    correlation_id = request.correlation_id()](const std::vector<replication::TopicResult>& results) {
                     auto& [slot, response] = *shared;
                     for (std::size_t i = 0; i < missing.size() && i < results.size(); ++i) {
                       const auto code = results[i].code;
                       if (is_internal_topic(results[i].name)) internal_topics_.created(results[i]);
                       const bool made = code == ErrorCode::none || code == ErrorCode::request_timed_out ||
                                         code == ErrorCode::topic_already_exists || code == ErrorCode::not_controller;
                       response.topics[missing[i]].error_code = made ? ErrorCode::leader_not_available : code;
                     }
                     slot.fill(protocol::encode_response(correlation_id, version, response));
                   });
}

replication::NewTopic MetadataHandler::automatic_topic(const std::string& name) const {
  return is_internal_topic(name) ? internal_topics_.describe(name) : replication::NewTopic{.name = name};
}

}  // namespace broker
