#include "replication/controller/controller.h"

#include <absl/synchronization/notification.h>

#include <algorithm>

#include "replication/controller/broker_changes.h"
#include "replication/controller/partition_steps.h"
#include "replication/coordination/membership.h"

namespace replication {

Controller::Controller(ControllerSettings settings, MetadataStore& store, base::Loop& loop, const base::Clock& clock,
                       base::Random& random, const MetadataCache& metadata, Announcements announcements,
                       PeerNetwork* peers)
    : settings_(std::move(settings)),
      store_(store),
      loop_(loop),
      clock_(clock),
      random_(random),
      metadata_(metadata),
      announcer_(
          {.self = settings_.broker, .remote = settings_.announcing}, loop, peers, std::move(announcements),
          {.metadata_told =
               [this] {
                 pending_.check();
                 pending_elections_.check();
               },
           .replicas_lost =
               [this](base::BrokerId broker, std::vector<base::TopicPartition> replicas) {
                 enqueue("replicas lost",
                         [this, broker, replicas = std::move(replicas)] { return replicas_lost(broker, replicas); });
               },
           .replicas_removed =
               [this](base::BrokerId broker, std::vector<base::TopicPartition> removed,
                      std::vector<base::TopicPartition> failed) {
                 enqueue("replicas removed", [this, broker, removed = std::move(removed), failed = std::move(failed)] {
                   return replicas_removed(broker, removed, failed);
                 });
               },
           .fell_behind =
               [this](base::BrokerId broker) {
                 enqueue("broker behind", [this, broker] { return tell_everything(broker); });
               }}),
      pending_(loop, metadata),
      pending_elections_(loop, metadata),
      balance_timer_(loop.make_timer()),
      retry_timer_(loop.make_timer()) {}

// ---- the queue -----------------------------------------------------------------------------------------------------

void Controller::on_loop(const std::function<void()>& work) {
  if (loop_.in_loop()) return work();
  absl::Notification done;
  loop_.post([&] {
    work();
    done.Notify();
  });
  done.WaitForNotification();
}

void Controller::start() {
  on_loop([this] { store_.on_session([this](SessionEvent event) { on_session(event); }); });
}

void Controller::stop() {
  on_loop([this] {
    stopping_ = true;
    drop_queue();
    pending_.close(base::ErrorCode::not_controller);
    pending_elections_.close(base::ErrorCode::not_controller);
    controller_watch_.reset();
    forget();
  });
}

void Controller::on_session(SessionEvent event) {
  if (event != SessionEvent::expired || stopping_) return;
  // Our ephemeral /controller is gone: another may reign already. The event at work finds its writes refused.
  registered_ = false;
  controller_ = -1;
  drop_queue();
  enqueue("resign", [this] { return resign(); });
}

void Controller::broker_registered() {
  registered_ = true;
  if (!controller_watch_)
    controller_watch_ = store_.watch_data(std::string(paths::kController), [this] {
      enqueue_once("controller changed", [this] { return controller_changed(); });
    });
  enqueue_once("controller changed", [this] { return controller_changed(); });
}

void Controller::enqueue(std::string name, Event event, std::function<void()> refuse) {
  if (stopping_) {
    if (refuse) refuse();
    return;
  }
  queue_.push_back({std::move(name), std::move(event), std::move(refuse)});
  next();
}

void Controller::enqueue_once(std::string name, Event event) {
  if (std::ranges::find(queue_, name, &Queued::name) == queue_.end()) enqueue(std::move(name), std::move(event));
}

void Controller::request(std::string name, Event event, std::function<void()> refuse) {
  loop_.post([this, name = std::move(name), event = std::move(event), refuse = std::move(refuse)]() mutable {
    enqueue(std::move(name), std::move(event), std::move(refuse));
  });
}

void Controller::next() {
  if (busy_ || queue_.empty()) return;
  busy_ = true;
  Queued queued = std::move(queue_.front());
  queue_.pop_front();
  log_.debug("event: {}", queued.name);
  run(queued.event(), [this] {
    busy_ = false;
    loop_.post([this] {
      if (active_ && fenced_.lost() && !busy_) queue_.push_front({"resign", [this] { return resign(); }, nullptr});
      next();
    });
  });
}

void Controller::drop_queue() {
  for (auto& queued : std::exchange(queue_, {}))
    if (queued.refuse) queued.refuse();
}

// ---- coming and going ----------------------------------------------------------------------------------------------

Task<void> Controller::controller_changed() {
  const std::string path(paths::kController);
  const auto node = co_await async_.get(path);
  if (node.ok()) {
    if (const auto holder = decode_controller(path, node.value.data); holder.ok()) controller_ = holder->broker.raw;
    if (active_ && node.value.stat.ephemeral_owner != store_.session_id()) co_await resign();
    co_return;
  }
  if (node.code != StoreCode::no_node) co_return;
  controller_ = -1;
  if (active_) co_await resign();
  if (registered_) co_await elect();
}

Task<void> Controller::elect() {
  const auto election = co_await elect_controller(async_, settings_.broker, clock_.wall());
  if (!election.ok()) {
    if (!stopping_) log_.error("the election of a controller failed: {}", election.error().detail);
    co_return;
  }
  controller_ = election->controller.raw;
  if (!election->won) {
    log_.info("broker {} is the controller", election->controller);
    co_return;
  }
  state_ = ControllerState{
      .epoch = election->epoch, .epoch_version = election->epoch_version, .marks_recovery = settings_.marks_recovery};
  fenced_.use(election->epoch_version);
  active_ = true;
  log_.info("this broker ({}) is the controller now, epoch {}", settings_.broker, state_.epoch);
  const bool in_office = co_await take_office();
  if (in_office || stopping_) co_return;
  // Half a picture is no base for decisions: somebody else may do better, or we at the next attempt.
  log_.error("cannot load the cluster's state: resigning");
  std::vector<Operation> removal;
  removal.push_back(Remove{.path = std::string(paths::kController)});
  const auto removed = co_await fenced_.commit(std::move(removal));
  if (!removed.ok()) log_.warn("{} was not removed: {}", paths::kController, store_code_name(removed.code));
  co_await resign();
}

Task<void> Controller::resign() {
  const bool was_active = active_;
  forget();
  state_ = {};
  if (was_active) log_.info("this broker ({}) is no longer the controller", settings_.broker);
  // Whoever was elected meanwhile, or nobody: the change of /controller may have been seen before we let go.
  if (was_active && registered_ && !stopping_)
    enqueue_once("controller changed", [this] { return controller_changed(); });
  co_return;
}

void Controller::forget() {
  active_ = false;
  announcer_.reset();
  cluster_watches_.clear();
  topic_watches_.clear();
  broker_watches_.clear();
  move_watches_.clear();
  removing_.clear();
  balance_timer_->cancel();
  retry_timer_->cancel();
}

Task<bool> Controller::take_office() {
  co_await ensure_feature_node();
  watch_cluster();
  // What these tell is read with everything else, or shows in the answers to the first announcement.
  const std::vector<std::string> reports{std::string(paths::kLogDirEvents), std::string(paths::kIsrChanges)};
  for (const auto& parent : reports) {
    const auto events = co_await async_.children(parent);
    co_await remove_children(parent, events.value);
  }
  auto brokers = co_await read_brokers();
  if (!brokers) co_return false;
  state_.brokers = std::move(*brokers);
  announcer_.tell_brokers();
  announcer_.send(state_);
  const bool topics = co_await load_topics();
  if (!topics) co_return false;

  // They are treated as brokers that have left and have come again.
  const auto returned = unnoticed_returns(state_);
  for (const auto& [broker, replicas] : returned) {
    log_.info("broker {} has begun a new life that nobody noticed: {} replicas of it must catch up", broker,
              replicas.size());
    state_.lost[broker] = replicas;
  }
  co_await settle();
  if (!active_ || fenced_.lost()) co_return false;
  for (const auto& [broker, replicas] : returned) state_.lost.erase(broker);
  tell_all_leaderships();
  announcer_.send(state_);
  co_await reassignment_asked();
  std::set<base::BrokerId> nobody_in_particular;
  co_await resume_moves(std::move(nobody_in_particular));
  co_await resume_deletions();
  co_await preferred_election_asked();
  balance_after(std::chrono::seconds(5));
  log_.info("controller ready: {} brokers, {} topics, {} being deleted", state_.brokers.size(), state_.topics.size(),
            state_.deleting.size());
  co_return !fenced_.lost();
}

void Controller::tell_all_leaderships() {
  for (const auto& partition : led_partitions(state_)) {
    const auto told = describe(state_, partition);
    announcer_.tell_leadership(told.replicas, told);
    announcer_.tell_metadata(told);
  }
}

Task<void> Controller::ensure_feature_node() {
  const std::string path(paths::kFeature);
  const auto found = co_await async_.get(path);
  FeatureNode wanted = settings_.features;
  std::vector<Operation> change;
  if (found.code == StoreCode::no_node) {
    change.push_back(Create{.path = path, .data = encode(wanted)});
  } else {
    if (!found.ok()) co_return;
    const auto node = decode_feature(path, found.value.data);
    if (!node.ok()) {
      log_.error("features are left as they are: {}", node.error().detail);
      co_return;
    }
    if (node->enabled == wanted.enabled && node->version >= wanted.version) co_return;
    // What was finalized before somebody disabled it does not come back.
    if (node->enabled && wanted.enabled) wanted.features = node->features;
    wanted.unknown = node->unknown;
    change.push_back(Set{.path = path, .data = encode(wanted)});
  }
  const auto written = co_await fenced_.commit(std::move(change));
  if (!written.ok() && written.code != StoreCode::node_exists && !fenced_.lost())
    log_.warn("{} was not written: {}", path, store_code_name(written.code));
}

Task<bool> Controller::load_topics() {
  const auto deletions = co_await async_.children(std::string(paths::kDeleteTopics));
  if (!deletions.ok()) co_return false;
  const auto names = co_await async_.children(std::string(paths::kTopics));
  if (!names.ok()) co_return false;
  const bool added = co_await add_topics(names.value);
  if (!added) co_return false;
  co_await deletions_changed();
  co_return !fenced_.lost();
}

}  // namespace replication
