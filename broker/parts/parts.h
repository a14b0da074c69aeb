// What the broker is made of, in order of construction. Its steps of starting stand in the files of this folder, by
// subject: storage.cc, cluster.cc, replication.cc, service.cc.
#pragma once

#include <absl/synchronization/notification.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/logging.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/posix_files.h"
#include "base/random.h"
#include "broker/broker.h"
#include "broker/dispatch/api_table.h"
#include "broker/group/coordinator.h"
#include "broker/handlers/alter_configs.h"
#include "broker/handlers/fetch.h"
#include "broker/handlers/offsets.h"
#include "broker/handlers/replica_control.h"
#include "broker/internal_topics/creation.h"
#include "broker/internal_topics/leadership.h"
#include "broker/network/disk_reads.h"
#include "broker/network/socket_server.h"
#include "broker/peers/controlled_shutdown.h"
#include "broker/peers/other_brokers.h"
#include "broker/telemetry/exporter.h"
#include "broker/transaction/coordinator.h"
#include "broker/transaction/verification.h"
#include "config/dynamic.h"
#include "replication/cluster/metadata.h"
#include "replication/controller/controller.h"
#include "replication/coordination/config_changes.h"
#include "replication/coordination/finalized_features.h"
#include "replication/coordination/membership.h"
#include "replication/coordination/producer_ids.h"
#include "replication/coordination/stored_configs.h"
#include "replication/follower/fetcher_manager.h"
#include "replication/isr/controller_isr_changes.h"
#include "replication/isr/state_node_isr_changes.h"
#include "replication/partition/leader_services.h"
#include "replication/partition/replicas.h"
#include "replication/partition/throttle.h"
#include "replication/peers/socket_peers.h"
#include "replication/peers/versions.h"
#include "storage/clean/service.h"
#include "storage/dirs/log_dirs.h"
#include "storage/dirs/log_set.h"
#include "storage/dirs/space_watch.h"

namespace broker {

using base::Status;

// In order of construction: each part may use those above it.
struct Broker::Parts {
  Parts(config::BrokerSettings from_file, std::function<std::string()> host, std::function<void()> unfit)
      : cannot_go_on(std::move(unfit)), settings(std::move(from_file), std::move(host)) {}

  const config::BrokerSettings& file() const { return *started_with; }
  // Whether inter.broker.protocol.version is that release or a later one.
  bool speaks(std::string_view release) const {
    return file().protocol_version() >= *config::find_protocol_version(release);
  }

  replication::PeerVersions peer_versions() const { return replication::PeerVersions::of(file().protocol_version()); }
  std::size_t pool_threads() const { return static_cast<std::size_t>(started_with->num_io_threads); }
  // Loops beyond the cores only add switches; num.network.threads bounds them from above.
  std::size_t loop_count() const {
    const auto cores = std::max(1u, std::thread::hardware_concurrency());
    return std::min<std::size_t>(static_cast<std::size_t>(started_with->num_network_threads), cores);
  }
  Status start();
  // ---- its steps, in this order
  Status show_metrics();
  Status open_directories();  // storage.cc
  Status open_store();        // cluster.cc
  Status learn_identity();    // cluster.cc
  Status open_logs();         // storage.cc
  Status bind_sockets();      // service.cc
  Status join_cluster();      // cluster.cc
  void serve();               // service.cc
  // ---- and what they are made of
  void make_replication();  // replication.cc, as what follows
  replication::IsrChanges& make_isr_changes();
  void limit_replication(const config::BrokerSettings& now);
  void brokers_changed();
  std::optional<replication::PeerAddress> address_of(base::BrokerId broker) const;  // nothing: not alive
  void ask_for_hand_over(std::chrono::milliseconds timeout, std::function<void(HandOverReply)> done);
  void hand_over_leaderships();
  std::string client_id() const { return fmt::format("broker-{}", id); }  // told to other brokers
  void start_cleaner();
  void await_own_controller();  // cluster.cc, as what follows
  void await_announcement();
  void make_coordinators();
  void add_handlers();
  replication::Announcements announcements();
  replication::AnnouncementReply take_metadata(const replication::UpdateMetadata& update);
  void end_wait_for_announcement() {
    if (!was_announced.exchange(true)) announced.Notify();
  }
  void config_changed(const std::string& type, const std::string& name, const replication::ConfigEntries& entries);
  void directory_failed(const std::string& path, const base::Error& why);
  void tell_of_failed_directory();
  void say_welcome() const;

  // The rest of supervisor's customary five seconds is for the answers still owed (broker.cc), and for the disk.
  static constexpr std::chrono::milliseconds kHandOver{2000};
  static constexpr std::size_t kLoadingThreads = 2;  // of the coordinators' partitions, beside the clients' pool

  const base::Logger log{"kafka.server.KafkaServer"};
  const std::function<void()> cannot_go_on;
  config::DynamicSettings settings;
  std::shared_ptr<const config::BrokerSettings> started_with = settings.snapshot()->broker;

  base::PosixFiles files;
  base::SystemClock clock;
  base::SystemRandom random;
  base::Metrics metrics;
  std::unique_ptr<Exporter> exporter;  // null without metrics.listener
  base::BlockingPool pool{pool_threads(), "weir-io"};
  DiskReads reads{pool, {.at_once = std::max<std::size_t>(1, pool_threads() / 2)}};
  base::BlockingPool replica_thread{1, "weir-replicas"};
  base::Loop coordination{"weir-coord"};
  base::Loop coordinators{"weir-groups"};
  base::BlockingPool loading{kLoadingThreads, "weir-load"};
  base::LoopSet loops{loop_count(), "weir-net"};

  std::unique_ptr<storage::LogDirs> dirs;
  std::unique_ptr<replication::MetadataStore> store;
  std::unique_ptr<replication::BlockingStore> blocking;
  std::string cluster_id;
  base::BrokerId id = base::kNoBroker;
  std::unique_ptr<replication::ConfigChanges> config_changes;
  std::unique_ptr<replication::FinalizedFeatures> features;
  std::unique_ptr<storage::LogSet> logs;
  std::unique_ptr<storage::SpaceWatch> space;

  replication::MetadataCache metadata;
  replication::SocketPeers peers{clock, pool};
  replication::ReplicationThrottle leader_throttle{clock};
  replication::ReplicationThrottle follower_throttle{clock};
  // One of the two, or none for a broker that is alone for ever.
  std::unique_ptr<replication::ControllerIsrChanges> asked_isr_changes;
  std::unique_ptr<replication::StateNodeIsrChanges> written_isr_changes;
  std::unique_ptr<replication::LeaderServices> leading;
  std::unique_ptr<replication::FetcherManager> fetchers;
  std::unique_ptr<OtherBrokers> others;
  absl::Notification announced;  // the metadata holds this broker, or nobody waits for that any more
  std::atomic<bool> was_announced{false};
  replication::PartitionTable partitions;
  std::unique_ptr<replication::LogMoves> moves;
  std::unique_ptr<replication::Replicas> replicas;
  InternalLeadership leadership{coordinators, clock};
  std::unique_ptr<GroupCoordinator> groups;
  std::unique_ptr<OldOffsets> old_offsets;
  std::unique_ptr<OffsetServices> offset_services;
  std::unique_ptr<storage::CleanService> cleaner;  // null when log.cleaner.enable says no
  std::unique_ptr<replication::Controller> controller;
  std::unique_ptr<replication::Membership> membership;
  std::unique_ptr<TopicCreation> topic_creation;
  std::unique_ptr<InternalTopics> internal_topics;
  std::unique_ptr<replication::ProducerIds> producer_ids;
  MarkerWriter marker_writer{partitions, leadership, coordinators, clock};
  std::unique_ptr<RemoteMarkers> remote_markers;
  std::unique_ptr<Markers> markers;
  std::unique_ptr<TransactionCoordinator> transactions;
  std::unique_ptr<TransactionVerification> verification;
  std::unique_ptr<replication::StoredConfigs> stored_configs;
  std::unique_ptr<ConfigAlterations> config_alterations;

  std::unique_ptr<FetchSessionCache> fetch_sessions;
  std::unique_ptr<FetchServices> fetch_services;
  std::unique_ptr<ReplicaControl> replica_control;
  ApiTable apis;
  std::unique_ptr<SocketServer> sockets;

  std::atomic<bool> starting{false};
  std::atomic<bool> interrupted{false};
  std::atomic<replication::MetadataStore*> store_at_start{nullptr};  // what start() waits for, once there is one
  std::atomic<bool> joined{false};                                   // the cluster knows us
  std::atomic<bool> lost_while_joining{false};  // a log directory whose logs the controller believes to be loading
  bool store_started = false;
  bool stopped = false;
  std::atomic<bool> logs_open{false};
};

}  // namespace broker
