#include "broker/parts/parts.h"
#include "broker/peers/allocated_ids.h"
#include "broker/stored_settings.h"
#include "broker/telemetry/broker_metrics.h"
#include "replication/coordination/embedded_store.h"
#include "replication/coordination/znodes.h"
#include "replication/coordination/zookeeper_store.h"

namespace broker {
namespace {

using std::chrono::milliseconds;

// A controller that does not announce us within this is a slow one: clients are served what we know.
constexpr milliseconds kFirstAnnouncement{10000};
constexpr milliseconds kLookForController{5};

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

std::optional<replication::ControllerSettings::Balance> balance(const config::BrokerSettings& settings) {
  if (!settings.auto_leader_rebalance_enable) return std::nullopt;
  return replication::ControllerSettings::Balance{
      .interval = std::chrono::seconds(settings.leader_imbalance_check_interval_seconds),
      .percentage = settings.leader_imbalance_per_broker_percentage};
}

constexpr const char* kUncleanElections = "unclean.leader.election.enable";

}  // namespace

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
  const auto unclean = texts.find(kUncleanElections);
  const bool now_unclean = unclean != texts.end() && unclean->second == "true";
  std::vector<std::string> problems;
  if (type == "topics")
    settings.set_topic_overrides(name, std::move(texts));
  else if (type == "brokers" && name == replication::paths::kDefaultEntity)
    problems = settings.set_cluster_overrides(std::move(texts));
  else if (type == "brokers" && name == std::to_string(id.raw))
    problems = settings.set_broker_overrides(std::move(texts));
  for (const auto& problem : problems) log.warn("{}", problem);
  if (!now_unclean || !joined) return;  // a controller that takes office looks at everything anyway
  if (type == "topics") controller->unclean_elections_enabled(name);
  if (type == "brokers" && name == replication::paths::kDefaultEntity) controller->unclean_elections_enabled({});
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
          [this](replication::UpdateMetadata request, Done done) {
            replica_thread.submit(
                [this, request = std::move(request), done = std::move(done)] { done(take_metadata(request)); });
          },
  };
}

replication::AnnouncementReply Broker::Parts::take_metadata(const replication::UpdateMetadata& update) {
  if (replicas->is_stale(update.from.controller_epoch)) return {.code = base::ErrorCode::stale_controller_epoch};
  const auto before = metadata.snapshot();
  metadata.update([&](replication::ClusterMetadata& cluster) { cluster.apply(update); });
  if (metadata.snapshot()->brokers() != before->brokers()) brokers_changed();
  groups->topics_deleted(deleted_topics(update));
  if (!was_announced && metadata.snapshot()->find_broker(id)) end_wait_for_announcement();
  return {};
}

Status Broker::Parts::join_cluster() {
  const auto& topics = *settings.snapshot();
  controller = std::make_unique<replication::Controller>(
      replication::ControllerSettings{
          .broker = id,
          .announcing = {.versions = peer_versions(),
                         .listener = file().endpoints.control_plane.value_or(file().endpoints.inter_broker),
                         .timeout = milliseconds(file().controller_socket_timeout_ms)},
          .default_partitions = topics.broker->num_partitions,
          .default_replication_factor = topics.broker->default_replication_factor,
          .delete_topic_enable = topics.broker->delete_topic_enable,
          .topic_ids = speaks("2.8-IV0"),
          .features = {.version = speaks("3.3-IV0") ? 2 : 1, .enabled = speaks("2.7-IV0")},
          .marks_recovery = speaks("3.2-IV0"),
          .leaders_write_sets = !speaks("2.7-IV2"),
          .balance = balance(file()),
          .unclean_elections = [this] { return settings.snapshot()->broker->unclean_leader_election_enable; },
          .check_topic_config =
              [this](const replication::ConfigEntries& entries) {
                return config::validate_topic_overrides(*settings.snapshot()->broker,
                                                        config::Texts(entries.begin(), entries.end()));
              }},
      *store, coordination, clock, random, metadata, announcements(), file().embedded_metadata() ? nullptr : &peers);
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
  return {};
}

// Clients that come before the controller has announced us would be told that there are no brokers. Our own controller
// does that in process; one elsewhere reaches us through the listeners, which must be open.
void Broker::Parts::await_own_controller() {
  const auto deadline = clock.now() + kFirstAnnouncement;
  const auto is_elsewhere = [this] {
    const auto holder = controller->controller();
    return holder != base::kNoBroker && holder != id;
  };
  while (!is_elsewhere() && clock.now() < deadline &&
         !announced.WaitForNotificationWithTimeout(absl::Milliseconds(kLookForController.count()))) {
  }
}

void Broker::Parts::await_announcement() {
  if (!announced.WaitForNotificationWithTimeout(absl::Milliseconds(kFirstAnnouncement.count())))
    log.warn("No controller has announced this broker yet; serving what is known");
}

void Broker::Parts::make_coordinators() {
  others = std::make_unique<OtherBrokers>(OtherBrokers::Parts{.network = peers,
                                                              .metadata = metadata,
                                                              .loop = coordinators,
                                                              .listener = file().endpoints.inter_broker,
                                                              .client_id = client_id()});
  topic_creation = std::make_unique<TopicCreation>(
      TopicCreation::Parts{.settings = settings, .controller = *controller, .others = *others});
  internal_topics = std::make_unique<InternalTopics>(settings, metadata, *topic_creation, clock);
  auto stored_ids = replication::stored_producer_ids(id, *store, coordination);
  producer_ids = speaks("3.0-IV0") ? std::make_unique<replication::ProducerIds>(
                                         allocated_producer_ids(id, *others, metadata, std::move(stored_ids),
                                                                [this] { return membership->epoch(); }),
                                         base::ErrorCode::coordinator_load_in_progress)
                                   : std::make_unique<replication::ProducerIds>(
                                         std::move(stored_ids), base::ErrorCode::coordinator_not_available);
  remote_markers = std::make_unique<RemoteMarkers>(*others, coordinators, peer_versions().write_txn_markers);
  markers = std::make_unique<Markers>(id, marker_writer, *remote_markers, metadata, coordinators);
  transactions = std::make_unique<TransactionCoordinator>(TransactionCoordinator::Parts{.settings = settings,
                                                                                        .topics = *internal_topics,
                                                                                        .ids = *producer_ids,
                                                                                        .markers = *markers,
                                                                                        .loop = coordinators,
                                                                                        .loading = loading,
                                                                                        .clock = clock});
  verification =
      std::make_unique<TransactionVerification>(TransactionVerification::Parts{.self = id,
                                                                               .settings = settings,
                                                                               .topics = *internal_topics,
                                                                               .partitions = partitions,
                                                                               .transactions = *transactions,
                                                                               .others = *others,
                                                                               .asks_others = speaks("3.6-IV0")});
  leadership.use_for_transactions(transactions->calls());
  transactions->start();
}

}  // namespace broker
