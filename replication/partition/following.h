// What became of replicas, for whoever keeps them up with their leaders: told by Replicas after each decision.
#pragma once

#include <memory>
#include <vector>

#include "base/ids.h"
#include "base/uuid.h"
#include "replication/partition/partition.h"

namespace replication {

struct Follow {
  std::shared_ptr<Partition> partition{};
  base::BrokerId leader = base::kNoBroker;  // or none
  base::LeaderEpoch leader_epoch{};
  base::Uuid topic_id{};  // zero: the topic has none
};

// Any thread; calls about one partition come in the order of the decisions. Nothing waits for a disk or a broker.
class Following {
 public:
  virtual ~Following() = default;
  // In place of what was to be done with these partitions before.
  virtual void follow(std::vector<Follow> replicas) = 0;
  // They lead, or are no more.
  virtual void unfollow(std::vector<base::TopicPartition> replicas) = 0;
  // Whose directory is offline is followed no longer.
  virtual void directory_failed() = 0;
  // Of topics: who is throttled may have changed.
  virtual void settings_changed() = 0;
};

}  // namespace replication
