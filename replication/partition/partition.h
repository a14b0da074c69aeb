// One replica on this broker, leader or follower; the only writer of its Log.
//
// Any thread may call; `mutex_` guards everything below it. Calls append and read in place (the page cache), so none
// waits longer than a write of one request. Waiters are woken after the lock is gone.
//
// Outlived by nothing that matters: readers and parked answers hold it by shared_ptr, PartitionTable forgets it when
// the replica is stopped.
#pragma once

#include <absl/synchronization/mutex.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "replication/cluster/announcements.h"
#include "replication/partition/isr_rules.h"
#include "replication/partition/leader_services.h"
#include "replication/partition/partition_settings.h"
#include "replication/partition/replica_selector.h"
#include "replication/partition/waiters.h"
#include "replication/partition/watches.h"
#include "storage/log/admission.h"
#include "storage/log/log.h"

namespace replication {

// How far a reader may see.
enum class Isolation {
  log_end,         // followers and debugging consumers
  high_watermark,  // read_uncommitted
  last_stable,     // read_committed
};

// The replica id of a consumer that reads up to the log end, from any replica.
inline constexpr base::BrokerId kDebuggingConsumer{-2};

enum class Acks : std::int16_t { none = 0, leader = 1, all = -1 };

// The reader is a follower: what it asks for tells how far it is.
struct FollowerFetch {
  base::BrokerId replica{};
  std::int64_t broker_epoch = -1;  // the life of that broker; -1: it does not say
  base::Offset log_start = base::kNoOffset;
  // Of its session, if it has one: tells when it asked again without the partition being looked at, and is not told of
  // what this fetch itself brings about.
  const Watch* session = nullptr;
  // leader.replication.throttled.rate is used up: a throttled replica that is not in sync gets nothing.
  bool over_limit = false;
};

struct ReadRequest {
  base::Offset from{};
  base::LeaderEpoch current_leader_epoch = base::kNoLeaderEpoch;  // -1: not checked
  base::LeaderEpoch last_fetched_epoch = base::kNoLeaderEpoch;    // -1: not checked
  Isolation isolation = Isolation::high_watermark;
  storage::ReadLimits limits{};
  std::optional<FollowerFetch> follower{};
  bool also_from_follower = false;  // this replica need not be the leader (KIP-392)
};

struct ReadOutcome {
  storage::LogSlice slice;
  base::Offset high_watermark;
  base::Offset last_stable;
  base::Offset log_start;
  base::Offset bound;                                // what isolation let this reader see
  std::optional<storage::EpochEnd> diverging_epoch;  // then no records
  std::vector<storage::AbortedTxn> aborted;          // last_stable only
  // The offset asked for and the bound lie in different segments: too far apart to wait for more.
  bool catching_up = false;
  bool throttled = false;  // of a follower: what it gets counts for leader.replication.throttled.rate
  bool held_back = false;  // and it got nothing for that reason
  // Of a reader that must not wait for the disk but would have to: no records; to be run by a thread that may wait,
  // without a lock, before the same is asked again.
  storage::BringIn bring_in{};
};

// Who appends. Coordinators write for themselves while they lead under the leader epoch they know, and not longer.
struct AppendAs {
  storage::AppendOrigin origin = storage::AppendOrigin::client;
  base::LeaderEpoch leader_epoch = base::kNoLeaderEpoch;  // -1: not checked; another one is `not_leader_or_follower`
  // Transactional: TransactionCheck::markers, from before the transaction's coordinator was asked. When markers came
  // since, his answer may be old: `concurrent_transactions`, and nothing was appended.
  std::optional<std::uint64_t> markers = std::nullopt;
};

// Whether a transactional batch may be appended: that is so when its producer has a transaction open here. Otherwise
// the transaction's coordinator must know that the batch begins one.
struct TransactionCheck {
  bool open = false;
  std::uint64_t markers = 0;
};

struct AppendOutcome {
  storage::AppendInfo info;
  bool replicated = false;  // on all in-sync replicas already: nobody to wait for
  bool flushed = true;      // false: its acknowledgement waits for a flush (flush.messages), whatever the acks
  // Since when this broker leads without a break, for acknowledged().
  base::LeaderEpoch led_since = base::kNoLeaderEpoch;
};

// Where a replica's log lies and how large it is.
struct LogPlace {
  std::string directory;  // the data directory, as configured
  std::uint64_t size_bytes = 0;
  std::int64_t offset_lag = 0;  // log end behind high watermark
};

// What metrics ask of a partition led here.
struct ReplicationHealth {
  bool under_replicated = false;
  bool under_min_isr = false;
  bool at_min_isr = false;
};

// DeleteRecords: done when no live replica holds records below `requested`.
struct RecordDeletion {
  base::Offset requested{};
  base::Offset low_watermark{};
};

struct TimestampQuery {
  base::Timestamp at{};
  base::LeaderEpoch current_leader_epoch = base::kNoLeaderEpoch;
  Isolation isolation = Isolation::high_watermark;
  bool also_from_follower = false;  // debugging consumers
};

struct OffsetAnswer {
  base::Offset offset = base::kNoOffset;
  base::Timestamp timestamp = base::kNoTimestamp;
  base::LeaderEpoch leader_epoch = base::kNoLeaderEpoch;
};

// A follower's log: where its next fetch begins.
struct FollowerPosition {
  base::LeaderEpoch leader_epoch;  // it follows under
  base::Offset log_start;
  base::Offset high_watermark;
  base::Offset log_end;
  base::LeaderEpoch last_epoch = base::kNoLeaderEpoch;  // the latest that its log knows; -1: none
};

// What a leader answered to a fetch.
struct FromLeader {
  base::LeaderEpoch fetched_under;  // the leader epoch and
  base::Offset fetched_from;        // the log end when it was sent
  std::span<const std::byte> records;
  base::Offset high_watermark;
  base::Offset log_start;
};

class Partition : public std::enable_shared_from_this<Partition> {
 public:
  Partition(base::BrokerId self, std::unique_ptr<storage::Log> log, PartitionSettings settings,
            const LeaderServices& leading = LeaderServices::alone());

  const base::TopicPartition& name() const { return name_; }
  const std::string& text() const { return text_; }  // of the name, for messages
  std::shared_ptr<const PartitionSettings> settings() const ABSL_LOCKS_EXCLUDED(mutex_);
  void change_settings(PartitionSettings settings) ABSL_LOCKS_EXCLUDED(mutex_);

  // What the controller decided. `stale_controller_epoch` when this leader epoch is known already, unless the news is a
  // first topic id.
  base::Status lead_or_follow(const PartitionState& state) ABSL_LOCKS_EXCLUDED(mutex_);
  // If the disk has failed, everybody waiting is woken and told.
  void look_at_disk() ABSL_LOCKS_EXCLUDED(mutex_);
  // The replica goes: nothing may be read or written any more, everybody waiting is woken.
  void stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // Asked before records are looked at: `not_leader_or_follower`, `not_enough_replicas` (acks=all), a dead disk.
  base::Result<std::shared_ptr<const PartitionSettings>> ready_to_append(Acks acks) const ABSL_LOCKS_EXCLUDED(mutex_);
  // The same again under the lock, then what the log and its producers' rules say.
  base::Result<AppendOutcome> append(storage::Admitted& admitted, Acks acks, AppendAs as = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  base::Result<AppendOutcome> append(storage::MessageSet& messages, Acks acks, AppendAs as = {})
      ABSL_LOCKS_EXCLUDED(mutex_);
  TransactionCheck check_transaction(base::ProducerId id, base::ProducerEpoch epoch) const ABSL_LOCKS_EXCLUDED(mutex_);
  // After append: nothing while it waits for a flush or, with acks=all, is not on all in-sync replicas; then the
  // verdict. `leader_epoch` as in AppendAs. `led_since` of the append: leadership that was lost and won again says
  // nothing of what was appended before (-1: not checked).
  std::optional<base::ErrorCode> acknowledged(base::Offset next_offset, Acks acks,
                                              base::LeaderEpoch leader_epoch = base::kNoLeaderEpoch,
                                              base::LeaderEpoch led_since = base::kNoLeaderEpoch) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Moves the log start up to `to` (-1: the high watermark); below it already: nothing to do. `policy_violation` for a
  // topic that is only compacted, `offset_out_of_range` above the high watermark.
  base::Result<RecordDeletion> delete_records(base::Offset to) ABSL_LOCKS_EXCLUDED(mutex_);
  // Below it no live replica holds records; -1 while one of them has not said where its log begins.
  base::Result<base::Offset> low_watermark() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Periodic, every half replica.lag.time.max.ms, and when brokers came or went: asks for another in-sync set where
  // followers fell behind or came back. Costs next to nothing where nobody did.
  void look_at_followers() ABSL_LOCKS_EXCLUDED(mutex_);
  // Nothing when it is not led here.
  std::optional<ReplicationHealth> replication_health() const ABSL_LOCKS_EXCLUDED(mutex_);

  base::Result<ReadOutcome> read(const ReadRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  // Where else the records at `from` can be read, and here: in-sync replicas, without racks. Nothing when it is not led
  // here.
  std::vector<ReadableReplica> readable_replicas(base::Offset from) const ABSL_LOCKS_EXCLUDED(mutex_);
  base::Result<OffsetAnswer> latest(const TimestampQuery& query) ABSL_LOCKS_EXCLUDED(mutex_);
  base::Result<OffsetAnswer> earliest(const TimestampQuery& query) ABSL_LOCKS_EXCLUDED(mutex_);
  // The first record at or after `query.at`, or nothing (offset -1).
  base::Result<OffsetAnswer> offset_for_time(const TimestampQuery& query) ABSL_LOCKS_EXCLUDED(mutex_);
  base::Result<OffsetAnswer> offset_of_largest_timestamp(const TimestampQuery& query) ABSL_LOCKS_EXCLUDED(mutex_);
  // ListOffsets v0: newest first, at most `limit`. Special times -1 and -2 as there.
  base::Result<std::vector<base::Offset>> segment_offsets(base::Timestamp at, std::int32_t limit)
      ABSL_LOCKS_EXCLUDED(mutex_);
  base::Result<storage::EpochEnd> end_offset_for_epoch(base::LeaderEpoch epoch, base::LeaderEpoch current_leader_epoch)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // ---- As a follower (partition_follower.cc). `under` is the leader epoch that was followed when what is to be done
  // was decided; under another one, or when it does not follow any more, nothing happens: `fenced_leader_epoch`,
  // `not_leader_or_follower`.
  base::Result<FollowerPosition> follower_position() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes in records, high watermark and log start. A leader's claims are checked: whatever an answer holds, the log
  // stays one, and `corrupt_message` or `offset_out_of_range` says what was wrong. Nothing, and nothing was done, when
  // this would wait for the disk and must not: at the first records of a leader epoch.
  enum class MayWait { no, yes };
  base::Result<std::optional<FollowerPosition>> append_from_leader(const FromLeader& answer, MayWait may_wait)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // These wait for the disk. The leader told where an epoch ended there:
  struct Cut {
    FollowerPosition position;
    bool asks_again = false;           // the logs have to be compared once more
    std::int64_t below_watermark = 0;  // so many offsets that had been committed once are gone
  };
  base::Result<Cut> truncate_to_leader(base::LeaderEpoch under, const storage::EpochEnd& of_leader)
      ABSL_LOCKS_EXCLUDED(mutex_);
  base::Result<Cut> truncate_as_follower(base::LeaderEpoch under, base::Offset to) ABSL_LOCKS_EXCLUDED(mutex_);
  // Drops everything: the leader's log begins above this one's end.
  base::Result<Cut> restart_as_follower(base::LeaderEpoch under, base::Offset at) ABSL_LOCKS_EXCLUDED(mutex_);

  // Where a waiter stands, to be handed back when it stops waiting for another reason.
  struct Parked {
    enum class For { commit, records, flush, deletion } what = For::commit;
    Waiters::Place place;
  };
  // Waits until readers of this isolation may see more than up to `seen`. Nothing, and not parked, when they may
  // already or when the replica is no leader.
  std::optional<Parked> park(Isolation isolation, base::Offset seen, std::shared_ptr<Waiter> waiter)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until what acknowledged() waits for may have happened. Nothing, and not parked, when it has.
  std::optional<Parked> park_append(base::Offset next_offset, Acks acks, std::shared_ptr<Waiter> waiter)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until the low watermark may have reached `requested`. Nothing, and not parked, when it has, or when the
  // replica is no leader.
  std::optional<Parked> park_deletion(base::Offset requested, std::shared_ptr<Waiter> waiter)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void unpark(const Parked& parked) ABSL_LOCKS_EXCLUDED(mutex_);
  // Told of every change from here on, until it is taken out.
  void watch(std::shared_ptr<Watch> watch) ABSL_LOCKS_EXCLUDED(mutex_);
  void unwatch(const Watch& watch) ABSL_LOCKS_EXCLUDED(mutex_);
  std::size_t waiting() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Flushes what has been unflushed for flush.ms, in the background.
  void flush_if_overdue() ABSL_LOCKS_EXCLUDED(mutex_);
  // For work of storage/ that needs the log but not what this replica is: the call runs under the lock and must be
  // short. False, and no call, once the log is released.
  bool with_log(const std::function<void(storage::Log&)>& call) ABSL_LOCKS_EXCLUDED(mutex_);
  // Forgets producers that have said nothing for so long. How many; none once the log is released.
  std::size_t remove_expired_producers(base::Timestamp now, std::chrono::milliseconds silence)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Deletes what retention has no room for, a few segments per call: call again until nothing comes back. Nothing once
  // the log is released.
  base::Result<std::optional<storage::Log::Deleted>> apply_retention(base::Timestamp now) ABSL_LOCKS_EXCLUDED(mutex_);
  // Another log in the place of this one, which holds the same: what `make` answers, called under the lock. False, and
  // nothing has changed, when it answers null. An error too leaves the log that was there.
  using MakeLog = std::function<base::Result<std::unique_ptr<storage::Log>>(storage::Log&)>;
  base::Result<bool> exchange_log(const MakeLog& make) ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes the log out for closing or deletion; the partition must be stopped.
  std::unique_ptr<storage::Log> release_log() ABSL_LOCKS_EXCLUDED(mutex_);

  // Nothing once the log is released.
  std::optional<LogPlace> describe_log() const ABSL_LOCKS_EXCLUDED(mutex_);
  base::Offset log_start_offset() const ABSL_LOCKS_EXCLUDED(mutex_);  // -1 once the log is released
  base::LeaderEpoch leader_epoch() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool is_leader() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  enum class Role { none, leader, follower, stopped };

  base::Status check_leader(base::LeaderEpoch current_leader_epoch) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return check_reader(current_leader_epoch, false);
  }
  base::Status check_reader(base::LeaderEpoch current_leader_epoch, bool also_from_follower) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  base::Status check_following(base::LeaderEpoch under) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  FollowerPosition position() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  base::Status write_from_leader(std::span<const std::byte> records) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `act` tells whether the logs have to be compared once more.
  base::Result<Cut> cut(base::LeaderEpoch under, const std::function<base::Result<bool>(storage::Log&)>& act)
      ABSL_LOCKS_EXCLUDED(mutex_);
  base::Status check_append(Acks acks) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool leads_under_another(base::LeaderEpoch epoch) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return epoch != base::kNoLeaderEpoch && epoch != state_.leader_epoch;
  }
  base::Result<storage::AppendInfo> write(storage::Admitted& admitted, storage::AppendOrigin origin)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  base::Result<storage::AppendInfo> write(storage::MessageSet& messages, storage::AppendOrigin origin)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  template <class Records>
  base::Result<AppendOutcome> append_admitted(Records& records, Acks acks, AppendAs as) ABSL_LOCKS_EXCLUDED(mutex_);
  // Flushing by flush.messages. One flush of a log runs at a time, and all appends that come meanwhile share the next.
  void note_unflushed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void begin_flush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void flush_ended() ABSL_LOCKS_EXCLUDED(mutex_);
  bool awaits_flush(base::Offset next_offset) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return next_offset <= flush_wanted_ && next_offset > log_->recovery_point();
  }
  Waiters& waiters(Parked::For what) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::int32_t in_sync_count() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return static_cast<std::int32_t>(isr_.committed.size());
  }
  std::int32_t needed_in_sync() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return effective_min_isr(settings_->min_insync_replicas, followers_.size() + 1);
  }
  base::Offset bound_of(Isolation isolation) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  base::Result<RecordDeletion> move_log_start(base::Offset to) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Who is to be told of a change, without the lock.
  struct Concerned {
    WaiterList waiters;
    Watches::List watches;
    Watch::Of what = Watch::Of::anything;
    const Watch* except = nullptr;
  };
  base::Result<ReadOutcome> read(const ReadRequest& request, Concerned& concerned)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Concerned reached() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Concerned everybody() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void tell(Concerned concerned);

  // --- the leader's side of replication: partition_leader.cc ---
  void begin_leading() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  LeaderView leader_view() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The high watermark follows the slowest replica that counts.
  void advance_high_watermark() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Who reads, if it is a follower; null: it is none.
  base::Result<Follower*> check_follower(const ReadRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Concerned follower_fetched(Follower& follower, const ReadRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Followers at the log end count as caught up as long as their sessions ask. To be noted before the log end moves.
  void note_sessions() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void note_session(Follower& follower) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Asks for a set with the first follower that should join, if nothing is asked for.
  void welcome_back() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ask_for_isr() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void isr_answered(std::uint64_t question, const base::Result<IsrOutcome>& answer) ABSL_LOCKS_EXCLUDED(mutex_);
  base::Offset lowest_log_start() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Where the segment that holds `offset` ends at the latest.
  base::Offset segment_end_of(base::Offset offset) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  base::Result<OffsetAnswer> known(base::Offset offset, base::Timestamp timestamp) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const base::BrokerId self_;
  const base::TopicPartition name_;
  const std::string text_;
  const LeaderServices& leading_;

  mutable absl::Mutex mutex_;
  std::unique_ptr<storage::Log> log_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const PartitionSettings> settings_ ABSL_GUARDED_BY(mutex_);
  Role role_ ABSL_GUARDED_BY(mutex_) = Role::none;
  PartitionState state_ ABSL_GUARDED_BY(mutex_);
  // A leader's; replicas and in-sync set of state_ are what was announced, these what holds.
  IsrState isr_ ABSL_GUARDED_BY(mutex_);
  std::vector<Follower> followers_ ABSL_GUARDED_BY(mutex_);  // all other assigned replicas
  base::LeaderEpoch led_since_ ABSL_GUARDED_BY(mutex_) = base::kNoLeaderEpoch;
  base::Offset epoch_start_ ABSL_GUARDED_BY(mutex_);      // where the current leader epoch began
  Waiters waiting_for_commit_ ABSL_GUARDED_BY(mutex_);    // of the high watermark
  Waiters waiting_for_records_ ABSL_GUARDED_BY(mutex_);   // of the log end
  Waiters waiting_for_flush_ ABSL_GUARDED_BY(mutex_);     // of the recovery point
  Waiters waiting_for_deletion_ ABSL_GUARDED_BY(mutex_);  // of the low watermark
  Watches watches_ ABSL_GUARDED_BY(mutex_);
  base::Offset flush_wanted_ ABSL_GUARDED_BY(mutex_);  // nothing below is acknowledged before it is flushed
  std::optional<base::Offset> flushing_to_ ABSL_GUARDED_BY(mutex_);  // the flush under way
};

}  // namespace replication
