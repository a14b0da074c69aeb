#include "replication/controller/topic_requests.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace replication {

using base::ErrorCode;

namespace {

constexpr std::size_t kMaxTopicNameBytes = 249;  // a directory is "<topic>-<partition>", within NAME_MAX

bool has_duplicates(std::vector<base::BrokerId> ids) {
  std::ranges::sort(ids);
  return std::ranges::adjacent_find(ids) != ids.end();
}

std::string joined(const std::vector<base::BrokerId>& ids) { return fmt::format("{}", fmt::join(ids, ", ")); }

// Brokers named here need not live: the topic then waits for one.
base::Status check_assignment(const ReplicaLists& assignment) {
  const auto factor = assignment.begin()->second.size();
  if (!std::ranges::all_of(assignment, [&](const auto& one) { return one.second.size() == factor; }))
    return base::fail(ErrorCode::invalid_replica_assignment, "All partitions should have the same number of replicas");
  for (const auto& [partition, replicas] : assignment)
    if (has_duplicates(replicas))
      return base::fail(ErrorCode::invalid_replica_assignment,
                        "Duplicate replica assignment found: partition {} on brokers {}", partition, joined(replicas));
  base::PartitionIndex next = 0;
  for (const auto& [partition, replicas] : assignment)
    if (partition != next++)
      return base::fail(ErrorCode::invalid_replica_assignment,
                        "partitions should be a consecutive 0-based integer sequence");
  return {};
}

}  // namespace

base::Status check_topic_name(std::string_view name) {
  constexpr auto kCode = ErrorCode::invalid_topic_exception;
  if (name.empty()) return base::fail(kCode, "Topic name is illegal, it can't be empty");
  if (name == "." || name == "..") return base::fail(kCode, "Topic name cannot be \".\" or \"..\"");
  if (name.size() > kMaxTopicNameBytes)
    return base::fail(kCode, "Topic name is illegal, it can't be longer than {} characters, topic name: {}",
                      kMaxTopicNameBytes, name);
  const bool legal = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
  if (!legal)
    return base::fail(kCode,
                      "Topic name \"{}\" is illegal, it contains a character other than ASCII alphanumerics, '.', '_' "
                      "and '-'",
                      name);
  return {};
}

bool topic_names_collide(std::string_view a, std::string_view b) {
  const auto same = [](char x, char y) { return x == y || ((x == '.' || x == '_') && (y == '.' || y == '_')); };
  return std::ranges::equal(a, b, same);
}

base::Result<TopicPlan> plan_topic(const NewTopic& topic, const TopicRules& rules,
                                   const std::function<bool(std::string_view)>& exists,
                                   const std::vector<std::string>& colliding, base::Random& random) {
  const auto taken = [&] {
    return base::fail(ErrorCode::topic_already_exists, "Topic '{}' already exists.", topic.name);
  };
  if (exists(topic.name)) return taken();
  TopicPlan plan;
  std::vector<std::string> nulls;
  for (const auto& [key, value] : topic.config) {
    if (value)
      plan.config[key] = *value;
    else
      nulls.push_back(key);
  }
  if (!nulls.empty())
    return base::fail(ErrorCode::invalid_request, "Null value not supported for topic configs : {}",
                      fmt::join(nulls, ","));
  if ((topic.partitions != -1 || topic.replication_factor != -1) && !topic.assignment.empty())
    return base::fail(ErrorCode::invalid_request,
                      "Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used "
                      "at the same time.");
  if (topic.assignment.empty()) {
    const PlacementRequest wanted{.partitions = topic.partitions == -1 ? rules.default_partitions : topic.partitions,
                                  .replication_factor = topic.replication_factor == -1
                                                            ? rules.default_replication_factor
                                                            : topic.replication_factor};
    auto placed = place_replicas(wanted, rules.brokers, random);
    if (!placed) return placed.error();
    plan.replicas = std::move(*placed);
  } else {
    plan.replicas = topic.assignment;
  }
  if (auto named = check_topic_name(topic.name); !named) return named.error();
  if (!colliding.empty())
    return base::fail(ErrorCode::invalid_topic_exception, "Topic '{}' collides with existing topics: {}", topic.name,
                      fmt::join(colliding, ", "));
  if (auto assigned = check_assignment(plan.replicas); !assigned) return assigned.error();
  if (rules.check_config)
    if (auto configured = rules.check_config(plan.config); !configured) return configured.error();
  return plan;
}

base::Result<ReplicaLists> plan_expansion(const MorePartitions& request, const TopicNode& topic,
                                          const std::vector<PlacementBroker>& brokers, base::Random& random) {
  const auto old_count = static_cast<std::int32_t>(topic.replicas.size());
  const std::int32_t added = request.count - old_count;
  if (added < 0)
    return base::fail(ErrorCode::invalid_partitions,
                      "Topic currently has {} partitions, which is higher than the requested {}.", old_count,
                      request.count);
  if (added == 0) return base::fail(ErrorCode::invalid_partitions, "Topic already has {} partitions.", old_count);
  const auto& first = topic.replicas.begin()->second;  // a topic has at least one partition
  if (!request.assignment)
    return place_replicas({.partitions = added,
                           .replication_factor = static_cast<std::int32_t>(first.size()),
                           .first = old_count,
                           .start = first.empty() ? std::nullopt : std::optional(first.front())},
                          brokers, random);

  const auto& assignment = *request.assignment;
  if (assignment.size() != static_cast<std::size_t>(added))
    return base::fail(ErrorCode::invalid_replica_assignment,
                      "Increasing the number of partitions by {} but {} assignments provided.", added,
                      assignment.size());
  std::vector<base::BrokerId> unknown;
  for (const auto& replicas : assignment)
    for (const auto id : replicas)
      if (std::ranges::find(brokers, id, &PlacementBroker::id) == brokers.end()) unknown.push_back(id);
  std::ranges::sort(unknown);
  unknown.erase(std::unique(unknown.begin(), unknown.end()), unknown.end());
  if (!unknown.empty())
    return base::fail(ErrorCode::invalid_replica_assignment, "Unknown broker(s) in replica assignment: {}.",
                      joined(unknown));
  ReplicaLists lists;
  for (std::size_t i = 0; i < assignment.size(); ++i) {
    const auto partition = old_count + static_cast<std::int32_t>(i);
    if (assignment[i].empty())
      return base::fail(ErrorCode::invalid_replica_assignment,
                        "Cannot have replication factor of 0 for partition id {}.", partition);
    if (has_duplicates(assignment[i]))
      return base::fail(ErrorCode::invalid_replica_assignment,
                        "Duplicate brokers not allowed in replica assignment: {} for partition id {}.",
                        joined(assignment[i]), partition);
    lists[partition] = assignment[i];
  }
  std::vector<base::PartitionIndex> uneven;
  std::vector<std::size_t> factors;
  for (const auto& [partition, replicas] : lists)
    if (replicas.size() != first.size()) {
      uneven.push_back(partition);
      factors.push_back(replicas.size());
    }
  if (!uneven.empty())
    return base::fail(ErrorCode::invalid_replica_assignment,
                      "Inconsistent replication factor between partitions, partition 0 has {} while partitions [{}] "
                      "have replication factors [{}], respectively.",
                      first.size(), fmt::join(uneven, ", "), fmt::join(factors, ", "));
  return lists;
}

}  // namespace replication
