#include "broker/handlers/fetch_sessions.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

namespace broker {
namespace {

constexpr std::int32_t kNoSession = 0;
constexpr std::int32_t kFirstEpoch = 0;   // make a session
constexpr std::int32_t kFinalEpoch = -1;  // no session, or the end of one
constexpr std::int16_t kTopicIdsSince = 13;
// A session idle, or merely older, than this may make room for another (Kafka's fixed value).
constexpr auto kEvictableAfter = std::chrono::seconds{120};

FetchedPartition asked(const protocol::FetchRequest::Topic& topic,
                       const protocol::FetchRequest::Topic::Partition& partition) {
  FetchedPartition p;
  p.topic = topic.topic;
  p.topic_id = topic.topic_id;
  p.partition = partition.partition;
  p.fetch_offset = partition.fetch_offset;
  p.current_leader_epoch = partition.current_leader_epoch;
  p.last_fetched_epoch = partition.last_fetched_epoch;
  p.follower_log_start = partition.log_start_offset;
  p.max_bytes = partition.partition_max_bytes;
  return p;
}

// A partition named twice is asked for once, as the last mention says.
FetchedPartitions all_asked(const protocol::FetchRequest& request) {
  FetchedPartitions out;
  absl::flat_hash_map<FetchedPartition::Key, std::size_t> places;
  for (const auto& topic : request.topics)
    for (const auto& partition : topic.partitions) {
      auto one = std::make_shared<FetchedPartition>(asked(topic, partition));
      const auto [known, is_new] = places.emplace(one->key(), out.size());
      if (is_new)
        out.push_back(std::move(one));
      else
        out[known->second] = std::move(one);
    }
  return out;
}

FetchSession::Reader reader_of(const protocol::FetchRequest& request) {
  return {.replica = request.replica_state ? request.replica_state->replica_id : request.replica_id,
          .replica_epoch = request.replica_state ? request.replica_state->replica_epoch : -1,
          .isolation_level = request.isolation_level};
}

bool has_news(const FetchedPartition& told, const protocol::FetchResponse::Topic::Partition& answer) {
  return answer.records.size_bytes() > 0 || answer.error_code != base::ErrorCode::none ||
         answer.high_watermark != told.told_high_watermark || answer.log_start_offset != told.told_log_start ||
         answer.preferred_read_replica != base::kNoBroker || answer.diverging_epoch;
}

}  // namespace

std::int32_t next_session_epoch(std::int32_t epoch) {
  return epoch == std::numeric_limits<std::int32_t>::max() ? 1 : epoch + 1;
}

void FetchContext::look() {
  if (!session) return;
  absl::MutexLock lock(&session->mutex_);
  seen_ = session->changes_;
  partitions.clear();
  places_.assign(session->line_.begin(), session->line_.end());
  partitions.reserve(places_.size());
  for (const auto& place : places_) partitions.push_back(place->wanted_);
}

void FetchContext::about_to_read(std::size_t i, const std::shared_ptr<replication::Partition>& partition) {
  if (!session) return;
  auto& place = *places_[i];
  absl::MutexLock lock(&session->mutex_);
  place.armed_ = true;
  place.stale_ = false;
  const auto watched = place.watched_.lock();
  if (watched == partition || place.forgotten_) return;
  if (watched) watched->unwatch(place);
  partition->watch(places_[i]);
  place.watched_ = partition;
}

bool FetchContext::wait(const std::vector<Outcome>& outcomes, std::shared_ptr<replication::Waiter> waiter) {
  absl::MutexLock lock(&session->mutex_);
  for (std::size_t i = 0; i < places_.size(); ++i)
    if (outcomes[i].at_end && !has_news(*partitions[i], *outcomes[i].answer))
      session->settle(*places_[i], *partitions[i]);
  if (session->changes_ != seen_) return false;
  session->waiting_.push_back(std::move(waiter));
  return true;
}

void FetchContext::stop_waiting(const replication::Waiter& waiter) {
  absl::MutexLock lock(&session->mutex_);
  std::erase_if(session->waiting_, [&](const auto& one) { return one.get() == &waiter; });
}

std::vector<bool> FetchContext::keep_news(const std::vector<Outcome>& outcomes) {
  std::vector<bool> kept(partitions.size(), true);
  if (!session) return kept;
  absl::MutexLock lock(&session->mutex_);
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    auto& partition = *partitions[i];
    const auto& answer = *outcomes[i].answer;
    if (incremental) kept[i] = has_news(partition, answer);
    // An error is told again until it is gone: what was told before no longer counts.
    const bool failed = answer.error_code != base::ErrorCode::none;
    partition.told_high_watermark = failed ? base::kNoOffset : answer.high_watermark;
    partition.told_log_start = answer.log_start_offset;
    if (outcomes[i].at_end) session->settle(*places_[i], partition);
    // Whoever got data goes to the end, so that the size limit does not starve those behind it.
    const auto& due = places_[i]->due_;
    if (incremental && due && answer.records.size_bytes() > 0)
      session->line_.splice(session->line_.end(), session->line_, *due);
  }
  return kept;
}

// Who reads to the log end is not told of the high watermark alone before it is told something else or its time is up,
// as with Kafka.
void SessionPlace::changed(Of what) {
  const bool to_log_end = reader_->to_log_end;
  if (what == Of::log_end && !to_log_end) return;
  const bool worth_waking = what != Of::high_watermark || !to_log_end;
  if (!armed_.load(std::memory_order_relaxed) || (worth_waking && !armed_.exchange(false))) return;
  if (const auto session = session_.lock()) session->changed(*this, worth_waking);
}

FetchSession::~FetchSession() {
  absl::MutexLock lock(&mutex_);
  for (const auto& [key, place] : by_key_)
    if (const auto watched = place->watched_.lock()) watched->unwatch(*place);
}

void FetchSession::changed(SessionPlace& place, bool worth_waking) {
  replication::WaiterList woken;
  {
    absl::MutexLock lock(&mutex_);
    if (place.forgotten_) return;
    place.stale_ = true;
    make_due(place);
    if (!worth_waking) return;
    ++changes_;
    woken.swap(waiting_);
  }
  replication::wake_all(std::move(woken));
}

void FetchSession::make_due(SessionPlace& place) {
  if (!place.due_) place.due_ = line_.insert(line_.end(), place.shared_from_this());
}

// Out of the line, unless it has changed since it was read or is wanted differently by now.
void FetchSession::settle(SessionPlace& place, const FetchedPartition& read) {
  if (place.due_ && place.armed_ && !place.stale_ && place.wanted_.get() == &read)
    line_.erase(*std::exchange(place.due_, std::nullopt));
}

void FetchSession::read_by(const Reader& reader) {
  to_replicas_->to_log_end = reader.replica.raw >= 0 || reader.replica == replication::kDebuggingConsumer;
  if (reader == std::exchange(reader_, reader)) return;
  std::vector<std::pair<const Key*, SessionPlace*>> all;
  for (const auto& [key, place] : by_key_) all.emplace_back(&key, place.get());
  std::ranges::sort(all, [](const auto& a, const auto& b) { return *a.first < *b.first; });
  for (const auto& [key, place] : all) make_due(*place);
}

void FetchSession::put(FetchedPartition partition) {
  auto fresh = std::make_shared<FetchedPartition>(std::move(partition));
  auto& place = by_key_[fresh->key()];
  if (!place) {
    place = std::make_shared<SessionPlace>(weak_from_this(), to_replicas_);
  } else {
    fresh->told_high_watermark = place->wanted_->told_high_watermark;
    fresh->told_log_start = place->wanted_->told_log_start;
  }
  place->wanted_ = std::move(fresh);
  make_due(*place);
}

void FetchSession::forget(const FetchedPartition& partition) {
  const auto known = by_key_.find(partition.key());
  if (known == by_key_.end()) return;
  auto& place = *known->second;
  place.forgotten_ = true;
  if (place.due_) line_.erase(*std::exchange(place.due_, std::nullopt));
  if (const auto watched = place.watched_.lock()) watched->unwatch(place);
  by_key_.erase(known);
}

base::Result<FetchContext> FetchSessionCache::open(const protocol::FetchRequest& request, std::int16_t version) {
  const bool uses_topic_ids = version >= kTopicIdsSince;
  if (request.session_epoch > kFirstEpoch) return resume(request, uses_topic_ids);

  FetchContext context;
  context.uses_topic_ids = uses_topic_ids;
  context.partitions = all_asked(request);
  Session closed, dropped;
  {
    absl::MutexLock lock(&mutex_);
    if (request.session_id != kNoSession) closed = take(request.session_id);
    if (request.session_epoch == kFinalEpoch) return context;
    context.session = admit(context.partitions, reader_of(request), uses_topic_ids, dropped);
  }
  if (context.session) {
    context.answered_session_id = context.session->id;
    context.look();
  }
  return context;
}

base::Result<FetchContext> FetchSessionCache::resume(const protocol::FetchRequest& request, bool uses_topic_ids) {
  using base::ErrorCode;
  FetchContext context;
  context.incremental = true;
  context.uses_topic_ids = uses_topic_ids;
  Session ended;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = sessions_.find(request.session_id);
    if (found == sessions_.end())
      return base::fail(ErrorCode::fetch_session_id_not_found, "session {}", request.session_id);
    context.session = found->second;
    auto& session = *context.session;
    absl::MutexLock session_lock(&session.mutex_);
    if (session.next_epoch_ != request.session_epoch)
      return base::fail(ErrorCode::invalid_fetch_session_epoch, "session {} expects epoch {}, got {}", session.id,
                        session.next_epoch_, request.session_epoch);
    if (session.uses_topic_ids != uses_topic_ids)
      return base::fail(ErrorCode::fetch_session_topic_id_error, "session {} mixes topic names and ids", session.id);
    for (const auto& topic : request.topics)
      for (const auto& partition : topic.partitions) session.put(asked(topic, partition));
    for (const auto& topic : request.forgotten_topics_data)
      for (const auto partition : topic.partitions) {
        FetchedPartition gone;
        gone.topic = topic.topic;
        gone.topic_id = topic.topic_id;
        gone.partition = partition;
        session.forget(gone);
      }
    session.read_by(reader_of(request));
    if (session.by_key_.empty()) {
      ended = take(session.id);
      context.session.reset();
      context.incremental = false;
      return context;
    }
    session.next_epoch_ = next_session_epoch(session.next_epoch_);
    session.to_replicas_->last_asked = clock_.now();
    session.size_at_eviction_ = session.by_key_.size();
    context.answered_session_id = session.id;
  }
  context.look();
  return context;
}

FetchSessionCache::Session FetchSessionCache::take(std::int32_t session_id) {
  auto node = sessions_.extract(session_id);
  return node ? std::move(node.mapped()) : nullptr;
}

FetchSessionCache::Session FetchSessionCache::admit(const FetchedPartitions& partitions,
                                                    const FetchSession::Reader& reader, bool uses_topic_ids,
                                                    Session& dropped) {
  const bool follower = reader.replica.raw >= 0;
  if (!make_room(follower, partitions.size(), dropped)) return nullptr;
  std::int32_t id = 0;
  while (id == kNoSession || sessions_.contains(id))
    id = static_cast<std::int32_t>(random_.below(std::numeric_limits<std::int32_t>::max())) + 1;
  auto session = std::make_shared<FetchSession>(id, follower, uses_topic_ids, clock_.now());
  session->to_replicas_->last_asked = clock_.now();
  {
    absl::MutexLock lock(&session->mutex_);
    for (const auto& partition : partitions) session->put(*partition);
    session->read_by(reader);
    session->size_at_eviction_ = session->by_key_.size();
  }
  sessions_.emplace(id, session);
  return session;
}

// Kafka's order: whoever has been idle too long goes; else the least worthy of those that may be evicted, if it is less
// worthy than the newcomer. Followers are worth more than consumers, larger sessions more than smaller ones. Consumers
// may be evicted by followers at any age, everybody by anybody once old enough.
bool FetchSessionCache::make_room(bool follower, std::size_t size, Session& dropped) {
  if (sessions_.size() < max_sessions_) return true;
  if (max_sessions_ == 0) return false;
  const auto now = clock_.now();
  auto idle = sessions_.end();
  auto least = sessions_.end();
  const auto last_used = [](const FetchSession& s) { return s.to_replicas_->last_asked.load(); };
  const auto worth = [](const FetchSession& s) { return std::tuple(s.follower, s.size_at_eviction_, s.id); };
  for (auto at = sessions_.begin(); at != sessions_.end(); ++at) {
    const auto& session = *at->second;
    if (idle == sessions_.end() || last_used(session) < last_used(*idle->second)) idle = at;
    const bool old = now - session.created > kEvictableAfter;
    if (!old && !(follower && !session.follower)) continue;
    if (least == sessions_.end() || worth(session) < worth(*least->second)) least = at;
  }
  if (now - last_used(*idle->second) > kEvictableAfter) {
    dropped = take(idle->first);
    return true;
  }
  if (least == sessions_.end()) return false;
  const auto& session = *least->second;
  if (std::tuple(follower, size) <= std::tuple(session.follower, session.size_at_eviction_)) return false;
  dropped = take(least->first);
  return true;
}

std::size_t FetchSessionCache::size() const {
  absl::MutexLock lock(&mutex_);
  return sessions_.size();
}

}  // namespace broker
