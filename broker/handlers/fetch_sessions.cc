#include "broker/handlers/fetch_sessions.h"

#include <limits>
#include <tuple>

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

bool has_news(const FetchedPartition& told, const protocol::FetchResponse::Topic::Partition& answer) {
  return answer.records.size_bytes() > 0 || answer.error_code != base::ErrorCode::none ||
         answer.high_watermark != told.told_high_watermark || answer.log_start_offset != told.told_log_start ||
         answer.preferred_read_replica != base::kNoBroker || answer.diverging_epoch;
}

}  // namespace

std::int32_t next_session_epoch(std::int32_t epoch) {
  return epoch == std::numeric_limits<std::int32_t>::max() ? 1 : epoch + 1;
}

std::vector<bool> FetchContext::keep_news(
    const std::vector<const protocol::FetchResponse::Topic::Partition*>& answers) {
  std::vector<bool> kept(partitions.size(), true);
  if (!session) return kept;
  absl::MutexLock lock(&session->mutex_);
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    auto& partition = *partitions[i];
    const auto& answer = *answers[i];
    if (incremental) kept[i] = has_news(partition, answer);
    // An error is told again until it is gone: what was told before no longer counts.
    const bool failed = answer.error_code != base::ErrorCode::none;
    partition.told_high_watermark = failed ? base::kNoOffset : answer.high_watermark;
    partition.told_log_start = answer.log_start_offset;
    // Whoever got data goes to the end, so that the size limit does not starve those behind it.
    if (incremental && answer.records.size_bytes() > 0) session->move_to_end(partition);
  }
  return kept;
}

void FetchSession::put(FetchedPartition partition) {
  auto fresh = std::make_shared<FetchedPartition>(std::move(partition));
  const auto known = by_key_.find(fresh->key());
  if (known == by_key_.end()) {
    const auto key = fresh->key();
    line_.push_back(std::move(fresh));
    by_key_.emplace(key, std::prev(line_.end()));
    return;
  }
  auto& place = *known->second;
  fresh->told_high_watermark = place->told_high_watermark;
  fresh->told_log_start = place->told_log_start;
  place = std::move(fresh);
}

void FetchSession::forget(const FetchedPartition& partition) {
  const auto known = by_key_.find(partition.key());
  if (known == by_key_.end()) return;
  line_.erase(known->second);
  by_key_.erase(known);
}

void FetchSession::move_to_end(const FetchedPartition& partition) {
  const auto known = by_key_.find(partition.key());
  if (known != by_key_.end()) line_.splice(line_.end(), line_, known->second);
}

FetchedPartitions FetchSession::all() const { return {line_.begin(), line_.end()}; }

base::Result<FetchContext> FetchSessionCache::open(const protocol::FetchRequest& request, std::int16_t version) {
  const bool uses_topic_ids = version >= kTopicIdsSince;
  if (request.session_epoch > kFirstEpoch) return resume(request, uses_topic_ids);

  FetchContext context;
  context.uses_topic_ids = uses_topic_ids;
  context.partitions = all_asked(request);
  absl::MutexLock lock(&mutex_);
  if (request.session_id != kNoSession) sessions_.erase(request.session_id);
  if (request.session_epoch == kFinalEpoch) return context;
  const auto follower = request.replica_state ? request.replica_state->replica_id : request.replica_id;
  context.session = admit(context.partitions, follower.raw >= 0, uses_topic_ids);
  if (context.session) {
    context.answered_session_id = context.session->id;
    absl::MutexLock session_lock(&context.session->mutex_);
    context.partitions = context.session->all();
  }
  return context;
}

base::Result<FetchContext> FetchSessionCache::resume(const protocol::FetchRequest& request, bool uses_topic_ids) {
  using base::ErrorCode;
  FetchContext context;
  context.incremental = true;
  context.uses_topic_ids = uses_topic_ids;
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
  if (session.line_.empty()) {
    sessions_.erase(found);
    context.session.reset();
    context.incremental = false;
    return context;
  }
  session.next_epoch_ = next_session_epoch(session.next_epoch_);
  session.last_used_ = clock_.now();
  session.size_at_eviction_ = session.line_.size();
  context.answered_session_id = session.id;
  context.partitions = session.all();
  return context;
}

std::shared_ptr<FetchSession> FetchSessionCache::admit(const FetchedPartitions& partitions, bool follower,
                                                       bool uses_topic_ids) {
  if (!make_room(follower, partitions.size())) return nullptr;
  std::int32_t id = 0;
  while (id == kNoSession || sessions_.contains(id))
    id = static_cast<std::int32_t>(random_.below(std::numeric_limits<std::int32_t>::max())) + 1;
  auto session = std::make_shared<FetchSession>(id, follower, uses_topic_ids, clock_.now());
  session->last_used_ = clock_.now();
  {
    absl::MutexLock lock(&session->mutex_);
    for (const auto& partition : partitions) session->put(*partition);
    session->size_at_eviction_ = session->line_.size();
  }
  sessions_.emplace(id, session);
  return session;
}

// Kafka's order: whoever has been idle too long goes; else the least worthy of those that may be evicted, if it is less
// worthy than the newcomer. Followers are worth more than consumers, larger sessions more than smaller ones. Consumers
// may be evicted by followers at any age, everybody by anybody once old enough.
bool FetchSessionCache::make_room(bool follower, std::size_t size) {
  if (sessions_.size() < max_sessions_) return true;
  if (max_sessions_ == 0) return false;
  const auto now = clock_.now();
  auto idle = sessions_.end();
  auto least = sessions_.end();
  const auto worth = [](const FetchSession& s) { return std::tuple(s.follower, s.size_at_eviction_, s.id); };
  for (auto at = sessions_.begin(); at != sessions_.end(); ++at) {
    const auto& session = *at->second;
    if (idle == sessions_.end() || session.last_used_ < idle->second->last_used_) idle = at;
    const bool old = now - session.created > kEvictableAfter;
    if (!old && !(follower && !session.follower)) continue;
    if (least == sessions_.end() || worth(session) < worth(*least->second)) least = at;
  }
  if (now - idle->second->last_used_ > kEvictableAfter) {
    sessions_.erase(idle);
    return true;
  }
  if (least == sessions_.end()) return false;
  const auto& session = *least->second;
  if (std::tuple(follower, size) <= std::tuple(session.follower, session.size_at_eviction_)) return false;
  sessions_.erase(least);
  return true;
}

std::size_t FetchSessionCache::size() const {
  absl::MutexLock lock(&mutex_);
  return sessions_.size();
}

}  // namespace broker
