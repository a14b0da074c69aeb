// In-sync sets changed by asking the controller: AlterPartition, with inter.broker.protocol.version 2.7-IV2 and later.
//
// One request is under way at a time; what is asked meanwhile goes with the next, one change per partition. A later
// change of a partition takes the place of one that was not answered, and nobody hears of that one any more. What
// another attempt may mend (no controller known, a lost connection, a controller that has another view) is tried again
// for ever: each attempt carries the leader epoch, so that the controller ends it when it has been overtaken.
//
// Everything but ask() happens on one loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/loop.h"
#include "config/protocol_version.h"
#include "replication/controller/alter_partition.h"
#include "replication/partition/isr_changes.h"
#include "replication/peers/peers.h"

namespace replication {

class ControllerIsrChanges final : public IsrChanges {
 public:
  // All that is named outlives this.
  struct Services {
    base::BrokerId self;
    base::Loop& loop;
    PeerNetwork& peers;
    // The controller and its listener for brokers; id -1: not known, or not where. Asked on the loop.
    std::function<PeerAddress()> find_controller;
    AlterPartitionHere here;                     // where `self` is the controller
    std::function<std::int64_t()> broker_epoch;  // of this life; -1: not registered
    config::ProtocolVersion release;             // inter.broker.protocol.version
    PeerOptions options{};
    base::Duration timeout = std::chrono::seconds(30);  // controller.socket.timeout.ms
  };
  explicit ControllerIsrChanges(Services services);
  // Before, leaders write the state themselves: StateNodeIsrChanges.
  static bool is_known_to(config::ProtocolVersion release);
  ~ControllerIsrChanges() override;

  void ask(IsrChange change, Done done) override;
  // Nothing is sent and nobody is answered any more. On the loop, or once it has stopped; then this may go.
  void stop();

 private:
  class Sender;
  const std::shared_ptr<Sender> sender_;
};

}  // namespace replication
