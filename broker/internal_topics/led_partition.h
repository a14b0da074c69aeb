// One partition of an internal topic while this broker leads it under one leader epoch: where its coordinator writes.
//
// A new leader epoch is a new LedPartition. Once resigned() is true nothing is appended through it any more, whatever
// the partition itself has become; appends still waiting are answered `not_leader_or_follower`.
#pragma once

#include <absl/synchronization/mutex.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/loop.h"
#include "replication/partition/partition.h"

namespace broker {

class LedPartition final : public replication::Waiter, public std::enable_shared_from_this<LedPartition> {
 public:
  // The offset of the first record, or why it is not known to be on all in-sync replicas: what Produce with acks=all
  // would say. After `request_timed_out`, `not_enough_replicas_after_append` and `not_leader_or_follower` the records
  // may be in the log all the same.
  using Done = std::function<void(const base::Result<base::Offset>&)>;

  // `loop` answers: the coordinators' own.
  LedPartition(std::shared_ptr<replication::Partition> partition, base::LeaderEpoch epoch, base::Loop& loop,
               const base::Clock& clock);
  ~LedPartition() override;

  const base::TopicPartition& name() const { return partition_->name(); }
  base::PartitionIndex index() const { return partition_->name().partition; }
  base::LeaderEpoch epoch() const { return epoch_; }  // Kafka's coordinator epoch
  replication::Partition& partition() const { return *partition_; }
  bool resigned() const { return resigned_; }  // any thread; a load looks here whether to go on

  // Appends one batch (protocol::BatchBuilder made it), with acks=all unless told otherwise. Any thread, also under the
  // caller's lock: `done` is never called inside the call but once, later, on the loop; in the order of the appends.
  // The write to the page cache happens in the call.
  void append(base::Buffer batch, std::chrono::milliseconds timeout, Done done,
              replication::Acks acks = replication::Acks::all) ABSL_LOCKS_EXCLUDED(mutex_);

  void resign() ABSL_LOCKS_EXCLUDED(mutex_);  // any thread, once

 private:
  struct Pending {
    base::Result<base::Offset> outcome;  // an error: to be told when its turn comes
    base::Offset next_offset;
    base::Instant deadline;
    replication::Acks acks;
    Done done;
  };

  void wake() override { look(); }
  base::Result<replication::AppendOutcome> write(base::Buffer& batch, replication::Acks acks) const;
  void look_soon() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // On the loop: answers from the front as far as is known, then waits.
  void look() ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<Pending> take_settled() ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<base::ErrorCode> failure_of(const Pending& pending) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<replication::Partition> partition_;
  const base::LeaderEpoch epoch_;
  base::Loop& loop_;
  const base::Clock& clock_;
  std::atomic<bool> resigned_{false};

  absl::Mutex mutex_;  // before the partition's
  std::deque<Pending> pending_ ABSL_GUARDED_BY(mutex_);
  bool looking_ ABSL_GUARDED_BY(mutex_) = false;  // a look is on its way
  // On the loop:
  std::optional<replication::Partition::Parked> parked_;
  std::unique_ptr<base::Timer> timer_;
};

}  // namespace broker
