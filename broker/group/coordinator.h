// The groups coordinated here: those whose partition of __consumer_offsets this broker leads.
//
// Each group has one lock, over its state (group.h) and its offsets (committed_offsets.h). What changes is written to
// the partition under that lock, so that the log has the order of the decisions; answers, lines and callbacks wait
// until the lock is gone.
// Order of locks: a group, then its shard, then the partition of the log. The table of shards is taken alone.
//
// A partition that becomes ours is loaded on the loading threads, while its groups are answered
// COORDINATOR_LOAD_IN_PROGRESS; one that is lost answers everybody who waits in it with NOT_COORDINATOR.
//
// Time: one timer looks at the group whose deadline is next. A heartbeat only moves a deadline that the group looks at
// when the earliest it once announced is reached, so idle groups cost one look per session time-out each.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/synchronization/mutex.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/gate.h"
#include "base/logging.h"
#include "base/loop.h"
#include "base/random.h"
#include "base/string_map.h"
#include "broker/group/committed_offsets.h"
#include "broker/group/group.h"
#include "broker/group/offset_store.h"
#include "broker/internal_topics/leadership.h"
#include "config/broker_settings.h"
#include "replication/cluster/metadata.h"

namespace broker {

struct GroupSettings {
  GroupLimits limits;
  std::chrono::milliseconds min_session_timeout{6000};
  std::chrono::milliseconds max_session_timeout{1'800'000};
  std::size_t max_metadata_bytes = 4096;
  std::chrono::milliseconds commit_timeout{5000};
  replication::Acks acks = replication::Acks::all;
  std::size_t load_buffer_bytes = 5 << 20;
  std::chrono::milliseconds retention = std::chrono::hours(24 * 7);
  std::chrono::milliseconds retention_check_interval = std::chrono::minutes(10);
  protocol::Codec codec = protocol::Codec::none;
  GroupRecordVersions versions;

  static GroupSettings from(const config::BrokerSettings& settings);
};

struct GroupListing {
  std::string id;
  std::string protocol_type;
  GroupState state = GroupState::empty;
};

struct GroupDescription {
  base::ErrorCode error = base::ErrorCode::none;
  GroupState state = GroupState::dead;
  std::string protocol_type;
  std::string protocol;  // only while it is stable
  std::vector<MemberView> members;
};

struct LeaveOutcome {
  base::ErrorCode error = base::ErrorCode::none;  // then nobody was looked at
  std::vector<base::ErrorCode> members;           // one per call, in their order
};

struct CommitRequest {
  Group::CommitCall by;
  Producer producer;  // of a transactional commit
  std::vector<PartitionOffset> offsets;
};

struct FetchedOffsets {
  struct Partition {
    base::PartitionIndex partition = 0;
    base::ErrorCode error = base::ErrorCode::none;
    base::Offset offset = base::kNoOffset;
    base::LeaderEpoch leader_epoch = base::kNoLeaderEpoch;
    std::string metadata;
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
  };
  base::ErrorCode error = base::ErrorCode::none;
  std::vector<Topic> topics;
};
struct WantedOffsets {
  std::string topic;
  std::vector<base::PartitionIndex> partitions;
};

struct DeletedOffsets {
  base::ErrorCode error = base::ErrorCode::none;  // of the whole request
  std::vector<base::ErrorCode> partitions;        // one per partition, in their order
};

// Any thread may call. Outlived by its parts; its loop and its loading threads end before it.
class GroupCoordinator {
 public:
  struct Parts {
    const replication::MetadataCache& metadata;
    const base::Clock& clock;
    base::Random& random;
    base::Loop& loop;             // the coordinators' own
    base::BlockingPool& loading;  // what may wait: loading, looking for expired offsets
  };
  GroupCoordinator(GroupSettings settings, Parts parts);
  ~GroupCoordinator();

  // What this learns of leadership; for InternalLeadership, before the first news.
  CoordinatorCalls calls();
  void start();
  void stop();  // no sweep goes on; groups are resigned by InternalLeadership

  // ---- members. `done` is called once: in the call, or later on any thread, never under a lock.
  using JoinDone = std::function<void(const JoinAnswer&)>;
  using SyncDone = std::function<void(const SyncAnswer&)>;
  void join(std::string_view group, JoinCall call, JoinDone done);
  void sync(std::string_view group, SyncCall call, SyncDone done);
  base::ErrorCode heartbeat(std::string_view group, const MemberCall& call);
  LeaveOutcome leave(std::string_view group, const std::vector<LeaveCall>& calls);

  // ---- offsets
  using CommitDone = std::function<void(const std::vector<base::ErrorCode>&)>;  // one per offset, in their order
  void commit(std::string_view group, CommitRequest request, CommitDone done);
  // Nothing wanted: all there are. `stable`: not those that a transaction may still change.
  FetchedOffsets fetch(std::string_view group, const std::optional<std::vector<WantedOffsets>>& wanted, bool stable);
  DeletedOffsets delete_offsets(std::string_view group, const std::vector<base::TopicPartition>& offsets);

  // ---- administration
  struct Listings {
    base::ErrorCode error = base::ErrorCode::none;  // beside what is known: some are being loaded
    std::vector<GroupListing> groups;
  };
  Listings list();
  GroupDescription describe(std::string_view group);
  base::ErrorCode delete_group(std::string_view group);

  // Nothing reads these topics any more: their offsets go.
  void topics_deleted(std::vector<std::string> topics);
  // Offsets nobody has used for so long go, and groups that have become nothing. Called now and then by itself.
  void remove_expired();

 private:
  struct Shard;
  struct Entry;
  struct Outbox;
  using EntryPtr = std::shared_ptr<Entry>;
  using ShardPtr = std::shared_ptr<Shard>;

  enum class EmptyId { refused, allowed };
  struct Found {
    base::ErrorCode error = base::ErrorCode::none;
    ShardPtr shard;
    EntryPtr entry;  // null: no such group
  };
  Found find(std::string_view group, EmptyId empty_id) ABSL_LOCKS_EXCLUDED(shards_mutex_);
  EntryPtr find_or_make(const ShardPtr& shard, std::string_view group);  // null: not ours any more
  std::vector<EntryPtr> all_entries(bool* loading) ABSL_LOCKS_EXCLUDED(shards_mutex_);

  // Runs `act(entry, effects)` under the group's lock, then does what follows from it.
  template <class Act>
  void with(const EntryPtr& entry, const Act& act);
  void take(const EntryPtr& entry, Effects& effects, Outbox& out);
  void send(const EntryPtr& entry, Outbox& out);
  void write_state(const EntryPtr& entry, StoreGroup store);
  void schedule(const EntryPtr& entry);
  void retire(Entry& entry);  // its lock is held; nobody finds it any more
  void retire_if_unused(Entry& entry);

  void write_commit(const EntryPtr& entry, CommitRequest& request, std::vector<base::ErrorCode>& codes,
                    CommitDone& done);
  void commit_ended(const EntryPtr& entry, const std::vector<PartitionOffset>& offsets, const Producer& producer,
                    const base::Result<base::Offset>& outcome);
  std::size_t forget_offsets(Entry& entry, const std::vector<base::TopicPartition>& offsets);
  void write_tombstones(Entry& entry, const std::vector<base::TopicPartition>& offsets, bool group);
  using Choose = std::function<std::vector<base::TopicPartition>(const Group&, const CommittedOffsets&)>;
  struct Swept {
    std::size_t offsets = 0;
    std::size_t groups = 0;
  };
  Swept sweep(const Choose& choose);

  // ---- leadership, on the loop
  void became_leader(std::shared_ptr<LedPartition> led);
  void resigned(const std::shared_ptr<LedPartition>& led);
  void transaction_ended(base::PartitionIndex partition, base::ProducerId producer, bool commit);
  void load(const ShardPtr& shard);
  void install(const ShardPtr& shard, base::StringMap<LoadedGroup> groups);
  void end_transaction(const ShardPtr& shard, base::ProducerId producer, bool commit);

  // ---- timers, on the loop
  struct Due {
    base::Instant at;
    std::weak_ptr<Entry> entry;
    bool operator<(const Due& other) const { return at > other.at; }  // the earliest on top
  };
  void arm() ABSL_LOCKS_EXCLUDED(due_mutex_);
  void look_at_due() ABSL_LOCKS_EXCLUDED(due_mutex_);
  void plan_sweep();

  Moment moment() const { return {parts_.clock.now(), parts_.clock.wall()}; }

  const GroupSettings settings_;
  const Parts parts_;
  const OffsetRecords records_;
  const base::Logger log_{"kafka.coordinator.group.GroupCoordinator"};
  base::Gate gate_;  // work on the loading threads

  absl::Mutex shards_mutex_;
  absl::flat_hash_map<base::PartitionIndex, ShardPtr> shards_ ABSL_GUARDED_BY(shards_mutex_);

  absl::Mutex due_mutex_;  // taken alone, or within a group's
  std::priority_queue<Due> due_ ABSL_GUARDED_BY(due_mutex_);
  bool arming_ ABSL_GUARDED_BY(due_mutex_) = false;
  // On the loop:
  std::unique_ptr<base::Timer> timer_;
  std::unique_ptr<base::Timer> sweep_timer_;
};

}  // namespace broker
