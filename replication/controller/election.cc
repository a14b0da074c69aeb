#include "replication/controller/election.h"

#include <algorithm>

namespace replication {

namespace {

bool contains(const std::vector<base::BrokerId>& ids, base::BrokerId id) {
  return std::ranges::find(ids, id) != ids.end();
}

PartitionStateNode succeed(const PartitionStateNode& state, base::BrokerId leader, std::int32_t controller_epoch) {
  PartitionStateNode next = state;
  next.controller_epoch = controller_epoch;
  next.leader = leader;
  next.leader_epoch = base::LeaderEpoch{state.leader_epoch.raw + 1};
  return next;
}

}  // namespace

std::optional<PartitionStateNode> elect_first(const std::vector<base::BrokerId>& replicas, const IsLive& live,
                                              std::int32_t controller_epoch) {
  PartitionStateNode state{.controller_epoch = controller_epoch, .leader_epoch = base::LeaderEpoch{0}};
  std::ranges::copy_if(replicas, std::back_inserter(state.isr), live);
  if (state.isr.empty()) return {};
  state.leader = state.isr.front();
  return state;
}

std::optional<PartitionStateNode> elect_offline(const PartitionStateNode& state,
                                                const std::vector<base::BrokerId>& replicas, const IsLive& live,
                                                std::int32_t controller_epoch, bool unclean_allowed) {
  for (const auto replica : replicas) {
    if (!live(replica) || !contains(state.isr, replica)) continue;
    auto next = succeed(state, replica, controller_epoch);
    std::erase_if(next.isr, [&](base::BrokerId id) { return !live(id); });
    return next;
  }
  if (!unclean_allowed) return {};
  const auto any = std::ranges::find_if(replicas, live);
  if (any == replicas.end()) return {};
  auto next = succeed(state, *any, controller_epoch);
  next.isr = {*any};
  return next;
}

std::optional<PartitionStateNode> without_replica(const PartitionStateNode& state, base::BrokerId gone,
                                                  std::int32_t controller_epoch) {
  if (!contains(state.isr, gone) && state.leader != gone) return {};
  auto next = succeed(state, state.leader == gone ? base::kNoBroker : state.leader, controller_epoch);
  if (next.isr.size() > 1) std::erase(next.isr, gone);
  return next;
}

}  // namespace replication
