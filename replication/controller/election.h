// Who leads a partition next. Pure; the table is in the ZooKeeper facts of Kafka's partition state machine.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "replication/coordination/znodes.h"

namespace replication {

using IsLive = std::function<bool(base::BrokerId)>;

// A partition that never had a leader: the first live replica, all live ones in sync. None: nobody is live.
std::optional<PartitionStateNode> elect_first(const std::vector<base::BrokerId>& replicas, const IsLive& live,
                                              std::int32_t controller_epoch);

// A partition whose leader is gone: the first live replica that is in sync; when `unclean_allowed`, otherwise the first
// live one at all, alone in the new in-sync set. The epoch grows by one. None: nobody can lead.
struct OfflineElection {
  std::int32_t controller_epoch = 0;
  bool unclean_allowed = false;
  bool marks_recovery = false;  // an unclean leader is marked as recovering
};
std::optional<PartitionStateNode> elect_offline(const PartitionStateNode& state,
                                                const std::vector<base::BrokerId>& replicas, const IsLive& live,
                                                OfflineElection how);

// The first of `candidates` that is live and in sync; nothing else but the epoch changes. None: nobody can.
std::optional<PartitionStateNode> elect_in_sync(const PartitionStateNode& state,
                                                const std::vector<base::BrokerId>& candidates, const IsLive& live,
                                                std::int32_t controller_epoch);

// The same leader and set under the next epoch, so that all replicas hear of it.
PartitionStateNode next_epoch(const PartitionStateNode& state, std::int32_t controller_epoch);

// A replica goes away: it leaves the in-sync set unless it is the last member, and leads no more. None: it had no part.
std::optional<PartitionStateNode> without_replica(const PartitionStateNode& state, base::BrokerId gone,
                                                  std::int32_t controller_epoch);

}  // namespace replication
