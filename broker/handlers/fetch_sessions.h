// Incremental fetch sessions (KIP-227): a client names its partitions once, then only what changes; answers name only
// partitions that have news.
//
//   (session id, epoch)   what happens
//   (0, -1)               full fetch without a session
//   (0, 0)                full fetch; a session is made if the cache has room, its next epoch is 1
//   (x, -1), (x, 0)       x is closed, then as above
//   (x, e > 0)            incremental: e must be the epoch expected; named partitions are added or changed, forgotten
//                         ones removed; when none are left the session ends
//
// A session belongs to one client, which sends one request at a time; the cache's lock covers opening and closing, the
// session's own lock its partitions.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "protocol/messages/fetch.h"

namespace broker {

// One partition of a fetch: what the client asked last, and what it was told last. What was asked never changes: a
// later request puts a new object in its place, and one still being answered keeps this. What was told is guarded by
// the session's lock.
struct FetchedPartition {
  std::string topic;    // empty from version 13 on
  base::Uuid topic_id;  // zero below version 13
  base::PartitionIndex partition = 0;

  base::Offset fetch_offset;
  base::LeaderEpoch current_leader_epoch = base::kNoLeaderEpoch;
  base::LeaderEpoch last_fetched_epoch = base::kNoLeaderEpoch;
  base::Offset follower_log_start = base::kNoOffset;
  std::int32_t max_bytes = 0;

  base::Offset told_high_watermark = base::kNoOffset;
  base::Offset told_log_start = base::kNoOffset;

  using Key = std::tuple<std::string, base::Uuid, base::PartitionIndex>;
  Key key() const { return {topic, topic_id, partition}; }
};
using FetchedPartitions = std::vector<std::shared_ptr<FetchedPartition>>;

// The epoch of the request after that of `epoch`; 0 and -1 mean other things.
std::int32_t next_session_epoch(std::int32_t epoch);

class FetchSession;

// One request within its session, or without one. Used by one thread at a time.
struct FetchContext {
  std::shared_ptr<FetchSession> session;  // null: none
  std::int32_t answered_session_id = 0;   // 0: none
  bool incremental = false;
  bool uses_topic_ids = false;
  FetchedPartitions partitions;  // in the order they are to be read

  // Takes out what need not be told again, remembers what is told, and sends served partitions to the end of the line.
  // `answers` runs parallel to `partitions`; those left are marked true in the result.
  std::vector<bool> keep_news(const std::vector<const protocol::FetchResponse::Topic::Partition*>& answers);
};

class FetchSession {
 public:
  FetchSession(std::int32_t session_id, bool for_follower, bool by_topic_id, base::Instant now)
      : id(session_id), follower(for_follower), uses_topic_ids(by_topic_id), created(now) {}

  const std::int32_t id;
  const bool follower;
  const bool uses_topic_ids;
  const base::Instant created;

 private:
  friend class FetchSessionCache;
  friend struct FetchContext;

  using Line = std::list<std::shared_ptr<FetchedPartition>>;
  using Key = FetchedPartition::Key;

  void put(FetchedPartition partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void forget(const FetchedPartition& partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void move_to_end(const FetchedPartition& partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  FetchedPartitions all() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  Line line_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<Key, Line::iterator> by_key_ ABSL_GUARDED_BY(mutex_);
  std::int32_t next_epoch_ ABSL_GUARDED_BY(mutex_) = 1;
  std::size_t size_at_eviction_ = 0;  // guarded by the cache
  base::Instant last_used_{};         // guarded by the cache
};

// Any thread may call.
class FetchSessionCache {
 public:
  FetchSessionCache(std::size_t max_sessions, base::Clock& clock, base::Random& random)
      : max_sessions_(max_sessions), clock_(clock), random_(random) {}

  // The error is for the top of the answer, which then carries session id 0 and no partitions.
  base::Result<FetchContext> open(const protocol::FetchRequest& request, std::int16_t version);
  std::size_t size() const;

 private:
  std::shared_ptr<FetchSession> admit(const FetchedPartitions& partitions, bool follower, bool uses_topic_ids)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool make_room(bool follower, std::size_t size) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  base::Result<FetchContext> resume(const protocol::FetchRequest& request, bool uses_topic_ids);

  const std::size_t max_sessions_;
  base::Clock& clock_;
  base::Random& random_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::int32_t, std::shared_ptr<FetchSession>> sessions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace broker
