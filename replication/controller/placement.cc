#include "replication/controller/placement.h"

#include <algorithm>
#include <set>

namespace replication {

namespace {

// Racks take turns, so that neighbours in the list are on different racks as long as possible.
std::vector<PlacementBroker> alternate_racks(const std::vector<PlacementBroker>& brokers) {
  std::map<std::string, std::vector<PlacementBroker>> by_rack;
  for (const auto& broker : brokers) by_rack[*broker.rack].push_back(broker);
  std::vector<PlacementBroker> out;
  for (std::size_t turn = 0; out.size() < brokers.size(); ++turn)
    for (const auto& [rack, members] : by_rack)
      if (turn < members.size()) out.push_back(members[turn]);
  return out;
}

}  // namespace

base::Result<ReplicaLists> place_replicas(const PlacementRequest& request, std::vector<PlacementBroker> brokers,
                                          base::Random& random) {
  using base::ErrorCode;
  if (request.partitions <= 0)
    return base::fail(ErrorCode::invalid_partitions, "Number of partitions must be larger than 0.");
  if (request.replication_factor <= 0)
    return base::fail(ErrorCode::invalid_replication_factor, "Replication factor must be larger than 0.");
  if (static_cast<std::size_t>(request.replication_factor) > brokers.size())
    return base::fail(ErrorCode::invalid_replication_factor,
                      "Replication factor: {} larger than available brokers: {}.", request.replication_factor,
                      brokers.size());
  std::ranges::sort(brokers, {}, &PlacementBroker::id);
  const auto racked = std::ranges::count_if(brokers, [](const auto& broker) { return broker.rack.has_value(); });
  const bool rack_aware = racked > 0;
  if (rack_aware && static_cast<std::size_t>(racked) != brokers.size())
    return base::fail(ErrorCode::unknown_server_error,
                      "Not all brokers have rack information: set broker.rack on all of them or on none.");
  std::size_t rack_count = 1;
  if (rack_aware) {
    brokers = alternate_racks(brokers);
    std::set<std::string> racks;
    for (const auto& broker : brokers) racks.insert(*broker.rack);
    rack_count = racks.size();
  }

  const std::size_t n = brokers.size();
  std::size_t start = 0;
  std::size_t shift = 0;
  if (request.start) {
    const auto at = std::ranges::find_if(brokers, [&](const auto& broker) { return broker.id >= *request.start; });
    start = shift = at == brokers.end() ? 0 : static_cast<std::size_t>(at - brokers.begin());
  } else {
    start = random.below(n);
    shift = random.below(n);
  }
  ReplicaLists placed;
  for (std::int32_t i = 0; i < request.partitions; ++i) {
    const auto p = static_cast<std::size_t>(request.first + i);
    if (p > 0 && p % n == 0) ++shift;
    const std::size_t lead = (p + start) % n;
    std::vector<base::BrokerId> replicas{brokers[lead].id};
    std::set<std::string> used_racks;
    if (rack_aware) used_racks.insert(*brokers[lead].rack);
    for (std::size_t j = 0; replicas.size() < static_cast<std::size_t>(request.replication_factor); ++j) {
      // n > 1 here: the factor is at most n and one replica is placed.
      const auto& candidate = brokers[(lead + 1 + (shift * rack_count + j) % (n - 1)) % n];
      if (std::ranges::find(replicas, candidate.id) != replicas.end()) continue;
      if (rack_aware && used_racks.contains(*candidate.rack) && used_racks.size() < rack_count) continue;
      replicas.push_back(candidate.id);
      if (rack_aware) used_racks.insert(*candidate.rack);
    }
    placed[request.first + i] = std::move(replicas);
  }
  return placed;
}

}  // namespace replication
