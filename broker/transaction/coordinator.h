// Transactions coordinated here: those whose id belongs to a partition of __transaction_state that this broker leads.
//
// Any thread may call. What is known of a partition's ids is guarded by that partition's one mutex, which is held while
// a record is appended (so that the log's order is the order of the decisions) and never while somebody is called back.
// Lock order: this before the internal partition, before any other partition. Outcomes of appends, markers and timers
// come on the coordinators' loop. What may happen is decided in transaction.h.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/logging.h"
#include "base/loop.h"
#include "base/string_map.h"
#include "broker/internal_topics/creation.h"
#include "broker/internal_topics/leadership.h"
#include "broker/transaction/markers.h"
#include "broker/transaction/transaction.h"
#include "config/dynamic.h"
#include "replication/coordination/producer_ids.h"

namespace broker {

// Outlived by its parts; the loop and the pool are stopped before this goes.
class TransactionCoordinator {
 public:
  struct Parts {
    const config::DynamicSettings& settings;
    const InternalTopics& topics;
    replication::ProducerIds& ids;
    Markers& markers;
    base::Loop& loop;
    base::BlockingPool& loading;
    const base::Clock& clock;
  };
  explicit TransactionCoordinator(Parts parts) : parts_(parts) {}

  // Begins to look for transactions over their time and ids out of use.
  void start();
  // For InternalLeadership.
  CoordinatorCalls calls();

  // Called once, with no lock held: inside the call or later on a loop. `not_coordinator`,
  // `coordinator_load_in_progress` and `invalid_request` (an empty id) are answers to every call.
  using Done = std::function<void(base::ErrorCode)>;
  using InitDone = std::function<void(const base::Result<Producer>&)>;
  void initialise(const std::string& id, const InitRequest& request, InitDone done);
  void add_partitions(const std::string& id, const Producer& producer, const std::set<base::TopicPartition>& partitions,
                      Done done);
  void end(const std::string& id, const Producer& producer, Outcome outcome, Done done);

  // Whether the producer's transaction has this partition: `none` or `transaction_abortable`, or why nobody can tell.
  base::ErrorCode verify(const std::string& id, const Producer& producer, const base::TopicPartition& partition) const;

  // `transactional_id_not_found` for an id nobody uses.
  base::Result<Transaction> describe(const std::string& id) const;
  struct Listed {
    std::string id;
    base::ProducerId producer;
    TxnStatus status = TxnStatus::empty;
  };
  // Of all partitions led here; `coordinator_load_in_progress` while one of them is being loaded.
  base::Result<std::vector<Listed>> list(const std::function<bool(const Transaction&)>& wanted) const;

  // What the timers do; on the loop.
  void abort_timed_out();
  void forget_expired();

 private:
  // One partition led here, under one leader epoch.
  struct Shard {
    explicit Shard(std::shared_ptr<LedPartition> led_partition) : led(std::move(led_partition)) {}
    const std::shared_ptr<LedPartition> led;
    absl::Mutex mutex;
    bool loaded ABSL_GUARDED_BY(mutex) = false;
    base::StringMap<Transaction> transactions ABSL_GUARDED_BY(mutex);

    Transaction* find(std::string_view id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
      const auto found = transactions.find(id);
      return found == transactions.end() ? nullptr : &found->second;
    }
    base::ErrorCode refusal() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
      return loaded ? base::ErrorCode::none : base::ErrorCode::coordinator_load_in_progress;
    }
  };
  using ShardPtr = std::shared_ptr<Shard>;

  void became_leader(std::shared_ptr<LedPartition> led);
  void load(const ShardPtr& shard);
  void loaded(const ShardPtr& shard, base::StringMap<Transaction> transactions);
  void give_up(const ShardPtr& shard) ABSL_LOCKS_EXCLUDED(mutex_);

  base::Result<ShardPtr> find(std::string_view id) const ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<ShardPtr> shards() const ABSL_LOCKS_EXCLUDED(mutex_);

  void initialise_with(const std::string& id, const InitRequest& request, std::optional<base::ProducerId> fresh,
                       InitDone done);
  // Asks a pure rule what the transaction (null: unknown) becomes; `done` is told once that is written, or why not.
  template <class Rule>
  void change(const std::string& id, const Rule& rule, Done done);
  // Puts the change on its way. `then` is called on the loop when it is in the log, or cannot be.
  using Then = std::function<void(base::ErrorCode)>;
  void write(const ShardPtr& shard, const std::string& id, Transaction next, Then then)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard->mutex);
  void written(const ShardPtr& shard, const std::string& id, const Transaction& next, base::ErrorCode code,
               const Then& then);
  void send_markers(const ShardPtr& shard, const std::string& id, const Transaction& decided);
  void write_completion(const ShardPtr& shard, const std::string& id);
  void forget(const ShardPtr& shard, const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard->mutex);
  std::chrono::milliseconds append_timeout() const;
  void every(std::unique_ptr<base::Timer>& timer, std::chrono::milliseconds period,
             void (TransactionCoordinator::*work)());

  const Parts parts_;
  const base::Logger log_{"weir.TransactionCoordinator"};

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<base::PartitionIndex, ShardPtr> shards_ ABSL_GUARDED_BY(mutex_);

  // On the loop:
  std::unique_ptr<base::Timer> abort_timer_;
  std::unique_ptr<base::Timer> forget_timer_;
};

}  // namespace broker
