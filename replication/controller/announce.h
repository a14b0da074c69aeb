// Gathers what brokers must be told after a step of the controller (announcement_batch.h) and sends it, to each broker
// over a channel of its own (broker_channel.h): to the controller's own broker in process, to the others as requests.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "base/logging.h"
#include "base/loop.h"
#include "replication/controller/announcement_batch.h"
#include "replication/controller/broker_channel.h"
#include "replication/controller/remote_announcements.h"

namespace replication {

// Lives on the coordination loop. Every hook is called there.
class Announcer {
 public:
  struct Settings {
    base::BrokerId self = base::kNoBroker;
    RemoteAnnouncements remote{};
  };
  struct Hooks {
    std::function<void()> metadata_told;  // follows every UpdateMetadata that the broker in process has taken in
    // That broker cannot serve these, because a log directory of its has failed.
    std::function<void(base::BrokerId broker, std::vector<base::TopicPartition> replicas)> replicas_lost;
    // Of a StopReplica that removes: what is gone from that broker's disks, and what could not be removed.
    std::function<void(base::BrokerId broker, std::vector<base::TopicPartition> removed,
                       std::vector<base::TopicPartition> failed)>
        replicas_removed;
    // That broker has missed announcements, and answers again.
    std::function<void(base::BrokerId broker)> fell_behind;
  };
  // `peers` may be null for a broker alone, which has nobody to tell.
  Announcer(Settings settings, base::Loop& loop, PeerNetwork* peers, Announcements local, Hooks hooks);

  // What it gathers is sent by send(). States are described by the caller (partition_steps.h).
  AnnouncementBatch& batch() { return batch_; }
  void tell_leadership(const std::vector<base::BrokerId>& to, const PartitionState& state) {
    batch_.tell_leadership(to, state);
  }
  void tell_metadata(const PartitionState& state) { batch_.tell_metadata(state); }
  void tell_metadata_to(base::BrokerId to, const PartitionState& state) { batch_.tell_metadata_to(to, state); }
  void tell_brokers() { batch_.tell_brokers(); }
  void tell_stop(base::BrokerId to, const StoppedReplica& stop) { batch_.tell_stop(to, stop); }

  // To the brokers of `state`. Channels to others, and to earlier lives, are dropped with what waits in them.
  void send(const ControllerState& state);
  // Forgets what was not sent; answers to what was are ignored.
  void reset();

 private:
  // A member's order of destruction is the reverse: the channel goes before what it calls.
  struct Remote {
    std::unique_ptr<PeerConnection> peer;
    std::shared_ptr<BrokerChannel> channel;
    Endpoint endpoint;
  };
  void follow(const ControllerState& state);
  std::unique_ptr<PeerConnection> connect(base::BrokerId id, const Endpoint& endpoint);
  void open(const LiveBroker& broker, const Endpoint& endpoint);
  void move(Remote& remote, base::BrokerId id, const Endpoint& endpoint);
  BrokerChannel* find(base::BrokerId id);
  void answered(base::BrokerId id, const Announcement& announcement, const AnnouncementReply& reply);

  const Settings settings_;
  base::Loop& loop_;
  PeerNetwork* const peers_;
  const Hooks hooks_;
  AnnouncementBatch batch_;
  std::shared_ptr<BrokerChannel> local_;
  std::map<base::BrokerId, Remote> remotes_;
  std::set<base::BrokerId> unreachable_;  // without that listener; said once
  const base::Logger log_{"weir.Controller"};
};

}  // namespace replication
