// What Produce v10+ and Fetch v16+ add to NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH: who leads now and where that
// broker is, so that the client need not ask for metadata first (KIP-951).
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "replication/cluster/metadata.h"

namespace broker {

constexpr bool wants_leader_hint(base::ErrorCode code) {
  return code == base::ErrorCode::not_leader_or_follower || code == base::ErrorCode::fenced_leader_epoch;
}

// Fills `partition.current_leader` and adds the leader's endpoint to `endpoints` once.
template <class Partition, class Endpoints>
void add_leader_hint(const replication::ClusterMetadata& metadata, std::string_view topic, std::string_view listener,
                     std::int32_t index, Partition& partition, Endpoints& endpoints) {
  const auto* info = metadata.find_partition(topic, index);
  if (!info) return;
  partition.current_leader =
      typename Partition::CurrentLeader{.leader_id = info->leader, .leader_epoch = info->leader_epoch};
  const auto* broker = metadata.find_broker(info->leader);
  if (!broker) return;
  if (!endpoints) endpoints.emplace();
  if (std::any_of(endpoints->begin(), endpoints->end(), [&](const auto& e) { return e.node_id == broker->id; })) return;
  for (const auto& endpoint : broker->endpoints)
    if (endpoint.listener == listener) endpoints->push_back({broker->id, endpoint.host, endpoint.port, broker->rack});
}

}  // namespace broker
