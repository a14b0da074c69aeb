// News of internal partitions: this broker leads one now, or no longer does. From replication to the coordinators.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/loop.h"
#include "broker/internal_topics/led_partition.h"
#include "replication/partition/replicas.h"

namespace broker {

// What the coordinator of one topic is told: on the coordinators' loop, in order. Must not wait.
struct CoordinatorCalls {
  // To be loaded. A partition led already under an older epoch was resigned before.
  std::function<void(std::shared_ptr<LedPartition>)> became_leader;
  // After resigned() of that LedPartition turned true, which a load under way has seen or sees soon.
  std::function<void(std::shared_ptr<LedPartition>)> resigned;
  // __consumer_offsets only: a marker of this producer is on all in-sync replicas of the partition. May come while the
  // partition is being loaded, which then finds the marker too: to be applied after the load, where it does no harm.
  std::function<void(base::PartitionIndex, base::ProducerId, bool commit)> transaction_ended;
};

// Outlived by its parts; stop() comes before the loop ends.
class InternalLeadership {
 public:
  InternalLeadership(base::Loop& loop, const base::Clock& clock) : loop_(loop), clock_(clock) {}

  // Before the first news.
  void use_for_groups(CoordinatorCalls calls) { groups_ = std::move(calls); }
  void use_for_transactions(CoordinatorCalls calls) { transactions_ = std::move(calls); }

  // Of any partition; others than internal ones are left alone. In the order of the decisions, which one thread tells.
  void learn(const replication::LeadershipNews& news) ABSL_LOCKS_EXCLUDED(mutex_);
  // A marker was appended to some partition. Any thread.
  void transaction_ended(const base::TopicPartition& partition, base::ProducerId producer, bool commit);
  // The broker stops: every partition is resigned.
  void stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const CoordinatorCalls* calls_of(std::string_view topic) const;
  void resign(std::shared_ptr<LedPartition> led);

  base::Loop& loop_;
  const base::Clock& clock_;
  CoordinatorCalls groups_;
  CoordinatorCalls transactions_;

  absl::Mutex mutex_;
  absl::flat_hash_map<base::TopicPartition, std::shared_ptr<LedPartition>> led_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace broker
