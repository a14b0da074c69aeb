// One life of a simulated broker, from a start on the disk it has to a stop, a kill or a loss of power.
//
// The parts are those of broker/parts/, put together the same way, over simulated loops, network, disk and ZooKeeper.
// What the broker's start does one after another, waiting, is a chain of events here.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "broker/dispatch/api_table.h"
#include "broker/dispatch/router.h"
#include "broker/handlers/alter_configs.h"
#include "broker/handlers/fetch.h"
#include "broker/handlers/replica_control.h"
#include "broker/internal_topics/creation.h"
#include "broker/network/disk_reads.h"
#include "broker/peers/other_brokers.h"
#include "broker/peers/topic_creation.h"
#include "config/dynamic.h"
#include "replication/cluster/metadata.h"
#include "replication/controller/controller.h"
#include "replication/coordination/config_changes.h"
#include "replication/coordination/finalized_features.h"
#include "replication/coordination/membership.h"
#include "replication/coordination/stored_configs.h"
#include "replication/follower/fetcher_manager.h"
#include "replication/isr/controller_isr_changes.h"
#include "replication/isr/state_node_isr_changes.h"
#include "replication/partition/leader_services.h"
#include "replication/partition/replicas.h"
#include "replication/partition/throttle.h"
#include "storage/dirs/log_dirs.h"
#include "storage/dirs/log_set.h"
#include "tests/simulation/ensemble.h"
#include "tests/simulation/network.h"
#include "tests/simulation/process.h"
#include "tests/simulation/sim_store.h"
#include "tests/support/storage/faulty_files.h"

namespace simulation {

// What all brokers share.
struct World {
  Scheduler& scheduler;
  Ensemble& ensemble;
  SimNetwork& network;
};

struct BrokerIdentity {
  base::BrokerId id{};
  std::chrono::milliseconds clock_ahead{};
  std::uint64_t seed = 0;  // of this life
};

class Life {
 public:
  Life(World& world, BrokerIdentity who, config::BrokerSettings settings, storage::testing::FaultyFiles& disk);
  ~Life();

  // The log directories could not be opened: the disk must be dead.
  bool is_sound() const { return sound_; }
  bool has_joined() const { return joined_; }
  // It was refused, and the process of a real broker would end now, to be started again by its supervisor.
  bool has_given_up() const { return given_up_; }

  void pause();
  void resume();
  // The process ends at once. Nothing it still does reaches anybody; then it is taken apart.
  void kill(SimNetwork::End connections);
  // Orderly: hands over what it leads, stops, closes its logs. `then` is called when the process has ended.
  void shut_down(std::function<void()> then);

  Process& process() { return process_; }
  SimStore& store() { return store_; }
  const replication::PartitionTable& partitions() const { return partitions_; }
  const replication::MetadataCache& metadata() const { return metadata_; }
  base::BrokerId leader_seen(const base::TopicPartition& partition) const;
  bool is_controller() const { return controller_ && controller_->is_active(); }

 private:
  bool open_logs();
  void boot();
  void read_stored_settings();
  void join();
  void serve();
  void add_handlers();
  void run_jobs();
  void look_at_followers();
  void make_isr_changes();
  void make_fetchers();
  std::optional<replication::PeerAddress> find_broker(base::BrokerId id) const;
  replication::AnnouncementReply take_metadata(const replication::UpdateMetadata& update);
  replication::Announcements announcements();
  // What is announced is carried out one after another on the thread of the replicas. Before it leads or follows
  // partitions of topics it does not know, that thread waits for their configuration.
  void announce(std::vector<std::string> topics, std::function<void()> work);
  void next_announcement();
  std::vector<std::string> unknown_topics(const replication::LeaderAndIsr& request) const;
  void config_changed(const std::string& type, const std::string& name, const replication::ConfigEntries& entries);
  void hand_over(int attempts, std::function<void()> then);
  void stop_parts();
  bool speaks(std::string_view release) const;

  World& world_;
  const BrokerIdentity who_;
  storage::testing::FaultyFiles& disk_;
  Process process_;
  SimClock clock_;
  Dice random_;
  config::DynamicSettings settings_;
  const std::shared_ptr<const config::BrokerSettings> started_with_;

  SimLoop coordination_{process_, "coord"};
  SimLoop jobs_{process_, "jobs"};
  SimLoop fetching_{process_, "fetch"};
  SimLoop net0_{process_, "net-0"};
  SimLoop net1_{process_, "net-1"};
  SimPool pool_{process_, 3};
  SimPool replica_thread_{process_, 1};
  InlinePool inline_;
  broker::DiskReads reads_{pool_, {.at_once = 2}};
  SimStore store_;
  SimPeers peers_;
  std::unique_ptr<base::Timer> job_timer_, lag_timer_;

  std::unique_ptr<storage::LogDirs> dirs_;
  std::unique_ptr<storage::LogSet> logs_;
  replication::MetadataCache metadata_;
  replication::PartitionTable partitions_;
  std::unique_ptr<replication::ControllerIsrChanges> controller_isr_changes_;  // one of the two
  std::unique_ptr<replication::StateNodeIsrChanges> state_node_isr_changes_;
  std::unique_ptr<replication::LeaderServices> leading_;
  replication::ReplicationThrottle follower_throttle_{clock_};
  replication::ReplicationThrottle leader_throttle_{clock_};
  std::unique_ptr<replication::FetcherManager> fetchers_;
  std::unique_ptr<replication::Replicas> replicas_;
  std::unique_ptr<replication::ConfigChanges> config_changes_;
  std::unique_ptr<replication::FinalizedFeatures> features_;
  std::unique_ptr<replication::Controller> controller_;
  std::unique_ptr<replication::Membership> membership_;
  std::unique_ptr<replication::StoredConfigs> stored_configs_;

  std::unique_ptr<broker::OtherBrokers> others_;
  std::unique_ptr<broker::TopicCreation> topic_creation_;
  std::unique_ptr<broker::InternalTopics> internal_topics_;
  std::unique_ptr<broker::ConfigAlterations> config_alterations_;
  std::unique_ptr<broker::FetchSessionCache> fetch_sessions_;
  std::unique_ptr<broker::FetchServices> fetch_services_;
  std::unique_ptr<broker::ReplicaControl> replica_control_;
  broker::ApiTable apis_;
  broker::DiagnosisLog diagnosis_;
  broker::Router router_{apis_, diagnosis_, std::make_shared<broker::MemoryBudget>(-1)};

  struct Announced {
    std::vector<std::string> topics;
    std::function<void()> work;
  };
  std::deque<Announced> announced_;
  bool announcing_ = false;
  std::map<std::string, base::Result<config::Texts>> overrides_;  // what was read for the announcement at work
  const std::shared_ptr<int> alive_ = std::make_shared<int>();
  std::unique_ptr<replication::PeerConnection> hand_over_peer_;
  std::unique_ptr<base::Timer> hand_over_timer_;
  bool sound_ = false;
  bool joined_ = false;
  bool given_up_ = false;
  bool stopping_ = false;
};

}  // namespace simulation
