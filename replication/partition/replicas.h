// The replicas of this broker: made, led, followed and stopped as the controller says.
//
// Every call waits for the disk and none may run beside another: they are made on one thread of a pool of one, which
// spreads the partitions of a request over a second pool. Logs come from LogSet when a partition is first mentioned and
// go back there when it is stopped. A partition whose log is still being opened is led or followed as soon as it is
// open: the controller is told that all is well, clients that all will be (PartitionTable::why_absent).
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/logging.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "config/dynamic.h"
#include "replication/cluster/announcements.h"
#include "replication/partition/following.h"
#include "replication/partition/log_moves.h"
#include "replication/partition/partition_table.h"
#include "storage/dirs/log_set.h"

namespace replication {

// A replica's role was decided: it is led here under that leader epoch, or it is not (any more).
struct LeadershipNews {
  std::shared_ptr<Partition> partition;
  base::LeaderEpoch epoch;
  bool leads = false;
};

class Replicas {
 public:
  // Reads the stored configuration of topics, one result each; it may wait for the store.
  using LoadOverrides = std::function<std::vector<base::Result<config::Texts>>(const std::vector<std::string>& topics)>;
  // Runs something on the thread that makes the calls of this class. Any thread may ask.
  using RunInTurn = std::function<void(std::function<void()>)>;

  Replicas(base::BrokerId self, storage::LogSet& logs, PartitionTable& table, config::DynamicSettings& settings,
           base::BlockingPool& pool, RunInTurn run_in_turn, LoadOverrides load_overrides)
      : self_(self),
        logs_(logs),
        table_(table),
        settings_(settings),
        pool_(pool),
        run_in_turn_(std::move(run_in_turn)),
        load_overrides_(std::move(load_overrides)) {}

  // Replicas may be moved between data directories. Before the first call; outlives this.
  void use(LogMoves& moves) { moves_ = &moves; }
  // Keeps replicas up with their leaders; without it followers do nothing. Before the first call; outlives this.
  void use(Following& following) { following_ = &following; }
  // What leaders need of others. Before the first call; outlives this and every partition.
  void use(const LeaderServices& leading) { leading_ = &leading; }
  const LeaderServices& leading() const { return *leading_; }
  // Told of every decision, in their order, on the thread that makes the calls below. Before the first call.
  void on_leadership(std::function<void(const LeadershipNews&)> tell) { tell_leadership_ = std::move(tell); }

  // Whether a controller speaks that was replaced: it does not know it yet. Otherwise its epoch is remembered. The
  // calls below ask themselves; metadata, which is kept elsewhere, is refused by the same rule.
  bool is_stale(std::int32_t controller_epoch);

  AnnouncementReply lead_or_follow(const LeaderAndIsr& request);
  AnnouncementReply stop(const StopReplica& request);

  // Settings changed: told to the partitions they concern. Any thread.
  void settings_changed(const config::SettingsChange& change, const config::Snapshot& now);

  // A data directory has failed: whoever waits for its partitions is told. Any thread.
  void directory_failed();

  // Every half replica.lag.time.max.ms, and when the brokers that are alive have changed: in-sync sets shrink and grow
  // as followers fell behind or came back. Any thread.
  void look_at_followers();
  // Periodic work: starts to flush what has been unflushed for flush.ms. Any thread.
  void flush_overdue();
  // Periodic work: forgets producers that have said nothing for so long. Any thread.
  void remove_expired_producers(base::Timestamp now, std::chrono::milliseconds silence);

  // Periodic work: deletes segments that retention has no room for. Any thread that may wait for the disk.
  void apply_retention(base::Timestamp now);
  const base::Counter& deleted_segments() const { return deleted_segments_; }
  const base::Counter& deleted_bytes() const { return deleted_bytes_; }

  // Orderly stop, two steps: nobody gets in any more, everybody waiting is told; then the logs are handed back, also of
  // replicas made in between.
  void stop_all();
  std::vector<std::unique_ptr<storage::Log>> release_all();

 private:
  void apply_retention(Partition& partition, base::Timestamp now);
  // Topics whose configuration could not be read, and why.
  using Unread = std::map<std::string, base::Error, std::less<>>;
  Unread learn_overrides(const LeaderAndIsr& request);
  using Outcomes = std::vector<base::Status>;  // one per partition
  Outcomes lead_or_follow_each(const std::vector<PartitionState>& partitions, const Unread& unread);
  bool said_twice(const PartitionState& state) const;
  void tell_leadership(const PartitionState& state) const;
  void follow_each(const std::vector<PartitionState>& partitions, const Outcomes& outcomes) const;
  base::Status lead_or_follow(const PartitionState& state, const Unread& unread);
  base::Result<std::shared_ptr<Partition>> find_or_make(const PartitionState& state);
  // Whether it has to wait for its log.
  bool put_off(const PartitionState& state) ABSL_LOCKS_EXCLUDED(mutex_);
  void log_loaded(const base::TopicPartition& name) ABSL_LOCKS_EXCLUDED(mutex_);
  void take_up_loaded() ABSL_LOCKS_EXCLUDED(mutex_);
  // False when there was none.
  base::Result<bool> remove_log(const base::TopicPartition& name) ABSL_LOCKS_EXCLUDED(mutex_);

  const base::BrokerId self_;
  storage::LogSet& logs_;
  PartitionTable& table_;
  config::DynamicSettings& settings_;
  base::BlockingPool& pool_;
  const RunInTurn run_in_turn_;
  const LoadOverrides load_overrides_;
  LogMoves* moves_ = nullptr;
  Following* following_ = nullptr;
  const LeaderServices* leading_ = &LeaderServices::alone();
  std::function<void(const LeadershipNews&)> tell_leadership_;
  const base::Logger log_{"weir.Replicas"};
  const base::Logger segment_log_{"kafka.log.Log"};  // Kafka's name for what happens to a partition's files
  base::Counter deleted_segments_;
  base::Counter deleted_bytes_;
  std::int32_t controller_epoch_ = 0;  // the highest heard of

  absl::Mutex mutex_;
  absl::flat_hash_map<base::TopicPartition, PartitionState> put_off_ ABSL_GUARDED_BY(mutex_);  // the latest word
  std::vector<base::TopicPartition> loaded_ ABSL_GUARDED_BY(mutex_);                           // to be taken up
};

}  // namespace replication
