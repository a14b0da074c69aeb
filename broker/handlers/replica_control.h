// What the controller tells this broker: LeaderAndIsr, StopReplica, UpdateMetadata.
//
// Requests of other brokers' controllers and calls of our own take the same road (replication::Announcements) and are
// carried out in the order in which they came.
#pragma once

#include <cstdint>
#include <functional>

#include "base/logging.h"
#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "replication/cluster/announcements.h"

namespace broker {

// Any loop may call. Outlived by its parts.
class ReplicaControl {
 public:
  // `broker_epoch`: of our registration now, -1 before the first; any thread may ask.
  ReplicaControl(replication::Announcements take, std::function<std::int64_t()> broker_epoch)
      : take_(std::move(take)), broker_epoch_(std::move(broker_epoch)) {}

  // Handlers.
  void leader_and_isr(Request& request, AnswerSlot answer) const;
  void stop_replica(Request& request, AnswerSlot answer) const;
  void update_metadata(Request& request, AnswerSlot answer) const;

 private:
  // The request is meant for a life of this broker that is over. One that is ahead of us is not: the controller may see
  // a registration before we are told of it.
  bool is_stale(const Request& request, const replication::FromController& from) const;

  const replication::Announcements take_;
  const std::function<std::int64_t()> broker_epoch_;
  const base::Logger log_{"weir.ReplicaControl"};
};

}  // namespace broker
