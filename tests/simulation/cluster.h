// A whole cluster and its run: what the seed decides about it, what happens to it, and what must be true of it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/checker.h"
#include "tests/simulation/client.h"
#include "tests/simulation/ensemble.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/life.h"
#include "tests/simulation/network.h"
#include "tests/simulation/scheduler.h"

namespace simulation {

// Drawn from the seed before anything happens.
struct Plan {
  std::size_t brokers = 3;
  std::string protocol_version = "3.9-IV0";
  std::size_t topics = 1;
  std::size_t partitions = 1;  // of each
  std::size_t producers = 1;
  base::Duration produce_every{};  // to each partition
  base::Duration faults_for{};     // the time in which faults happen
  base::Duration between_faults{};
  bool power_fails = false;
  bool administers = false;  // elections, reassignments, topics made and deleted, configuration
  config::Texts settings{};

  static Plan draw(Dice& dice);
  std::string describe() const;
};

// One machine: its disk stays, its lives follow each other.
class SimBroker {
 public:
  SimBroker(World& world, const Plan& plan, base::BrokerId id, std::chrono::milliseconds clock_ahead);
  ~SimBroker();

  base::BrokerId id() const { return id_; }
  bool is_up() const { return life_ != nullptr; }
  bool is_paused() const { return life_ && life_->process().paused(); }
  Life& life() const { return *life_; }
  std::uint64_t lives() const { return lives_; }

  void start();
  void kill();
  void lose_power();
  void shut_down();  // up until it is done
  bool is_shutting_down() const { return shutting_down_; }

 private:
  World& world_;
  const base::BrokerId id_;
  const std::chrono::milliseconds clock_ahead_;
  config::BrokerSettings settings_;
  storage::testing::FaultyFiles disk_;
  std::unique_ptr<Life> life_;
  std::uint64_t lives_ = 0;
  bool shutting_down_ = false;
};

struct RunOptions {
  bool verbose = false;
};

struct Outcome {
  std::string failure;  // empty: all is well
  std::uint64_t fingerprint = 0;
  std::uint64_t events = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t read = 0;
  std::map<std::string, std::uint64_t> faults;  // how often each kind happened
};

class Cluster {
 public:
  Cluster(std::uint64_t seed, RunOptions options);
  ~Cluster();
  Outcome run();

 private:
  void note(const std::string& what) const;
  // Lets time pass until it holds; false, when it does not within the time.
  bool wait(base::Duration limit, const std::function<bool()>& condition);
  void let_pass(base::Duration time);

  void set_up();
  void create_topic(const std::string& name);
  void begin_clients(const std::string& topic);
  void heal();
  std::string unhealed();
  void fail_unhealed(const std::string& why);
  void note_partitions() const;
  void check_end();
  std::vector<Observed> observe();

  // ---- what stands in the store
  struct Stored {
    base::TopicPartition partition;
    std::vector<base::BrokerId> replicas;
    std::vector<base::BrokerId> isr;
    base::BrokerId leader = base::kNoBroker;
    std::int64_t changed = 0;  // mzxid of the state
    bool reassigning = false;
  };
  std::vector<Stored> stored() const;

  // ---- faults (faults.cc)
  void next_fault();
  void do_fault();
  void happens(const std::string& kind, const std::string& what);
  void undo_later(base::Duration after, std::function<void()> undo);
  void kill(SimBroker& broker);
  void lose_power(SimBroker& broker);
  void pause(SimBroker& broker);
  void shut_down(SimBroker& broker);
  void cut(base::BrokerId from, base::BrokerId to, base::Duration time);
  void isolate(SimBroker& broker);
  void disturb_store();
  void administer();
  bool is_well(const SimBroker& broker) const;
  bool may_lose_power(const SimBroker& broker) const;
  // The broker that has lost what it had not synced is out of every in-sync set that counted on it.
  void await_recovery(base::BrokerId broker);
  SimBroker& any_broker();

  const std::uint64_t seed_;
  const RunOptions options_;
  Scheduler scheduler_;
  const Plan plan_;
  SimClock clock_{scheduler_, {}};
  Ensemble ensemble_;
  SimNetwork network_;
  World world_{scheduler_, ensemble_, network_};
  Ledger ledger_;
  Checker checker_{ledger_};
  std::vector<std::unique_ptr<SimBroker>> brokers_;
  std::vector<std::unique_ptr<ClientHost>> hosts_;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  std::unique_ptr<ClientHost> admin_host_;
  std::unique_ptr<Admin> admin_;

  bool faulty_ = false;  // faults happen
  std::map<std::uint64_t, std::function<void()>> undo_;
  std::uint64_t last_undo_ = 0;
  std::map<base::TopicPartition, std::int64_t> at_risk_;  // and the state in which the broker without power was counted
  std::uint64_t made_topics_ = 0;
  std::map<std::string, std::uint64_t> faults_;
  base::Instant last_undone_{};
};

}  // namespace simulation
