// What one step of the controller tells the brokers: at most one LeaderAndIsr, one UpdateMetadata and one StopReplica
// for each. Pure.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "replication/cluster/announcements.h"
#include "replication/controller/state.h"

namespace replication {

class AnnouncementBatch {
 public:
  // To those of the brokers that live. Of what is told twice the later holds.
  void tell_leadership(const std::vector<base::BrokerId>& to, const PartitionState& state);
  void tell_stop(base::BrokerId to, const StoppedReplica& stop);
  // To every broker.
  void tell_metadata(const PartitionState& state);
  // To this one only.
  void tell_metadata_to(base::BrokerId to, const PartitionState& state);
  // Nothing but the list of brokers, to every broker.
  void tell_brokers() { metadata_due_ = true; }
  void clear() { *this = {}; }

  struct ForBroker {
    std::optional<LeaderAndIsr> leadership{};
    std::optional<UpdateMetadata> metadata{};
    std::optional<StopReplica> stop{};
  };
  // Leaves the batch empty. Only live brokers, and only those with something to hear.
  std::map<base::BrokerId, ForBroker> take(const ControllerState& state, base::BrokerId controller);

 private:
  using States = std::map<base::TopicPartition, PartitionState>;

  std::map<base::BrokerId, States> leadership_;
  std::map<base::BrokerId, std::map<base::TopicPartition, StoppedReplica>> stops_;
  std::map<base::BrokerId, States> metadata_to_;
  States metadata_;
  bool metadata_due_ = false;
};

}  // namespace replication
