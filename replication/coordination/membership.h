// Being a member of the cluster: its id, our id, our registration, and the election of the controller.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/logging.h"
#include "base/loop.h"
#include "base/random.h"
#include "replication/coordination/async_store.h"
#include "replication/coordination/blocking_store.h"
#include "replication/coordination/metadata_store.h"
#include "replication/coordination/znodes.h"

namespace replication {

// ---- at start, from a thread that may wait; in this order ----------------------------------------------------------

// The nodes under which everything else lives.
base::Status create_top_level(BlockingStore& store);
// Reads the cluster's id, or gives the cluster one. The caller compares it with meta.properties.
base::Result<std::string> establish_cluster_id(BlockingStore& store, base::Random& random);
// For a broker without broker.id: above reserved.broker.max.id, never given twice.
base::Result<base::BrokerId> generate_broker_id(BlockingStore& store, std::int32_t reserved_max_id);

// ---- the registration under /brokers/ids ---------------------------------------------------------------------------

struct MembershipSettings {
  base::BrokerId id = base::kNoBroker;
  std::vector<Endpoint> endpoints{};  // advertised
  std::optional<std::string> rack{};
  std::int32_t registration_version = 5;
  // How long the session of our own former life may take to expire after we come back.
  std::chrono::milliseconds session_timeout{18000};
};

// Registers, and registers again after the session expired. Lives on the coordination loop.
class Membership {
 public:
  Membership(MembershipSettings settings, MetadataStore& store, base::Loop& loop, const base::Clock& clock);
  ~Membership();

  // Called on the loop after each registration with the new broker epoch (the czxid of our node): the moment to enter
  // the controller's election. Before start().
  void on_registered(std::function<void(std::int64_t)> listener);

  // Waits until we are registered, also for the session of our own former life to expire. Refused, with what to do,
  // when another live broker has our id or one of our advertised endpoints. Not from the loop.
  base::Status start();
  // The same without waiting. On the loop; `then` is called there, later.
  void begin(std::function<void(base::Status)> then);
  // No further registration; the node goes with the session. Before the store is stopped. On the loop, or from a thread
  // that may wait for it.
  void stop();

  // -1 before the first registration. Any thread.
  std::int64_t epoch() const { return epoch_; }

 private:
  Task<base::Status> register_now();
  Task<base::Status> endpoints_are_free();
  Task<base::Status> await_departure(std::int64_t czxid, Node node);
  Task<void> first_registration(std::function<void(base::Status)> then);
  Task<void> register_again();
  base::Error refused(const Node& node) const;
  std::string registration() const;
  // False when we are stopping.
  Awaited<bool> pause(std::chrono::milliseconds time);
  void registered(std::int64_t czxid);

  const MembershipSettings settings_;
  MetadataStore& store_;
  AsyncStore async_{store_};
  base::Loop& loop_;
  const base::Clock& clock_;
  const base::Logger log_{"weir.Membership"};
  const std::string path_;
  std::vector<std::function<void(std::int64_t)>> listeners_;
  std::int64_t previous_session_ = 0;
  std::atomic<std::int64_t> epoch_{-1};
  bool started_ = false;
  bool stopping_ = false;
  bool registering_ = false;
  std::unique_ptr<base::Timer> timer_;
  std::function<void(bool)> paused_;
};

// ---- the controller's election -------------------------------------------------------------------------------------

struct Election {
  base::BrokerId controller = base::kNoBroker;  // who it is now; -1: unknown, try again when /controller changes
  bool won = false;
  std::int32_t epoch = 0;          // ours, when won
  std::int32_t epoch_version = 0;  // fences every write of this reign: Check{/controller_epoch, epoch_version}
};

// Takes /controller if it is free. Ends with a failure only when the store does.
Task<base::Result<Election>> elect_controller(AsyncStore store, base::BrokerId self, base::Timestamp now);

}  // namespace replication
