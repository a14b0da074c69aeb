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
// A session watches its replicas and looks at a partition only when it is due: named by this request, changed since it
// was looked at last, or with something left to tell. So an idle session costs nothing per partition, and a busy one
// what its busy partitions cost.
//
// A follower in sync has one idle session for thousands of partitions, and each of them must know that it is still
// asked for: every request leaves its time where the replicas can see it (Watch::last_asked).
//
// A session belongs to one client, which sends one request at a time; the cache's lock covers opening and closing, the
// session's own lock its partitions. Order of locks: cache, session, partition.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
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
#include "replication/partition/partition.h"

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

// What replicas may see of a session without its lock.
struct SessionReader {
  std::atomic<base::Instant> last_asked{};
  std::atomic<bool> to_log_end{false};  // a follower, or a debugging consumer
};

// The place of a partition in its session. Guarded by the session's lock, but for `armed_`.
class SessionPlace final : public replication::Watch, public std::enable_shared_from_this<SessionPlace> {
 public:
  SessionPlace(std::weak_ptr<FetchSession> session, std::shared_ptr<const SessionReader> reader)
      : session_(std::move(session)), reader_(std::move(reader)) {}
  void changed(Of what) override;
  std::optional<base::Instant> last_asked() const override { return reader_->last_asked; }

 private:
  friend class FetchSession;
  friend struct FetchContext;
  using Line = std::list<std::shared_ptr<SessionPlace>>;

  const std::weak_ptr<FetchSession> session_;
  const std::shared_ptr<const SessionReader> reader_;
  // Set before the replica is read: the first change from there on that is worth waking for makes it due and wakes. One
  // that is not only makes it due, and leaves this as it is: the next one may be.
  std::atomic<bool> armed_{false};
  bool stale_ = false;  // something has changed since it was read
  std::shared_ptr<FetchedPartition> wanted_;
  std::weak_ptr<replication::Partition> watched_;
  std::optional<Line::iterator> due_;
  bool forgotten_ = false;
};

// One request within its session, or without one. Used by one thread at a time.
struct FetchContext {
  using PartitionAnswer = protocol::FetchResponse::Topic::Partition;
  // What reading partitions[i] gave. `at_end`: no error, and nothing more for this reader before the replica changes.
  struct Outcome {
    const PartitionAnswer* answer = nullptr;
    bool at_end = false;
  };

  std::shared_ptr<FetchSession> session;  // null: none
  std::int32_t answered_session_id = 0;   // 0: none
  bool incremental = false;
  bool uses_topic_ids = false;
  FetchedPartitions partitions;  // those to be read now, in this order

  // The partitions that are due now; without a session always the same.
  void look();
  // Before partitions[i] is read from this replica.
  void about_to_read(std::size_t i, const std::shared_ptr<replication::Partition>& partition);
  // The waiter is woken when another partition is due. False: one is already.
  bool wait(const std::vector<Outcome>& outcomes, std::shared_ptr<replication::Waiter> waiter);
  void stop_waiting(const replication::Waiter& waiter);
  // Through what partitions[i] watches its replica; null without a session.
  const replication::Watch* watch_of(std::size_t i) const { return session ? places_[i].get() : nullptr; }

  // Takes out what need not be told again, remembers what is told, and sends served partitions to the end of the line.
  // `outcomes` runs parallel to `partitions`; those left are marked true in the result.
  std::vector<bool> keep_news(const std::vector<Outcome>& outcomes);

 private:
  std::vector<std::shared_ptr<SessionPlace>> places_;  // parallel to partitions; none without a session
  std::uint64_t seen_ = 0;                             // of the session's changes
};

class FetchSession : public std::enable_shared_from_this<FetchSession> {
 public:
  // What all requests of a session have in common; when it changes, everything is due.
  struct Reader {
    base::BrokerId replica = base::kNoBroker;
    std::int64_t replica_epoch = -1;  // a follower that has registered anew is to be known as such by every replica
    std::int8_t isolation_level = 0;
    bool operator==(const Reader&) const = default;
  };

  FetchSession(std::int32_t session_id, bool for_follower, bool by_topic_id, base::Instant now)
      : id(session_id), follower(for_follower), uses_topic_ids(by_topic_id), created(now) {}
  ~FetchSession();

  const std::int32_t id;
  const bool follower;
  const bool uses_topic_ids;
  const base::Instant created;

 private:
  friend class FetchSessionCache;
  friend class SessionPlace;
  friend struct FetchContext;

  using Line = SessionPlace::Line;
  using Key = FetchedPartition::Key;

  void read_by(const Reader& reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void put(FetchedPartition partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void forget(const FetchedPartition& partition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void make_due(SessionPlace& place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void settle(SessionPlace& place, const FetchedPartition& read) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void changed(SessionPlace& place, bool worth_waking) ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<Key, std::shared_ptr<SessionPlace>> by_key_ ABSL_GUARDED_BY(mutex_);
  Line line_ ABSL_GUARDED_BY(mutex_);                        // of those that are due
  std::uint64_t changes_ ABSL_GUARDED_BY(mutex_) = 0;        // how often a watch has made one due
  replication::WaiterList waiting_ ABSL_GUARDED_BY(mutex_);  // parked fetches of this session: one, but for odd clients
  Reader reader_ ABSL_GUARDED_BY(mutex_);
  std::int32_t next_epoch_ ABSL_GUARDED_BY(mutex_) = 1;
  std::size_t size_at_eviction_ = 0;  // guarded by the cache
  const std::shared_ptr<SessionReader> to_replicas_ = std::make_shared<SessionReader>();
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
  using Session = std::shared_ptr<FetchSession>;

  // What they drop is destroyed by the caller without the lock: it lets go of many watches.
  Session admit(const FetchedPartitions& partitions, const FetchSession::Reader& reader, bool uses_topic_ids,
                Session& dropped) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool make_room(bool follower, std::size_t size, Session& dropped) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Session take(std::int32_t session_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  base::Result<FetchContext> resume(const protocol::FetchRequest& request, bool uses_topic_ids);

  const std::size_t max_sessions_;
  base::Clock& clock_;
  base::Random& random_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::int32_t, Session> sessions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace broker
