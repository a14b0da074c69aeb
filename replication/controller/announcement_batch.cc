#include "replication/controller/announcement_batch.h"

#include <algorithm>
#include <set>
#include <utility>

namespace replication {

namespace {

base::TopicPartition key(const PartitionState& state) { return {state.topic, state.partition}; }

bool contains(const std::vector<base::BrokerId>& ids, base::BrokerId id) {
  return std::ranges::find(ids, id) != ids.end();
}

}  // namespace

void AnnouncementBatch::tell_leadership(const std::vector<base::BrokerId>& to, const PartitionState& state) {
  for (const auto id : to) {
    auto [at, fresh] = leadership_[id].try_emplace(key(state), state);
    if (fresh) continue;
    const bool is_new = at->second.is_new || state.is_new;  // still to be created, whatever followed
    at->second = state;
    at->second.is_new = is_new;
  }
}

void AnnouncementBatch::tell_stop(base::BrokerId to, const StoppedReplica& stop) {
  auto [at, fresh] = stops_[to].try_emplace(stop.partition, stop);
  if (fresh) return;
  const bool remove = at->second.remove || stop.remove;
  at->second = stop;
  at->second.remove = remove;
}

void AnnouncementBatch::tell_metadata(const PartitionState& state) {
  metadata_due_ = true;
  metadata_[key(state)] = state;
}

void AnnouncementBatch::tell_metadata_to(base::BrokerId to, const PartitionState& state) {
  metadata_to_[to][key(state)] = state;
}

std::map<base::BrokerId, AnnouncementBatch::ForBroker> AnnouncementBatch::take(const ControllerState& state,
                                                                               base::BrokerId controller) {
  AnnouncementBatch taken = std::exchange(*this, {});
  std::map<base::BrokerId, ForBroker> out;
  std::vector<LiveBroker> brokers;
  for (const auto& [id, broker] : state.brokers) brokers.push_back(broker);
  for (const auto& [id, broker] : state.brokers) {
    const FromController from{.controller = controller, .controller_epoch = state.epoch, .broker_epoch = broker.epoch};
    ForBroker told;
    LeaderAndIsr leadership{.from = from};
    std::set<base::BrokerId> leaders;
    for (auto& [partition, one] : taken.leadership_[id]) {
      if (contains(one.offline, id)) continue;  // it has said that its disk is gone
      leaders.insert(one.leader);
      leadership.partitions.push_back(std::move(one));
    }
    for (const auto leader : leaders)
      if (const auto found = state.brokers.find(leader); found != state.brokers.end())
        leadership.leaders.push_back(found->second);
    if (!leadership.partitions.empty()) told.leadership = std::move(leadership);

    const auto only = taken.metadata_to_.find(id);
    if (taken.metadata_due_ || only != taken.metadata_to_.end()) {
      UpdateMetadata metadata{.from = from, .brokers = brokers};
      if (only == taken.metadata_to_.end()) {
        for (const auto& [partition, one] : taken.metadata_) metadata.partitions.push_back(one);
      } else {
        States both = taken.metadata_;
        both.merge(only->second);
        for (auto& [partition, one] : both) metadata.partitions.push_back(std::move(one));
      }
      told.metadata = std::move(metadata);
    }

    StopReplica stop{.from = from};
    for (auto& [partition, one] : taken.stops_[id]) stop.partitions.push_back(std::move(one));
    if (!stop.partitions.empty()) told.stop = std::move(stop);
    if (told.leadership || told.metadata || told.stop) out.emplace(id, std::move(told));
  }
  return out;
}

}  // namespace replication
