// A leader asks for another in-sync set of its partition. Who grants it: the controller (AlterPartition), or, where
// inter.broker.protocol.version is below 2.7-IV2, the leader itself by writing the state node.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/uuid.h"

namespace replication {

struct IsrChange {
  base::TopicPartition partition{};
  base::Uuid topic_id{};
  base::LeaderEpoch leader_epoch{};
  std::int32_t controller_epoch = 0;  // of the announcement that made this broker the leader
  std::int32_t partition_epoch = 0;   // of the state this change starts from
  std::vector<base::BrokerId> isr{};
  std::vector<std::int64_t> broker_epochs{};  // of those, -1: unknown; empty or as many as `isr`
  bool recovering = false;                    // leader recovery state: an unclean leader that is not done
};

// The state that holds now: the one asked for, or another that was there first.
struct IsrOutcome {
  base::LeaderEpoch leader_epoch{};
  std::int32_t partition_epoch = 0;
  base::BrokerId leader = base::kNoBroker;
  std::vector<base::BrokerId> isr{};
  bool recovering = false;
};

class IsrChanges {
 public:
  virtual ~IsrChanges() = default;
  // Any thread, without the partition's lock or with it: `done` never runs inside the call. One change per partition at
  // a time: another one takes the place of the first, which then may never be answered. What can be tried again is
  // tried again inside; the errors that reach `done` are final for this change: the codes Kafka's controller answers
  // AlterPartition with.
  using Done = std::function<void(base::Result<IsrOutcome>)>;
  virtual void ask(IsrChange change, Done done) = 0;
};

}  // namespace replication
