#include "replication/follower/fetcher.h"

#include <algorithm>
#include <utility>

namespace replication {

using base::ErrorCode;
using base::Offset;

namespace {

// A request that has waited so long at the leader waits for records; a shorter one may just be on its way.
constexpr base::Duration kPatience = std::chrono::milliseconds(20);
// We may hear of a new leader before it does itself: what its first answers say will soon be over. 40, 80, ... ms.
constexpr base::Duration kEarly = std::chrono::milliseconds(40);

bool may_not_know_yet(ErrorCode code) {
  return code == ErrorCode::not_leader_or_follower || code == ErrorCode::unknown_leader_epoch ||
         code == ErrorCode::unknown_topic_or_partition || code == ErrorCode::unknown_topic_id;
}

}  // namespace

FetcherSettings FetcherSettings::of(const config::BrokerSettings& broker, base::BrokerId self) {
  const auto release = broker.protocol_version();
  return {.self = self,
          .versions = PeerVersions::of(release),
          .truncates_on_fetch = release >= *config::find_protocol_version("2.7-IV1"),
          .fetchers_per_broker = std::max(broker.num_replica_fetchers, 1),
          .min_bytes = broker.replica_fetch_min_bytes,
          .partition_max_bytes = broker.replica_fetch_max_bytes,
          .response_max_bytes = broker.replica_fetch_response_max_bytes,
          .max_wait = std::chrono::milliseconds(broker.replica_fetch_wait_max_ms),
          .back_off = std::chrono::milliseconds(broker.replica_fetch_backoff_ms),
          .request_timeout = std::chrono::milliseconds(broker.replica_socket_timeout_ms),
          .receive_buffer_bytes = broker.replica_socket_receive_buffer_bytes};
}

void FetchProgress::set_lag(const base::TopicPartition& partition, std::int64_t lag) {
  absl::MutexLock lock(&mutex_);
  if (lag > 0)
    lags_[partition] = lag;
  else
    lags_.erase(partition);
}

std::int64_t FetchProgress::max_lag() const {
  absl::MutexLock lock(&mutex_);
  std::int64_t most = 0;
  for (const auto& [partition, lag] : lags_) most = std::max(most, lag);
  return most;
}

Fetcher::Fetcher(Place place, FetcherSettings settings, FetcherServices services,
                 std::shared_ptr<FetchProgress> progress)
    : place_(std::move(place)),
      settings_(settings),
      services_(std::move(services)),
      progress_(std::move(progress)),
      delay_timer_(place_.loop.make_timer()),
      back_off_timer_(place_.loop.make_timer()),
      throttle_timer_(place_.loop.make_timer()),
      newcomer_timer_(place_.loop.make_timer()),
      connection_(
          services_.network.connect(place_.leader, place_.loop,
                                    {.client_id = fmt::format("broker-{}-fetcher-{}", settings_.self, place_.slot),
                                     .receive_buffer_bytes = settings_.receive_buffer_bytes})) {}

Fetcher::~Fetcher() {
  for (const auto& [name, replica] : replicas_) retire(replica);
}

std::string Fetcher::who() const {
  return fmt::format("[ReplicaFetcher replicaId={}, leaderId={}, fetcherId={}]", settings_.self, place_.leader.id,
                     place_.slot);
}

Fetcher::Ptr Fetcher::find(const base::TopicPartition& name) const {
  const auto found = replicas_.find(name);
  return found == replicas_.end() ? nullptr : found->second;
}

// ---- what the controller decided ----

void Fetcher::follow(std::vector<Follow> replicas) {
  for (auto& replica : replicas) add(std::move(replica));
  go_on();
}

void Fetcher::add(Follow follow) {
  const auto& name = follow.partition->name();
  auto fresh = std::make_shared<Replica>(follow);
  if (const auto old = find(name)) {
    const bool same = old->what.partition == follow.partition && old->what.leader_epoch == follow.leader_epoch;
    if (same && old->what.topic_id == follow.topic_id) return;
    // What a session knows under one name, or one id, it knows once.
    if (!session_by_id_ || old->what.topic_id == follow.topic_id) {
      fresh->in_session = std::exchange(old->in_session, false);
      fresh->told = old->told;
    }
    retire(old);
  }
  replicas_[name] = fresh;
  if (follow.topic_id.is_zero())
    ++without_id_;
  else
    by_id_[{follow.topic_id, name.partition}] = fresh;
  fresh->throttled = follow.partition->settings()->throttled_followers.contains(name.partition, settings_.self);
  if (fresh->throttled) throttled_.push_back(fresh);
  mark_changed(fresh);
  begin(fresh);
  newcomer(fresh);
}

void Fetcher::unfollow(const std::vector<base::TopicPartition>& replicas) {
  for (const auto& name : replicas) {
    const auto replica = find(name);
    if (!replica) continue;
    retire(replica);
    replicas_.erase(name);
  }
  go_on();
}

// It stays in changed_ until the leader was told.
void Fetcher::retire(const Ptr& replica) {
  enter(replica, State::idle);
  replica->gone = true;
  if (replica->what.topic_id.is_zero())
    --without_id_;
  else if (const auto known = by_id_.find({replica->what.topic_id, replica->name().partition});
           known != by_id_.end() && known->second == replica)
    by_id_.erase(known);
  if (replica->throttled) std::erase(throttled_, replica);
  set_lag(replica, -1);
}

void Fetcher::directory_failed() {
  for (const auto& [name, replica] : replicas_)
    if (const auto at = replica->what.partition->follower_position();
        !at && at.error().code == ErrorCode::kafka_storage_error)
      enter(replica, State::idle);
  go_on();
}

void Fetcher::settings_changed() {
  throttled_.clear();
  for (const auto& [name, replica] : replicas_) {
    replica->throttled =
        replica->what.partition->settings()->throttled_followers.contains(name.partition, settings_.self);
    if (replica->throttled) throttled_.push_back(replica);
    if (!replica->in_session && replica->state == State::fetching) mark_changed(replica);  // it was held back
  }
  go_on();
}

// ---- states ----

void Fetcher::enter(const Ptr& replica, State state) {
  if (replica->state == State::failed) --progress_->failed;
  if (state == State::failed) ++progress_->failed;
  replica->state = state;
  replica->round = ++rounds_;
  if (state == State::comparing) comparing_.push_back(replica);
  if (state == State::seeking_end || state == State::seeking_start) seeking_.push_back(replica);
  mark_changed(replica);
}

void Fetcher::mark_changed(const Ptr& replica) {
  if (std::exchange(replica->changed, true)) return;
  changed_.push_back(replica);
}

void Fetcher::begin(const Ptr& replica) {
  const auto at = replica->what.partition->follower_position();
  if (!at) return trouble(replica, at.error());
  // Another decision of the controller is on its way here.
  if (at->leader_epoch != replica->what.leader_epoch) return enter(replica, State::idle);
  replica->at = *at;
  choose(replica);
}

void Fetcher::choose(const Ptr& replica) {
  if (replica->compared) return enter(replica, State::fetching);
  const auto& at = replica->at;
  const bool has_epochs = at.last_epoch > base::kNoLeaderEpoch;
  if (has_epochs && settings_.truncates_on_fetch) return enter(replica, State::fetching);
  if (has_epochs && settings_.versions.offset_for_leader_epoch != PeerVersions::kNotYet)
    return enter(replica, State::comparing);
  // Without epochs nothing but the high watermark is known to be the same at the leader.
  replica->compared = true;
  if (at.high_watermark >= at.log_end) return enter(replica, State::fetching);
  cut(replica, [under = at.leader_epoch, to = at.high_watermark](Partition& partition) {
    return partition.truncate_as_follower(under, to);
  });
}

void Fetcher::delay(const Ptr& replica, base::Duration wait) {
  enter(replica, State::delayed);
  replica->is_early = wait < settings_.back_off;
  const auto until = services_.clock.now() + wait;
  const bool first = delayed_.empty() || until < delayed_.begin()->first;
  delayed_.emplace(until, std::pair(replica, replica->round));
  if (first) delay_timer_->arm(wait, [this] { end_delays(); });
}

void Fetcher::end_delays() {
  const auto now = services_.clock.now();
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    const auto [replica, round] = delayed_.begin()->second;
    delayed_.erase(delayed_.begin());
    if (replica->gone || replica->round != round) continue;
    begin(replica);
    // What fails for long must not disturb those at rest.
    if (replica->is_early) newcomer(replica);
  }
  if (!delayed_.empty()) delay_timer_->arm(delayed_.begin()->first - now, [this] { end_delays(); });
  go_on();
}

void Fetcher::back_off() {
  not_before_ = services_.clock.now() + settings_.back_off;
  back_off_timer_->arm(settings_.back_off, [this] { go_on(); });
}

void Fetcher::set_lag(const Ptr& replica, std::int64_t lag) {
  if (lag > 0 || replica->lag > 0) progress_->set_lag(replica->name(), lag);
  replica->lag = lag;
}

// ---- errors ----

// Whether it is the first time in a row: a thing that goes on is said once.
bool Fetcher::note_trouble(const Ptr& replica, ErrorCode code) { return std::exchange(replica->trouble, code) != code; }

// Ours: the log would not have it.
void Fetcher::trouble(const Ptr& replica, const base::Error& error) {
  switch (error.code) {
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::fenced_leader_epoch:
      return enter(replica, State::idle);  // another decision of the controller is on its way here
    case ErrorCode::kafka_storage_error:
      if (!replica->what.partition->follower_position()) return enter(replica, State::idle);
      break;  // the disk is full
    default:
      break;
  }
  if (note_trouble(replica, error.code))
    log_.error("{} {}: what leader {} sent is not taken: {}", who(), replica->name(), place_.leader.id, error.text());
  delay(replica);
}

// Theirs.
void Fetcher::refused(const Ptr& replica, ErrorCode code) {
  if (code == ErrorCode::fenced_leader_epoch) {
    log_.info("{} Partition {} has an older epoch ({}) than the current leader. Will await the new LeaderAndIsr state",
              who(), replica->name(), replica->what.leader_epoch);
    return enter(replica, State::failed);
  }
  if (may_not_know_yet(code) && replica->early_tries > 0) {
    log_.debug("{} {}: leader {} answers {}", who(), replica->name(), place_.leader.id, base::error_name(code));
    const auto wait = kEarly * (1 << (kEarlyTries - replica->early_tries--));
    return delay(replica, std::min<base::Duration>(wait, settings_.back_off));
  }
  if (note_trouble(replica, code))
    log_.info("{} {}: leader {} answers {}", who(), replica->name(), place_.leader.id, base::error_name(code));
  delay(replica);
}

// ---- what comes next ----

void Fetcher::go_on() {
  if (asking_ != Asking::nothing || services_.clock.now() < not_before_) return;
  if (ask_epochs() || ask_offsets(State::seeking_end) || ask_offsets(State::seeking_start)) return;
  fetch();
}

// Who has just come need not wait until the request under way is answered, if that one waits for records: only
// replicas that ask are in sync.
void Fetcher::newcomer(const Ptr& replica) {
  if (asking_ != Asking::fetch || digest_) return;
  if (replica->state != State::fetching && replica->state != State::comparing) return;
  const auto now = services_.clock.now();
  const auto wait = std::max(asked_at_ + kPatience - now, may_give_up_.wait(now, settings_.max_wait));
  newcomer_timer_->arm(std::max(wait, base::Duration::zero()), [this, question = question_] {
    if (asking_ == Asking::fetch && !digest_ && question == question_) give_up_waiting();
  });
}

void Fetcher::give_up_waiting() {
  (void)may_give_up_.take(services_.clock.now());
  asking_ = Asking::nothing;
  ++question_;  // its end is not meant any more
  connection_->disconnect();
  session_.begin_anew();
  go_on();
}

}  // namespace replication
