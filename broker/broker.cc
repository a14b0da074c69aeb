#include "broker/broker.h"

#include <absl/synchronization/notification.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/logging.h"
#include "base/loop.h"
#include "base/posix_files.h"
#include "base/random.h"
#include "broker/group/coordinator.h"
#include "broker/handlers/alter_configs.h"
#include "broker/handlers/api_versions.h"
#include "broker/handlers/cluster.h"
#include "broker/handlers/configs.h"
#include "broker/handlers/delete_records.h"
#include "broker/handlers/describe_transactions.h"
#include "broker/handlers/fetch.h"
#include "broker/handlers/find_coordinator.h"
#include "broker/handlers/groups.h"
#include "broker/handlers/list_offsets.h"
#include "broker/handlers/log_dirs.h"
#include "broker/handlers/metadata.h"
#include "broker/handlers/offset_for_epoch.h"
#include "broker/handlers/offsets.h"
#include "broker/handlers/produce.h"
#include "broker/handlers/topics.h"
#include "broker/handlers/transactions.h"
#include "broker/handlers/txn_markers.h"
#include "broker/host.h"
#include "broker/internal_topics/creation.h"
#include "broker/internal_topics/leadership.h"
#include "broker/network/disk_reads.h"
#include "broker/network/socket_server.h"
#include "broker/network_configuration.h"
#include "broker/stored_settings.h"
#include "broker/telemetry/broker_metrics.h"
#include "broker/telemetry/exporter.h"
#include "broker/transaction/coordinator.h"
#include "broker/transaction/verification.h"
#include "broker/unserved_security.h"
#include "config/broker_checks.h"
#include "config/dynamic.h"
#include "protocol/messages/registry.h"
#include "replication/cluster/metadata.h"
#include "replication/controller/controller.h"
#include "replication/coordination/config_changes.h"
#include "replication/coordination/embedded_store.h"
#include "replication/coordination/finalized_features.h"
#include "replication/coordination/membership.h"
#include "replication/coordination/producer_ids.h"
#include "replication/coordination/stored_configs.h"
#include "replication/coordination/znodes.h"
#include "replication/coordination/zookeeper_store.h"
#include "replication/partition/replicas.h"
#include "storage/clean/service.h"
#include "storage/dirs/log_dirs.h"
#include "storage/dirs/log_set.h"
#include "storage/dirs/space_watch.h"

namespace broker {
namespace {

using base::Status;
using std::chrono::milliseconds;

// Answers still owed when we stop get this long; the rest of supervisor's customary five seconds is for the disk.
constexpr milliseconds kDrain{1500};
constexpr std::size_t kLoadingThreads = 2;  // of the coordinators' partitions, beside the pool that clients wait for
constexpr milliseconds kLookAtMoves{500};   // those that wait for followers
constexpr milliseconds kLookAtSpaceEvery{1000};
// A controller that does not announce us within this is a slow one: clients are served what we know.
constexpr milliseconds kFirstAnnouncement{10000};

// Segments that nobody writes to: up to three files each. The rest is for active ones and for connections.
std::size_t most_open_segments() { return std::clamp<std::size_t>(open_files_limit() / 16, 16, 4096); }

// Loops beyond the cores only add switches; num.network.threads bounds them from above.
std::size_t loop_count(const config::BrokerSettings& settings) {
  const auto cores = std::max(1u, std::thread::hardware_concurrency());
  return std::min<std::size_t>(static_cast<std::size_t>(settings.num_network_threads), cores);
}

std::vector<replication::Endpoint> advertised(const config::BrokerSettings& settings) {
  std::vector<replication::Endpoint> out;
  for (const auto& listener : settings.endpoints.advertised)
    out.push_back({.listener = listener.name,
                   .security_protocol = std::string(config::name_of(listener.protocol)),
                   .host = listener.host,
                   .port = listener.port});
  return out;
}

// Partitions are never deleted but with their topic.
std::vector<std::string> deleted_topics(const replication::UpdateMetadata& request) {
  std::vector<std::string> out;
  for (const auto& partition : request.partitions)
    if (partition.leader == replication::kLeaderDuringDelete && partition.partition == 0)
      out.push_back(partition.topic);
  return out;
}

}  // namespace

// In order of construction: each part may use those above it.
struct Broker::Parts {
  Parts(config::BrokerSettings from_file, std::function<std::string()> host, std::function<void()> unfit)
      : cannot_go_on(std::move(unfit)), settings(std::move(from_file), std::move(host)) {}

  const config::BrokerSettings& file() const { return *started_with; }
  // Whether inter.broker.protocol.version is that release or a later one.
  bool speaks(std::string_view release) const {
    return file().protocol_version() >= *config::find_protocol_version(release);
  }

  std::size_t pool_threads() const { return static_cast<std::size_t>(started_with->num_io_threads); }
  Status start();
  // ---- its steps, in this order
  Status show_metrics();
  Status open_directories();
  Status open_store();
  Status learn_identity();
  Status open_logs();
  void start_cleaner();
  Status bind_sockets();
  Status join_cluster();
  void serve();
  // ---- and what they are made of
  void make_coordinators();
  void add_handlers();
  replication::Announcements announcements();
  void end_wait_for_announcement() {
    if (!was_announced.exchange(true)) announced.Notify();
  }
  void config_changed(const std::string& type, const std::string& name, const replication::ConfigEntries& entries);
  void directory_failed(const std::string& path, const base::Error& why);
  void tell_of_failed_directory();
  void say_welcome() const;

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
  base::LoopSet loops{loop_count(*started_with), "weir-net"};

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
  absl::Notification announced;  // the metadata holds this broker, or nobody waits for that any more
  std::atomic<bool> was_announced{false};
  replication::PartitionTable partitions;
  std::unique_ptr<replication::LogMoves> moves;
  std::unique_ptr<replication::Replicas> replicas;
  InternalLeadership leadership{coordinators, clock};
  std::unique_ptr<InternalTopics> internal_topics;
  std::unique_ptr<GroupCoordinator> groups;
  std::unique_ptr<OldOffsets> old_offsets;
  std::unique_ptr<OffsetServices> offset_services;
  std::unique_ptr<storage::CleanService> cleaner;  // null when log.cleaner.enable says no
  std::unique_ptr<replication::Controller> controller;
  std::unique_ptr<replication::Membership> membership;
  std::unique_ptr<replication::ProducerIds> producer_ids;
  MarkerWriter marker_writer{partitions, leadership, coordinators, clock};
  std::unique_ptr<Markers> markers;
  std::unique_ptr<TransactionCoordinator> transactions;
  std::unique_ptr<TransactionVerification> verification;
  std::unique_ptr<replication::StoredConfigs> stored_configs;
  std::unique_ptr<ConfigAlterations> config_alterations;

  std::unique_ptr<FetchSessionCache> fetch_sessions;
  std::unique_ptr<FetchServices> fetch_services;
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

Broker::Broker(config::BrokerSettings settings, std::function<std::string()> host_name,
               std::function<void()> cannot_go_on)
    : parts_(std::make_unique<Parts>(std::move(settings), std::move(host_name), std::move(cannot_go_on))) {}

Broker::~Broker() { stop(); }

base::BrokerId Broker::id() const { return parts_->id; }
std::uint16_t Broker::port(std::string_view listener) const { return parts_->sockets->port(listener); }

Status Broker::start() {
  auto& p = *parts_;
  p.starting = true;
  auto status = p.start();
  p.starting = false;
  return status;
}

void Broker::interrupt() {
  auto& p = *parts_;
  if (!p.starting) return;
  p.interrupted = true;  // before the look at the store, which start() shows before it looks here
  if (auto* store = p.store_at_start.load()) store->stop();
  p.end_wait_for_announcement();
}

Status Broker::Parts::start() {
  if (auto s = refuse_unserved_security(file()); !s) return s;
  pool.start();
  replica_thread.start();
  coordination.start();
  coordinators.start();
  loading.start();
  loops.start();
  for (auto step : {&Parts::show_metrics, &Parts::open_directories, &Parts::open_store, &Parts::learn_identity,
                    &Parts::open_logs, &Parts::bind_sockets, &Parts::join_cluster}) {
    if (interrupted) return base::fail(base::ErrorCode::unknown_server_error, "stopped while starting");
    if (auto s = (this->*step)(); !s) return s;
  }
  serve();
  return {};
}

// First of all, so that the rest of the start can be watched.
Status Broker::Parts::show_metrics() {
  if (!file().metrics_listener) return {};
  const auto where = config::parse_metrics_listener(*file().metrics_listener);
  if (!where) return where.error();
  exporter = std::make_unique<Exporter>(ExporterSettings{.host = where->host, .port = where->port}, metrics);
  return exporter->start();
}

Status Broker::Parts::open_directories() {
  dirs = std::make_unique<storage::LogDirs>(
      files, clock, file().data_directories(),
      [this](const std::string& path, const base::Error& why) { directory_failed(path, why); });
  return dirs->open();
}

void Broker::Parts::directory_failed(const std::string& path, const base::Error& why) {
  log.error(
      "Stopping serving logs in dir {}: {}. Its partitions are offline until the disk is mended and the broker "
      "restarted.",
      path, why.text());
  if (joined) {
    replica_thread.submit([this] { replicas->directory_failed(); });
    tell_of_failed_directory();
  } else if (logs_open) {
    lost_while_joining = true;
  }
  if (!dirs || !dirs->online().empty()) return;
  log.error("Shutdown broker because all log dirs have failed");
  cannot_go_on();
}

// The controller then asks which partitions this broker can still lead. Of a directory dead from the start it learns by
// our answer to its first announcement.
void Broker::Parts::tell_of_failed_directory() {
  std::vector<replication::Operation> event;
  event.push_back(replication::Create{.path = replication::paths::log_dir_event_prefix(),
                                      .data = encode(replication::LogDirEventNode{.broker = id}),
                                      .mode = replication::CreateMode::persistent_sequential});
  store->commit(std::move(event), [this](const replication::CommitReply& reply) {
    if (reply.code == replication::StoreCode::session_expired) return tell_of_failed_directory();
    if (!reply.ok() && reply.code != replication::StoreCode::closed)
      log.error("The controller could not be told of a failed log directory: {}", store_code_name(reply.code));
  });
}

Status Broker::Parts::open_store() {
  if (file().embedded_metadata()) {
    const auto where = dirs->online().front()->path() + "/" + std::string(replication::kEmbeddedStoreFile);
    store = std::make_unique<replication::EmbeddedStore>(where, coordination, clock);
  } else {
    store = std::make_unique<replication::ZookeeperStore>(
        replication::ZookeeperSettings{
            .connect = *file().zookeeper_connect,
            .session_timeout = milliseconds(file().zookeeper_session_timeout_ms),
            .connection_timeout = milliseconds(file().zookeeper_connect_timeout_ms()),
            .max_in_flight = static_cast<std::size_t>(file().zookeeper_max_in_flight_requests)},
        coordination);
  }
  add_store_metrics(metrics, *store);
  blocking = std::make_unique<replication::BlockingStore>(*store);
  store_at_start = store.get();
  if (interrupted) return replication::store_error(replication::StoreCode::closed, "the metadata");
  if (auto s = store->start(); !s) return s;
  store_started = true;
  return {};
}

Status Broker::Parts::learn_identity() {
  if (auto s = replication::create_top_level(*blocking); !s) return s;
  auto cluster = replication::establish_cluster_id(*blocking, random);
  if (!cluster) return cluster.error();
  cluster_id = std::move(*cluster);
  log.info("Cluster ID = {}", cluster_id);
  id = file().id();
  if (id == base::kNoBroker && dirs->stored().broker_id) id = *dirs->stored().broker_id;
  if (id == base::kNoBroker) {
    auto generated = replication::generate_broker_id(*blocking, file().reserved_broker_max_id);
    if (!generated) return generated.error();
    id = *generated;
  }
  if (auto s = dirs->claim({.broker_id = id, .cluster_id = cluster_id}); !s) return s;
  config_changes = std::make_unique<replication::ConfigChanges>(
      *store, clock,
      [this](const std::string& type, const std::string& name, const replication::ConfigEntries& entries) {
        config_changed(type, name, entries);
      });
  features = std::make_unique<replication::FinalizedFeatures>(*store, cannot_go_on);
  coordination.post([this] {
    config_changes->start();
    if (speaks("2.7-IV0")) features->start();
  });
  return load_stored_settings(*blocking, id, settings);
}

void Broker::Parts::config_changed(const std::string& type, const std::string& name,
                                   const replication::ConfigEntries& entries) {
  config::Texts texts(entries.begin(), entries.end());
  std::vector<std::string> problems;
  if (type == "topics")
    settings.set_topic_overrides(name, std::move(texts));
  else if (type == "brokers" && name == replication::paths::kDefaultEntity)
    problems = settings.set_cluster_overrides(std::move(texts));
  else if (type == "brokers" && name == std::to_string(id.raw))
    problems = settings.set_broker_overrides(std::move(texts));
  for (const auto& problem : problems) log.warn("{}", problem);
}

Status Broker::Parts::open_logs() {
  const storage::LogSetOptions options{
      .recovery_threads_per_dir = static_cast<std::size_t>(file().num_recovery_threads_per_data_dir),
      .recovery_point_interval = milliseconds(file().log_flush_offset_checkpoint_interval_ms),
      .log_start_interval = milliseconds(file().log_flush_start_offset_checkpoint_interval_ms),
      .high_watermark_interval = milliseconds(file().replica_high_watermark_checkpoint_interval_ms),
      .most_open_segments = most_open_segments()};
  const storage::LogServices services{
      .files = files, .clock = clock, .random = random, .in_background = [this](std::function<void()> work) {
        pool.submit(work);
      }};
  logs = std::make_unique<storage::LogSet>(services, *dirs, options, [this](const std::string& topic) {
    return storage::LogSettings::from(*settings.snapshot()->topic(topic));
  });
  if (auto s = logs->open(); !s) return s;
  logs_open = true;
  replicas = std::make_unique<replication::Replicas>(
      id, *logs, partitions, settings, pool,
      [this](std::function<void()> work) { replica_thread.submit(std::move(work)); },
      [this](const std::vector<std::string>& topics) { return load_overrides(*blocking, "topics", topics); });
  const auto movers = file().num_replica_alter_log_dirs_threads;
  moves = std::make_unique<replication::LogMoves>(
      *logs, clock, movers ? static_cast<std::size_t>(std::max(*movers, 1)) : dirs->all().size());
  moves->limit(settings.snapshot()->broker->replica_alter_log_dirs_io_max_bytes_per_second);
  moves->start();
  replicas->use(*moves);
  groups = std::make_unique<GroupCoordinator>(
      GroupSettings::from(file()),
      GroupCoordinator::Parts{
          .metadata = metadata, .clock = clock, .random = random, .loop = coordinators, .loading = loading});
  leadership.use_for_groups(groups->calls());
  groups->start();
  replicas->on_leadership([this](const replication::LeadershipNews& news) { leadership.learn(news); });
  add_directory_metrics(metrics, *dirs, *logs);
  add_partition_metrics(metrics, partitions, *replicas);
  logs->run_every(kLookAtMoves, [this] { moves->look_again(); });
  settings.subscribe([this](const config::SettingsChange& change, const std::shared_ptr<const config::Snapshot>& now) {
    replicas->settings_changed(change, *now);
    moves->limit(now->broker->replica_alter_log_dirs_io_max_bytes_per_second);
  });
  // As with Kafka, flush.ms is looked at only where log.flush.scheduler.interval.ms was set.
  if (file().log_flush_scheduler_interval_ms <= milliseconds(std::chrono::years(1)).count())
    logs->run_every(milliseconds(file().log_flush_scheduler_interval_ms), [this] { replicas->flush_overdue(); });
  logs->run_every(milliseconds(file().producer_id_expiration_check_interval_ms), [this] {
    replicas->remove_expired_producers(clock.wall(),
                                       milliseconds(settings.snapshot()->broker->producer_id_expiration_ms));
  });
  logs->run_every(milliseconds(file().log_retention_check_interval_ms),
                  [this] { replicas->apply_retention(clock.wall()); });
  space = std::make_unique<storage::SpaceWatch>(files, clock, dirs->all(), [this] {
    return static_cast<std::uint64_t>(settings.snapshot()->broker->log_dir_min_free_bytes);
  });
  space->check();
  logs->run_every(kLookAtSpaceEvery, [this] { space->check(); });
  logs->start();
  // From here on everything goes on beside it: this broker is registered, told what it leads, and leads each partition
  // as soon as its log is open.
  logs->start_loading();
  start_cleaner();
  return {};
}

void Broker::Parts::start_cleaner() {
  if (!file().log_cleaner_enable) return;
  using storage::CleanServiceSettings;
  cleaner = std::make_unique<storage::CleanService>(
      storage::CleanServiceParts{
          .files = files,
          .clock = clock,
          .random = random,
          .partitions = [this] { return logs->partitions(); },
          .settings_of = [this](const std::string& topic) -> std::optional<storage::CleanSettings> {
            const auto topic_settings = settings.snapshot()->topic(topic);
            if (!topic_settings->compacts()) return std::nullopt;
            return storage::CleanSettings::from(*topic_settings);
          },
          .with_log =
              [this](const base::TopicPartition& name, const std::function<void(storage::Log&)>& call) {
                const auto partition = partitions.find(name.topic, name.partition);
                return partition && partition->with_log(call);
              },
          .cleaned =
              [this](const std::shared_ptr<storage::DirectoryHealth>& directory) {
                logs->checkpoint_cleaned(directory);
              }},
      CleanServiceSettings::from(*settings.snapshot()->broker));
  add_cleaner_metrics(metrics, *cleaner);
  settings.subscribe([this](const config::SettingsChange&, const std::shared_ptr<const config::Snapshot>& now) {
    cleaner->change_settings(CleanServiceSettings::from(*now->broker));
  });
  cleaner->start();
}

Status Broker::Parts::bind_sockets() {
  sockets = std::make_unique<SocketServer>(
      network_settings(file()), SocketServer::Parts{.table = apis, .loops = loops, .reads = &reads, .clock = clock});
  return sockets->bind();
}

replication::Announcements Broker::Parts::announcements() {
  using Done = replication::Announcements::Done;
  return {
      .leader_and_isr =
          [this](replication::LeaderAndIsr request, Done done) {
            replica_thread.submit([this, request = std::move(request), done = std::move(done)] {
              done(replicas->lead_or_follow(request));
            });
          },
      .stop_replica =
          [this](replication::StopReplica request, Done done) {
            replica_thread.submit(
                [this, request = std::move(request), done = std::move(done)] { done(replicas->stop(request)); });
          },
      .update_metadata =
          [this](const replication::UpdateMetadata& request, const Done& done) {
            metadata.update([&](replication::ClusterMetadata& cluster) { cluster.apply(request); });
            groups->topics_deleted(deleted_topics(request));
            if (!was_announced && metadata.snapshot()->find_broker(id)) end_wait_for_announcement();
            done({});
          },
  };
}

Status Broker::Parts::join_cluster() {
  const auto& topics = *settings.snapshot();
  controller = std::make_unique<replication::Controller>(
      replication::ControllerSettings{.broker = id,
                                      .default_partitions = topics.broker->num_partitions,
                                      .default_replication_factor = topics.broker->default_replication_factor,
                                      .delete_topic_enable = topics.broker->delete_topic_enable,
                                      .topic_ids = speaks("2.8-IV0"),
                                      .features = {.version = speaks("3.3-IV0") ? 2 : 1, .enabled = speaks("2.7-IV0")},
                                      .check_topic_config =
                                          [this](const replication::ConfigEntries& entries) {
                                            return config::validate_topic_overrides(
                                                *settings.snapshot()->broker,
                                                config::Texts(entries.begin(), entries.end()));
                                          }},
      *store, coordination, clock, random, metadata, announcements());
  add_controller_metrics(metrics, *controller);
  membership = std::make_unique<replication::Membership>(
      replication::MembershipSettings{.id = id,
                                      .endpoints = advertised(file()),
                                      .rack = file().broker_rack,
                                      .registration_version = speaks("2.7-IV0")      ? 5
                                                              : speaks("0.10.0-IV1") ? 4
                                                                                     : 2,
                                      .session_timeout = milliseconds(file().zookeeper_session_timeout_ms)},
      *store, coordination, clock);
  make_coordinators();
  membership->on_registered([this](std::int64_t) { controller->broker_registered(); });
  controller->start();
  if (auto s = membership->start(); !s) return s;
  joined = true;
  if (lost_while_joining) tell_of_failed_directory();

  // Clients that come before the controller has announced us would be told that there are no brokers.
  if (!announced.WaitForNotificationWithTimeout(absl::Milliseconds(kFirstAnnouncement.count())))
    log.warn("No controller has announced this broker yet; serving what is known");
  return {};
}

void Broker::Parts::make_coordinators() {
  internal_topics = std::make_unique<InternalTopics>(settings, metadata, *controller, clock);
  producer_ids = std::make_unique<replication::ProducerIds>(id, *store, coordination);
  markers = std::make_unique<Markers>(id, marker_writer, metadata, coordinators);
  transactions = std::make_unique<TransactionCoordinator>(TransactionCoordinator::Parts{.settings = settings,
                                                                                        .topics = *internal_topics,
                                                                                        .ids = *producer_ids,
                                                                                        .markers = *markers,
                                                                                        .loop = coordinators,
                                                                                        .loading = loading,
                                                                                        .clock = clock});
  verification = std::make_unique<TransactionVerification>(settings, *internal_topics, partitions, *transactions);
  leadership.use_for_transactions(transactions->calls());
  transactions->start();
}

void Broker::Parts::serve() {
  add_handlers();
  add_network_metrics(metrics, *sockets);
  add_request_metrics(metrics, apis, *fetch_services);
  sockets->start();
  say_welcome();
}

void Broker::Parts::add_handlers() {
  fetch_sessions = std::make_unique<FetchSessionCache>(
      static_cast<std::size_t>(file().max_incremental_fetch_session_cache_slots), clock, random);
  fetch_services = std::make_unique<FetchServices>(
      FetchServices{.metadata = metadata,
                    .partitions = partitions,
                    .sessions = *fetch_sessions,
                    .pool = pool,
                    .reads = reads,
                    .max_answer_bytes = file().fetch_max_bytes,
                    .converted = std::make_shared<MemoryBudget>(file().fetch_max_bytes)});
  stored_configs = std::make_unique<replication::StoredConfigs>(*store, coordination);
  config_alterations = std::make_unique<ConfigAlterations>(id, settings, metadata, *stored_configs);
  old_offsets = std::make_unique<OldOffsets>(*store);
  offset_services = std::make_unique<OffsetServices>(
      OffsetServices{.groups = *groups,
                     .old_offsets = *old_offsets,
                     .verification = *verification,
                     .metadata = metadata,
                     .clock = clock,
                     .max_metadata_bytes = GroupSettings::from(file()).max_metadata_bytes});
  struct How {
    bool any_version = false;
    bool no_read_ahead = false;
  };
  constexpr How kInTurn{.no_read_ahead = true};  // what a member asks next presumes that it has joined
  const auto serve_api = [this](std::int16_t key, Handler handler, How how = How()) {
    const auto* api = protocol::find_api(key);
    apis.add({.api = *api,
              .versions = api->versions,
              .handler = std::move(handler),
              .no_read_ahead = how.no_read_ahead,
              .any_version = how.any_version});
  };
  const auto verify = [this](const std::string& transactional_id, const Producer& producer,
                             const base::TopicPartition& partition) {
    return verification->of_partition(transactional_id, producer, partition);
  };
  serve_api(0, ProduceHandler(clock, metadata, partitions, verify));
  serve_api(1, FetchHandler(*fetch_services));
  serve_api(2, ListOffsetsHandler(metadata, partitions, reads));
  serve_api(3, MetadataHandler({cluster_id, id}, settings, metadata, partitions, *internal_topics, *controller));
  serve_api(8, OffsetCommitHandler(*offset_services));
  serve_api(9, OffsetFetchHandler(*offset_services));
  serve_api(10, FindCoordinatorHandler(*internal_topics, metadata));
  serve_api(11, JoinGroupHandler(*groups), kInTurn);
  serve_api(12, HeartbeatHandler(*groups));
  serve_api(13, LeaveGroupHandler(*groups));
  serve_api(14, SyncGroupHandler(*groups), kInTurn);
  serve_api(15, DescribeGroupsHandler(*groups));
  serve_api(16, ListGroupsHandler(*groups));
  serve_api(18, ApiVersionsHandler(apis, *features), {.any_version = true});
  serve_api(19, CreateTopicsHandler(settings, *controller));
  serve_api(20, DeleteTopicsHandler(*controller));
  serve_api(21, DeleteRecordsHandler(metadata, partitions, *logs, pool));
  serve_api(22, InitProducerIdHandler(*producer_ids, *transactions));
  serve_api(23, OffsetForEpochHandler(metadata, partitions));
  serve_api(24, AddPartitionsToTxnHandler(*transactions, metadata));
  serve_api(25, AddOffsetsToTxnHandler(*transactions, *internal_topics, settings));
  serve_api(26, EndTxnHandler(*transactions));
  serve_api(27, WriteTxnMarkersHandler(marker_writer, settings));
  serve_api(28, TxnOffsetCommitHandler(*offset_services));
  serve_api(32, DescribeConfigsHandler(id, settings, metadata));
  serve_api(33, AlterConfigsHandler(*config_alterations));
  serve_api(34, AlterReplicaLogDirsHandler({.metadata = metadata,
                                            .dirs = *dirs,
                                            .partitions = partitions,
                                            .logs = *logs,
                                            .moves = *moves,
                                            .pool = pool}));
  serve_api(35, DescribeLogDirsHandler(*dirs, partitions, *moves, pool));
  serve_api(37, CreatePartitionsHandler(*controller));
  serve_api(42, DeleteGroupsHandler(*groups));
  serve_api(44, IncrementalAlterConfigsHandler(*config_alterations));
  serve_api(47, OffsetDeleteHandler(*offset_services));
  serve_api(60, DescribeClusterHandler(cluster_id, metadata));
  serve_api(61, DescribeProducersHandler(metadata, partitions));
  serve_api(65, DescribeTransactionsHandler(*transactions));
  serve_api(66, ListTransactionsHandler(*transactions, clock));
}

void Broker::Parts::say_welcome() const {
  for (const auto& listener : file().endpoints.bound) {
    const auto* told = file().endpoints.find_advertised(listener.name);
    log.info("Listening on {}://{}:{}, clients are told {}", listener.name, listener.host.empty() ? "*" : listener.host,
             sockets->port(listener.name), told ? told->text() : "nothing");
  }
  std::string where;
  for (const auto& directory : dirs->all()) where += (where.empty() ? "" : ", ") + directory->path();
  log.info("Data in {}; metadata in {}", where,
           file().embedded_metadata() ? "this broker itself (no zookeeper.connect)"
                                      : "ZooKeeper at " + *file().zookeeper_connect);
  log.info("[KafkaServer id={}] started", id);
  if (file().endpoints.advertised.empty()) return;
  // For whoever started us by hand for the first time.
  const auto& first = file().endpoints.advertised.front();
  const auto bin = std::filesystem::path(program_file()).parent_path().parent_path() / "bin";
  const auto address = fmt::format("{}:{}", first.host, first.port == 0 ? sockets->port(first.name) : first.port);
  log.info("Try: {}/kafka-console-producer.sh --bootstrap-server {} --topic hello", bin.string(), address);
  log.info("Then: {}/kafka-console-consumer.sh --bootstrap-server {} --topic hello --from-beginning", bin.string(),
           address);
}

void Broker::stop() {
  auto& p = *parts_;
  if (std::exchange(p.stopped, true)) return;
  if (p.exporter) p.exporter->stop();
  if (p.logs_open) p.logs->stop_loading();
  p.leadership.stop();
  if (p.groups) p.groups->stop();
  if (p.replicas) p.replicas->stop_all();  // whoever waits is told to look for another leader
  if (p.sockets) p.sockets->stop(kDrain);
  if (p.controller) p.controller->stop();
  if (p.membership) p.membership->stop();
  if (p.blocking) p.blocking->stop();  // what is announced to us now may wait for a ZooKeeper that is away
  p.replica_thread.stop();
  if (p.moves) p.moves->stop();
  if (p.cleaner) p.cleaner->stop();
  if (p.logs_open) {
    p.logs->stop();
    if (auto closed = p.logs->close(p.replicas->release_all()); !closed)
      p.log.error("Not everything was closed in order; the next start will recover it: {}", closed.error().text());
    p.logs_open = false;
  }
  if (p.store_started) {
    p.store->stop();
    p.store_started = false;
  }
  p.coordination.stop();
  p.loading.stop();
  p.coordinators.stop();
  p.loops.stop();
  p.pool.stop();
}

}  // namespace broker
