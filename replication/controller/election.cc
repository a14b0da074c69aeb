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
                                                OfflineElection how) {
  if (auto next = elect_in_sync(state, replicas, live, how.controller_epoch)) {
    std::erase_if(next->isr, [&](base::BrokerId id) { return !live(id); });
    return next;
  }
  if (!how.unclean_allowed) return {};
  const auto any = std::ranges::find_if(replicas, live);
  if (any == replicas.end()) return {};
  auto next = succeed(state, *any, how.controller_epoch);
  next.isr = {*any};
  if (how.marks_recovery) next.recovering = true;
  return next;
}

std::optional<PartitionStateNode> elect_in_sync(const PartitionStateNode& state,
                                                const std::vector<base::BrokerId>& candidates, const IsLive& live,
                                                std::int32_t controller_epoch) {
  const auto next =
      std::ranges::find_if(candidates, [&](base::BrokerId id) { return live(id) && contains(state.isr, id); });
  if (next == candidates.end()) return {};
  return succeed(state, *next, controller_epoch);
}

PartitionStateNode next_epoch(const PartitionStateNode& state, std::int32_t controller_epoch) {
  return succeed(state, state.leader, controller_epoch);
}

std::optional<PartitionStateNode> without_replica(const PartitionStateNode& state, base::BrokerId gone,
                                                  std::int32_t controller_epoch) {
  if (!contains(state.isr, gone) && state.leader != gone) return {};
  auto next = succeed(state, state.leader == gone ? base::kNoBroker : state.leader, controller_epoch);
  if (next.isr.size() > 1) std::erase(next.isr, gone);
  return next;
}

}  // namespace replication
