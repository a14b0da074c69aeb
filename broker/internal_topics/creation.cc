#include "broker/internal_topics/creation.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "broker/internal_topics/names.h"
#include "protocol/internal/java_hash.h"

namespace broker {

using base::ErrorCode;

namespace {

constexpr std::string_view kGroupsFactor = "offsets.topic.replication.factor";
constexpr std::string_view kTransactionsFactor = "transaction.state.log.replication.factor";
constexpr std::string_view kTransactionsMinInSync = "transaction.state.log.min.isr";

std::int32_t number_or_one(const config::BrokerSettings& settings, std::string_view key, std::int32_t value) {
  return settings.embedded_metadata() && !settings.given.contains(std::string(key)) ? 1 : value;
}

}  // namespace

replication::NewTopic internal_topic(std::string_view name, const config::BrokerSettings& settings) {
  replication::NewTopic topic{.name = std::string(name)};
  if (name == kGroupsTopic) {
    topic.partitions = settings.offsets_topic_num_partitions;
    topic.replication_factor = number_or_one(settings, kGroupsFactor, settings.offsets_topic_replication_factor);
    topic.config = {{"compression.type", "producer"},
                    {"cleanup.policy", "compact"},
                    {"segment.bytes", std::to_string(settings.offsets_topic_segment_bytes)}};
  } else {
    base::invariant(name == kTransactionsTopic, "there are two internal topics");
    const auto in_sync = number_or_one(settings, kTransactionsMinInSync, settings.transaction_state_log_min_isr);
    topic.partitions = settings.transaction_state_log_num_partitions;
    topic.replication_factor =
        number_or_one(settings, kTransactionsFactor, settings.transaction_state_log_replication_factor);
    topic.config = {{"compression.type", "uncompressed"},
                    {"cleanup.policy", "compact"},
                    {"min.insync.replicas", std::to_string(in_sync)},
                    {"unclean.leader.election.enable", "false"},
                    {"segment.bytes", std::to_string(settings.transaction_state_log_segment_bytes)}};
  }
  return topic;
}

std::optional<base::PartitionIndex> InternalTopics::partition_of(std::string_view topic, std::string_view key) const {
  const auto known = metadata_.snapshot()->find_topic(topic);
  if (!known) return std::nullopt;
  return protocol::internal_partition(key, known->partitions.back().index + 1);
}

std::optional<base::BrokerId> InternalTopics::leader_of(std::string_view topic, std::string_view key) const {
  const auto cluster = metadata_.snapshot();
  const auto index = partition_of(topic, key);
  const auto* partition = index ? cluster->find_partition(topic, *index) : nullptr;
  if (!partition || !cluster->find_broker(partition->leader)) return std::nullopt;
  return partition->leader;
}

std::optional<CoordinatorPlace> InternalTopics::place(std::string_view topic, std::string_view key) {
  const auto cluster = metadata_.snapshot();
  const auto known = cluster->find_topic(topic);
  if (!known) {
    create(topic);
    return std::nullopt;
  }
  CoordinatorPlace place{.partition = protocol::internal_partition(key, known->partitions.back().index + 1)};
  const auto* partition = known->find(place.partition);
  if (partition && cluster->find_broker(partition->leader)) place.leader = partition->leader;
  return place;
}

replication::NewTopic InternalTopics::describe(std::string_view topic) const {
  return internal_topic(topic, *settings_.snapshot()->broker);
}

void InternalTopics::create(std::string_view topic) {
  {
    absl::MutexLock lock(&mutex_);
    if (std::find(being_created_.begin(), being_created_.end(), topic) != being_created_.end()) return;
    being_created_.emplace_back(topic);
  }
  creation_.create({describe(topic)}, [this](const std::vector<replication::TopicResult>& results) {
    for (const auto& result : results) created(result);
  });
}

void InternalTopics::created(const replication::TopicResult& result) {
  const auto& topic = result.name;
  {
    absl::MutexLock lock(&mutex_);
    std::erase(being_created_, topic);
    const bool failed = result.code != ErrorCode::none && result.code != ErrorCode::request_timed_out &&
                        result.code != ErrorCode::topic_already_exists && result.code != ErrorCode::not_controller;
    if (!failed || !complaints_.take(clock_.now())) return;
  }
  if (result.code != ErrorCode::invalid_replication_factor)
    return log_.error("{} cannot be created: {}", topic, result.message.value_or(base::error_name(result.code)));
  std::vector<std::int32_t> alive;
  for (const auto& broker : metadata_.snapshot()->brokers()) alive.push_back(broker.id.raw);
  const auto key = topic == kGroupsTopic ? kGroupsFactor : kTransactionsFactor;
  const auto factor = describe(topic).replication_factor;
  log_.error(
      "{} cannot be created, and clients that need it wait: {} is {}, but {} broker(s) are alive: {}. Start more "
      "brokers, or set {}={} in server.properties and restart.",
      topic, key, factor, alive.size(), fmt::join(alive, ", "), key, std::max<std::size_t>(alive.size(), 1));
}

}  // namespace broker
