// Where replicas of new partitions go: Kafka's rules, racks respected. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/random.h"
#include "replication/coordination/znodes.h"

namespace replication {

struct PlacementBroker {
  base::BrokerId id = base::kNoBroker;
  std::optional<std::string> rack{};
};

struct PlacementRequest {
  std::int32_t partitions = 1;  // how many
  std::int32_t replication_factor = 1;
  base::PartitionIndex first = 0;  // the number of the first of them
  // Expansion goes on where the topic began: the broker that leads its partition 0. Otherwise start is random.
  std::optional<base::BrokerId> start{};
};

// The first replica of each partition is its preferred leader. Refused with Kafka's texts: counts below 1, more
// replicas than brokers, racks known of only some brokers.
base::Result<ReplicaLists> place_replicas(const PlacementRequest& request, std::vector<PlacementBroker> brokers,
                                          base::Random& random);

}  // namespace replication
