// Gathers what brokers must be told after a step of the controller and tells them in order: at most one LeaderAndIsr,
// one UpdateMetadata and one StopReplica a step, the next only when the last was answered.
//
// Told is the controller's own broker, in process; channels to other brokers belong beside it.
// Lives on the coordination loop.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "base/logging.h"
#include "base/loop.h"
#include "replication/cluster/announcements.h"
#include "replication/controller/state.h"

namespace replication {

class Announcer {
 public:
  struct Hooks {
    std::function<void()> metadata_told;  // follows every UpdateMetadata that the broker has taken in
    // That broker cannot serve these, because a log directory of its has failed.
    std::function<void(base::BrokerId broker, std::vector<base::TopicPartition> replicas)> replicas_lost;
  };
  Announcer(base::BrokerId self, base::Loop& loop, Announcements local, Hooks hooks);

  // Collect; send() sends. States are described by the caller (partition_steps.h).
  void tell_leadership(PartitionState state) { leadership_.push_back(std::move(state)); }
  void tell_metadata(PartitionState state) {
    metadata_.push_back(std::move(state));
    metadata_due_ = true;
  }
  // The brokers changed, or nothing but the list of brokers is to be told.
  void tell_brokers() { metadata_due_ = true; }
  void tell_stop(StoppedReplica stop) { stops_.push_back(std::move(stop)); }

  // `stopped` follows the answer to the StopReplica of this step, if there is one.
  void send(const ControllerState& state, Announcements::Done stopped = nullptr);
  // Forgets what was not sent; answers to what was are ignored.
  void reset();

 private:
  // Calls the broker, which answers through the callback.
  using Call = std::function<void(Announcements::Done)>;
  struct Entry {
    Call call;
    Announcements::Done answered;
  };
  void leadership_answered(const AnnouncementReply& reply);
  void pump();

  const base::BrokerId self_;
  base::Loop& loop_;
  const Announcements local_;
  const Hooks hooks_;
  std::vector<PartitionState> leadership_, metadata_;
  std::vector<StoppedReplica> stops_;
  bool metadata_due_ = false;
  std::deque<Entry> queue_;
  bool in_flight_ = false;
  const base::Logger log_{"weir.Controller"};
};

}  // namespace replication
