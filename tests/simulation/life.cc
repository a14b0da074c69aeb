#include "tests/simulation/life.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "broker/handlers/api_versions.h"
#include "broker/handlers/controller_requests.h"
#include "broker/handlers/list_offsets.h"
#include "broker/handlers/metadata.h"
#include "broker/handlers/offset_for_epoch.h"
#include "broker/handlers/produce.h"
#include "broker/handlers/reassignments.h"
#include "broker/handlers/topics.h"
#include "protocol/messages/controlled_shutdown.h"
#include "protocol/messages/registry.h"
#include "replication/coordination/znodes.h"

namespace simulation {

using std::chrono::milliseconds;

namespace {

config::HostName host_name(base::BrokerId id) {
  return [id] { return fmt::format("b{}", id); };
}

base::Result<config::Texts> overrides_in(const std::string& path, const replication::Reply<replication::Node>& node) {
  if (node.code == replication::StoreCode::no_node) return config::Texts{};
  if (!node.ok()) return replication::store_error(node.code, path);
  if (node.value.data.empty()) return config::Texts{};
  auto entries = replication::decode_config(path, node.value.data);
  if (!entries) return entries.error();
  return config::Texts(entries->begin(), entries->end());
}

}  // namespace

Life::Life(World& world, BrokerIdentity who, config::BrokerSettings settings, storage::testing::FaultyFiles& disk)
    : world_(world),
      who_(who),
      disk_(disk),
      process_(world.scheduler, fmt::format("b{}", who.id)),
      clock_(world.scheduler, who.clock_ahead),
      random_(who.seed),
      settings_(std::move(settings), host_name(who.id)),
      started_with_(settings_.snapshot()->broker),
      store_(world.ensemble, coordination_),
      peers_(world.network, who.id.raw, clock_),
      job_timer_(jobs_.make_timer()),
      lag_timer_(jobs_.make_timer()) {
  sound_ = open_logs();
  if (sound_) coordination_.post([this] { boot(); });
}

Life::~Life() { base::invariant(process_.ended(), "a life ends before it is forgotten"); }

bool Life::speaks(std::string_view release) const {
  return started_with_->protocol_version() >= *config::find_protocol_version(release);
}

// ---- the start
// -------------------------------------------------------------------------------------------------------

bool Life::open_logs() {
  dirs_ = std::make_unique<storage::LogDirs>(disk_, clock_, started_with_->data_directories(),
                                             [](const std::string&, const base::Error&) {});
  if (!dirs_->open() || !dirs_->claim({who_.id, "simulated"})) return false;
  const storage::LogSetOptions options{
      .recovery_point_interval = milliseconds(started_with_->log_flush_offset_checkpoint_interval_ms),
      .log_start_interval = milliseconds(started_with_->log_flush_start_offset_checkpoint_interval_ms),
      .high_watermark_interval = milliseconds(started_with_->replica_high_watermark_checkpoint_interval_ms)};
  logs_ = std::make_unique<storage::LogSet>(
      storage::LogServices{.files = disk_,
                           .clock = clock_,
                           .random = random_,
                           .in_background = [this](std::function<void()> work) { pool_.submit(std::move(work)); }},
      *dirs_, options,
      [this](const std::string& topic) { return storage::LogSettings::from(*settings_.snapshot()->topic(topic)); });
  if (!logs_->load()) return false;
  replicas_ = std::make_unique<replication::Replicas>(
      who_.id, *logs_, partitions_, settings_, inline_,
      [this](std::function<void()> work) { replica_thread_.submit(std::move(work)); },
      [this](const std::vector<std::string>& topics) {
        std::vector<base::Result<config::Texts>> found;
        for (const auto& topic : topics) {
          const auto read = overrides_.find(topic);
          found.push_back(read == overrides_.end()
                              ? base::fail(base::ErrorCode::unknown_server_error, "{} was not read", topic)
                              : read->second);
        }
        return found;
      });
  make_isr_changes();
  make_fetchers();
  replicas_->use(*leading_);
  replicas_->use(*fetchers_);
  settings_.subscribe([this](const config::SettingsChange& change, const std::shared_ptr<const config::Snapshot>& now) {
    replicas_->settings_changed(change, *now);
  });
  jobs_.post([this] {
    run_jobs();
    look_at_followers();
  });
  return true;
}

void Life::make_isr_changes() {
  const auto epoch = [this] { return membership_ ? membership_->epoch() : -1; };
  if (!replication::ControllerIsrChanges::is_known_to(started_with_->protocol_version())) {
    state_node_isr_changes_ =
        std::make_unique<replication::StateNodeIsrChanges>(who_.id, store_, coordination_, clock_);
  } else {
    controller_isr_changes_ =
        std::make_unique<replication::ControllerIsrChanges>(replication::ControllerIsrChanges::Services{
            .self = who_.id,
            .loop = coordination_,
            .peers = peers_,
            .find_controller =
                [this] { return find_broker(metadata_.snapshot()->controller()).value_or(replication::PeerAddress{}); },
            .here = [this](auto request, auto done) { controller_->alter_partition(std::move(request), done); },
            .broker_epoch = epoch,
            .release = started_with_->protocol_version(),
            .timeout = milliseconds(started_with_->controller_socket_timeout_ms)});
  }
  leading_ = std::make_unique<replication::LeaderServices>(
      clock_, metadata_,
      state_node_isr_changes_ ? static_cast<replication::IsrChanges&>(*state_node_isr_changes_)
                              : *controller_isr_changes_,
      milliseconds(started_with_->replica_lag_time_max_ms));
}

void Life::make_fetchers() {
  fetchers_ = std::make_unique<replication::FetcherManager>(
      replication::FetcherSettings::of(*started_with_, who_.id),
      replication::FetcherServices{.network = peers_,
                                   .pool = pool_,
                                   .clock = clock_,
                                   .throttle = follower_throttle_,
                                   .broker_epoch = [this] { return membership_ ? membership_->epoch() : -1; }},
      std::vector<base::Loop*>{&fetching_}, [this](base::BrokerId id) { return find_broker(id); });
}

std::optional<replication::PeerAddress> Life::find_broker(base::BrokerId id) const {
  const auto cluster = metadata_.snapshot();
  const auto* found = cluster->find_broker(id);
  if (!found || found->endpoints.empty()) return std::nullopt;
  return replication::PeerAddress{.id = id, .endpoint = found->endpoints.front()};
}

base::BrokerId Life::leader_seen(const base::TopicPartition& partition) const {
  const auto cluster = metadata_.snapshot();
  const auto* found = cluster->find_partition(partition.topic, partition.partition);
  return found ? found->leader : base::kNoBroker;
}

void Life::look_at_followers() {
  replicas_->look_at_followers();
  lag_timer_->arm(milliseconds(started_with_->replica_lag_time_max_ms) / 2, [this] { look_at_followers(); });
}

void Life::run_jobs() {
  const auto next = logs_->run_due_jobs();
  job_timer_->arm(std::min<base::Duration>(next - clock_.now(), std::chrono::seconds(1)), [this] { run_jobs(); });
}

void Life::boot() {
  store_.on_session([this](replication::SessionEvent event) {
    if (event == replication::SessionEvent::connected && !config_changes_) read_stored_settings();
  });
  store_.begin();
}

void Life::read_stored_settings() {
  config_changes_ = std::make_unique<replication::ConfigChanges>(
      store_, clock_,
      [this](const std::string& type, const std::string& name, const replication::ConfigEntries& entries) {
        config_changed(type, name, entries);
      });
  config_changes_->start();
  features_ = std::make_unique<replication::FinalizedFeatures>(store_, [] {});
  if (speaks("2.7-IV0")) features_->start();
  store_.children("/config/topics", [this](replication::Reply<std::vector<std::string>> topics) {
    if (stopping_) return;
    std::vector<std::string> nodes;
    for (const auto& topic : topics.value) nodes.push_back(replication::paths::config("topics", topic));
    replication::get_all(store_, nodes, [this, nodes, topics](std::vector<replication::Reply<replication::Node>> read) {
      if (stopping_) return;
      std::map<std::string, config::Texts> overrides;
      for (std::size_t i = 0; i < read.size(); ++i)
        if (auto texts = overrides_in(nodes[i], read[i]); texts && !texts->empty())
          overrides.emplace(topics.value[i], std::move(*texts));
      settings_.set_all_topic_overrides(overrides);
      join();
    });
  });
}

void Life::config_changed(const std::string& type, const std::string& name, const replication::ConfigEntries& entries) {
  if (type == "topics") settings_.set_topic_overrides(name, config::Texts(entries.begin(), entries.end()));
}

void Life::join() {
  std::optional<replication::ControllerSettings::Balance> balance;
  if (started_with_->auto_leader_rebalance_enable)
    balance = {.interval = std::chrono::seconds(started_with_->leader_imbalance_check_interval_seconds),
               .percentage = started_with_->leader_imbalance_per_broker_percentage};
  controller_ = std::make_unique<replication::Controller>(
      replication::ControllerSettings{
          .broker = who_.id,
          .announcing = {.versions = replication::PeerVersions::of(started_with_->protocol_version()),
                         .listener = "PLAINTEXT",
                         .timeout = milliseconds(started_with_->controller_socket_timeout_ms)},
          .default_partitions = started_with_->num_partitions,
          .default_replication_factor = started_with_->default_replication_factor,
          .delete_topic_enable = true,
          .topic_ids = speaks("2.8-IV0"),
          .features = {.version = speaks("3.3-IV0") ? 2 : 1, .enabled = speaks("2.7-IV0")},
          .marks_recovery = speaks("3.2-IV0"),
          .balance = balance,
          .check_topic_config = [](const replication::ConfigEntries&) { return base::Status(); }},
      store_, coordination_, clock_, random_, metadata_, announcements(), &peers_);
  membership_ = std::make_unique<replication::Membership>(
      replication::MembershipSettings{.id = who_.id,
                                      .endpoints = {{.listener = "PLAINTEXT",
                                                     .security_protocol = "PLAINTEXT",
                                                     .host = fmt::format("b{}", who_.id),
                                                     .port = 9092}},
                                      .registration_version = speaks("2.7-IV0") ? 5 : 4,
                                      .session_timeout = milliseconds(started_with_->zookeeper_session_timeout_ms)},
      store_, coordination_, clock_);
  others_ = std::make_unique<broker::OtherBrokers>(broker::OtherBrokers::Parts{.network = peers_,
                                                                               .metadata = metadata_,
                                                                               .loop = coordination_,
                                                                               .listener = "PLAINTEXT",
                                                                               .client_id = process_.name()});
  topic_creation_ = std::make_unique<broker::TopicCreation>(
      broker::TopicCreation::Parts{.settings = settings_, .controller = *controller_, .others = *others_});
  internal_topics_ = std::make_unique<broker::InternalTopics>(settings_, metadata_, *topic_creation_, clock_);
  add_handlers();
  membership_->on_registered([this](std::int64_t) { controller_->broker_registered(); });
  controller_->start();
  membership_->begin([this](const base::Status& status) {
    if (stopping_) return;
    joined_ = status.ok();
    given_up_ = !joined_;
    if (joined_) serve();
  });
}

void Life::serve() {
  world_.network.listen(who_.id.raw, {.loops = {&net0_, &net1_}, .router = &router_, .clock = &clock_});
}

void Life::add_handlers() {
  fetch_sessions_ = std::make_unique<broker::FetchSessionCache>(1000, clock_, random_);
  fetch_services_ = std::make_unique<broker::FetchServices>(
      broker::FetchServices{.metadata = metadata_,
                            .partitions = partitions_,
                            .sessions = *fetch_sessions_,
                            .pool = pool_,
                            .reads = reads_,
                            .max_answer_bytes = started_with_->fetch_max_bytes,
                            .throttle = &leader_throttle_,
                            .converted = std::make_shared<broker::MemoryBudget>(started_with_->fetch_max_bytes)});
  stored_configs_ = std::make_unique<replication::StoredConfigs>(store_, coordination_);
  config_alterations_ = std::make_unique<broker::ConfigAlterations>(who_.id, settings_, metadata_, *stored_configs_);
  const auto serve_api = [this](std::int16_t key, broker::Handler handler) {
    const auto* api = protocol::find_api(key);
    apis_.add({.api = *api, .versions = api->versions, .handler = std::move(handler)});
  };
  serve_api(0, broker::ProduceHandler({.clock = clock_, .metadata = metadata_, .partitions = partitions_}));
  serve_api(1, broker::FetchHandler(*fetch_services_));
  serve_api(2, broker::ListOffsetsHandler(metadata_, partitions_, reads_));
  serve_api(3, broker::MetadataHandler({"simulated", who_.id}, settings_, metadata_, partitions_, *internal_topics_,
                                       *topic_creation_));
  replica_control_ = std::make_unique<broker::ReplicaControl>(announcements(), [this] { return membership_->epoch(); });
  using broker::AnswerSlot;
  using broker::Request;
  serve_api(4, [this](Request& in, AnswerSlot out) { replica_control_->leader_and_isr(in, std::move(out)); });
  serve_api(5, [this](Request& in, AnswerSlot out) { replica_control_->stop_replica(in, std::move(out)); });
  serve_api(6, [this](Request& in, AnswerSlot out) { replica_control_->update_metadata(in, std::move(out)); });
  serve_api(7, broker::ControlledShutdownHandler(*controller_));
  serve_api(43, broker::ElectLeadersHandler(*controller_));
  serve_api(45, broker::AlterPartitionReassignmentsHandler(*controller_));
  serve_api(56, broker::AlterPartitionHandler(*controller_));
  serve_api(18, broker::ApiVersionsHandler(apis_, *features_));
  serve_api(19, broker::CreateTopicsHandler(settings_, *controller_));
  serve_api(20, broker::DeleteTopicsHandler(*controller_));
  serve_api(23, broker::OffsetForEpochHandler(metadata_, partitions_));
  serve_api(37, broker::CreatePartitionsHandler(*controller_));
  serve_api(44, broker::IncrementalAlterConfigsHandler(*config_alterations_));
}

// ---- what the controller says
// ----------------------------------------------------------------------------------------

replication::Announcements Life::announcements() {
  using Done = replication::Announcements::Done;
  return {
      .leader_and_isr =
          [this](replication::LeaderAndIsr request, Done done) {
            auto topics = unknown_topics(request);
            announce(std::move(topics), [this, request = std::move(request), done = std::move(done)] {
              done(replicas_->lead_or_follow(request));
            });
          },
      .stop_replica =
          [this](replication::StopReplica request, Done done) {
            announce({},
                     [this, request = std::move(request), done = std::move(done)] { done(replicas_->stop(request)); });
          },
      .update_metadata =
          [this](replication::UpdateMetadata request, Done done) {
            announce({},
                     [this, request = std::move(request), done = std::move(done)] { done(take_metadata(request)); });
          },
  };
}

replication::AnnouncementReply Life::take_metadata(const replication::UpdateMetadata& update) {
  if (replicas_->is_stale(update.from.controller_epoch)) return {.code = base::ErrorCode::stale_controller_epoch};
  metadata_.update([&](replication::ClusterMetadata& cluster) { cluster.apply(update); });
  fetchers_->brokers_changed();
  replicas_->look_at_followers();
  return {};
}

std::vector<std::string> Life::unknown_topics(const replication::LeaderAndIsr& request) const {
  std::set<std::string> topics;
  for (const auto& state : request.partitions)
    if (!partitions_.find(state.topic, state.partition)) topics.insert(state.topic);
  return {topics.begin(), topics.end()};
}

void Life::announce(std::vector<std::string> topics, std::function<void()> work) {
  announced_.push_back({std::move(topics), std::move(work)});
  if (!announcing_) next_announcement();
}

void Life::next_announcement() {
  announcing_ = !announced_.empty();
  if (!announcing_) return;
  auto next = std::make_shared<Announced>(std::move(announced_.front()));
  announced_.pop_front();
  const auto carry_out = [this, next] {
    replica_thread_.submit([this, next] {
      next->work();
      next_announcement();
    });
  };
  if (next->topics.empty()) return carry_out();
  std::vector<std::string> nodes;
  for (const auto& topic : next->topics) nodes.push_back(replication::paths::config("topics", topic));
  replication::get_all(store_, nodes,
                       [this, next, nodes, carry_out](std::vector<replication::Reply<replication::Node>> read) {
                         overrides_.clear();
                         for (std::size_t i = 0; i < read.size(); ++i)
                           overrides_.emplace(next->topics[i], overrides_in(nodes[i], read[i]));
                         carry_out();
                       });
}

// ---- the end
// ---------------------------------------------------------------------------------------------------------

void Life::pause() {
  process_.pause();
  store_.process_paused();
}

void Life::resume() {
  store_.process_resumed();
  process_.resume();
}

void Life::kill(SimNetwork::End connections) {
  process_.end();
  disk_.stop();
  store_.process_killed();
  peers_.end();
  world_.network.stop_listening(who_.id.raw, connections);
  stop_parts();
  process_.drain();
  if (replicas_) replicas_->release_all();
}

void Life::stop_parts() {
  stopping_ = true;
  job_timer_->cancel();
  lag_timer_->cancel();
  if (replicas_) replicas_->stop_all();
  fetching_.post([this] {
    if (fetchers_) fetchers_->stop();
  });
  coordination_.post([this] {
    if (controller_) controller_->stop();
    if (controller_isr_changes_) controller_isr_changes_->stop();
    if (state_node_isr_changes_) state_node_isr_changes_->stop();
    if (membership_) membership_->stop();
    store_.stop();
  });
}

void Life::shut_down(std::function<void()> then) {
  coordination_.post([this, then = std::move(then)] {
    hand_over(started_with_->controlled_shutdown_max_retries, [this, then] {
      world_.network.stop_listening(who_.id.raw, SimNetwork::End::closed);
      stop_parts();
      coordination_.post([this, then] {
        (void)logs_->close(replicas_->release_all());
        process_.end();
        peers_.end();
        world_.scheduler.after({}, [this, then, alive = std::weak_ptr(alive_)] {
          if (alive.expired()) return;
          disk_.stop();
          process_.drain();
          then();
        });
      });
    });
  });
}

// As broker/peers/controlled_shutdown.h does, which waits.
void Life::hand_over(int attempts, std::function<void()> then) {
  const auto controller = find_broker(metadata_.snapshot()->controller());
  if (attempts == 0) return then();
  if (!hand_over_timer_) hand_over_timer_ = coordination_.make_timer();
  const auto again = [this, attempts, then] {
    hand_over_timer_->arm(milliseconds(started_with_->controlled_shutdown_retry_backoff_ms),
                          [this, attempts, then] { hand_over(attempts - 1, then); });
  };
  if (!controller) return again();
  hand_over_peer_ = peers_.connect(*controller, coordination_, {});
  protocol::ControlledShutdownRequest request;
  request.broker_id = who_.id;
  request.broker_epoch = membership_->epoch();
  const auto version = replication::PeerVersions::of(started_with_->protocol_version()).controlled_shutdown;
  replication::ask<protocol::ControlledShutdownResponse>(
      *hand_over_peer_, request, version, milliseconds(started_with_->controller_socket_timeout_ms),
      [again, then](base::Result<replication::PeerAnswer<protocol::ControlledShutdownResponse>> answer) {
        const bool done = answer && answer->message.error_code == base::ErrorCode::none &&
                          answer->message.remaining_partitions.empty();
        return done ? then() : again();
      });
}

}  // namespace simulation
