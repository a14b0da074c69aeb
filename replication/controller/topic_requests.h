// What clients ask of topics, and whether it may be: the checks of CreateTopics and CreatePartitions in Kafka 2.7.1's
// order and words. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "replication/controller/placement.h"
#include "replication/coordination/znodes.h"

namespace replication {

struct NewTopic {
  std::string name{};
  std::int32_t partitions = -1;          // -1: the default
  std::int32_t replication_factor = -1;  // -1: the default
  ReplicaLists assignment{};             // instead of the two above
  std::vector<std::pair<std::string, std::optional<std::string>>> config{};
};

struct MorePartitions {
  std::string topic{};
  std::int32_t count = 0;                                                // in total, afterwards
  std::optional<std::vector<std::vector<base::BrokerId>>> assignment{};  // of the new ones
};

struct TopicResult {
  std::string name{};
  base::ErrorCode code = base::ErrorCode::none;
  std::optional<std::string> message{};
  base::Uuid topic_id{};
  std::int32_t partitions = -1;
  std::int32_t replication_factor = -1;
};

// What the checks look at.
struct TopicRules {
  std::int32_t default_partitions = 1;
  std::int32_t default_replication_factor = 1;
  std::vector<PlacementBroker> brokers{};  // the live ones
  // Refuses an unknown key or a bad value (`invalid_config` with Kafka's text).
  std::function<base::Status(const ConfigEntries&)> check_config{};
};

// Letters, digits, '.', '_', '-', at most 249, not "." or "..".
base::Status check_topic_name(std::string_view name);
// '.' and '_' look alike in the names of metrics.
bool topic_names_collide(std::string_view a, std::string_view b);

struct TopicPlan {
  ReplicaLists replicas{};
  ConfigEntries config{};
};
// `exists` and `names`: topics there are or that are being deleted.
base::Result<TopicPlan> plan_topic(const NewTopic& topic, const TopicRules& rules,
                                   const std::function<bool(std::string_view)>& exists,
                                   const std::vector<std::string>& colliding, base::Random& random);

// The partitions to be added.
base::Result<ReplicaLists> plan_expansion(const MorePartitions& request, const TopicNode& topic,
                                          const std::vector<PlacementBroker>& brokers, base::Random& random);

// Names that occur more than once.
template <class Range, class Name>
std::set<std::string, std::less<>> repeated_names(const Range& range, Name name) {
  std::set<std::string, std::less<>> seen;
  std::set<std::string, std::less<>> repeated;
  for (const auto& one : range)
    if (!seen.insert(std::invoke(name, one)).second) repeated.insert(std::invoke(name, one));
  return repeated;
}

}  // namespace replication
