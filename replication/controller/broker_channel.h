// What one broker is told by the controller, in order: the next announcement goes out when the one before is answered.
//
// Where the network fails the same announcement is sent again, over a fresh connection, until the channel is dropped
// because the broker has left or begun another life. What may wait is bounded: a broker so far behind is told
// everything anew when it answers again.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <variant>

#include "base/ids.h"
#include "base/logging.h"
#include "base/loop.h"
#include "replication/cluster/announcements.h"

namespace replication {

using Announcement = std::variant<LeaderAndIsr, UpdateMetadata, StopReplica>;

// Lives on the coordination loop; owned by Announcer.
class BrokerChannel : public std::enable_shared_from_this<BrokerChannel> {
 public:
  struct Settings {
    base::BrokerId broker = base::kNoBroker;
    std::int64_t epoch = -1;
    std::size_t max_waiting = 1000;
  };
  struct Hooks {
    // Follows every answer. `network_exception`: never sent, because too much waited.
    std::function<void(base::BrokerId, const Announcement&, const AnnouncementReply&)> answered;
    // Announcements were dropped.
    std::function<void(base::BrokerId)> fell_behind;
  };
  // `reconnect` ends a broken connection; null for the broker in process, whose every answer counts.
  BrokerChannel(Settings settings, base::Loop& loop, Announcements calls, std::function<void()> reconnect, Hooks hooks);

  std::int64_t epoch() const { return settings_.epoch; }
  void push(Announcement announcement);
  // Forgets what was not sent, and the answer to what was.
  void clear();
  // Calls another address from here on; what is in flight is sent again.
  void use(Announcements calls, std::function<void()> reconnect);
  // The broker in process begins another life: its calls go on one at a time.
  void set_epoch(std::int64_t epoch) { settings_.epoch = epoch; }

 private:
  static constexpr std::chrono::milliseconds kRetry{100};

  void pump();
  void call();
  void answered(std::uint64_t number, const AnnouncementReply& reply);
  void drop(const Announcement& announcement);

  Settings settings_;
  base::Loop& loop_;
  Announcements calls_;
  std::function<void()> reconnect_;
  const Hooks hooks_;
  std::deque<Announcement> queue_;  // the first is in flight
  bool in_flight_ = false;
  bool forgotten_ = false;  // what is in flight is not in the queue any more
  bool behind_ = false;
  bool failing_ = false;        // said so already
  std::uint64_t attempts_ = 0;  // numbers the calls: an answer to an earlier one is late
  std::unique_ptr<base::Timer> retry_;
  const base::Logger log_{"weir.Controller"};
};

}  // namespace replication
