// Which replica a consumer had better read (KIP-392), for replica.selector.class
// org.apache.kafka.common.replica.RackAwareReplicaSelector: one in its own rack. Pure.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace replication {

// An in-sync replica that holds the offset asked for.
struct ReadableReplica {
  base::BrokerId id{};
  bool leads = false;
  base::Offset log_end{};
  std::optional<base::Instant> last_caught_up{};
  std::optional<std::string> rack{};  // of its broker; nothing also for one that is not alive
};

// Nothing: the leader, who is asked. In its rack nobody is better than the leader; then who holds most, was caught up
// last, and has the highest id.
inline std::optional<base::BrokerId> preferred_replica(const std::vector<ReadableReplica>& replicas,
                                                       std::string_view rack) {
  const ReadableReplica* best = nullptr;
  const auto rank = [](const ReadableReplica& r) { return std::tuple(r.leads, r.log_end, r.last_caught_up, r.id); };
  for (const auto& replica : replicas)
    if (!rack.empty() && replica.rack == rack && (!best || rank(*best) < rank(replica))) best = &replica;
  return best && !best->leads ? std::optional(best->id) : std::nullopt;
}

}  // namespace replication
