// Replication held back for the sake of clients: leader. and follower.replication.throttled.rate, for the replicas that
// topics name in leader. and follower.replication.throttled.replicas.
#pragma once

#include <absl/synchronization/mutex.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace replication {

// So many bytes per second for all throttled replicas together. What has been sent or received is paid for afterwards:
// while it is not, nobody asks for more. Any thread.
class ReplicationThrottle {
 public:
  static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

  explicit ReplicationThrottle(const base::Clock& clock) : clock_(clock) {}

  void limit(std::int64_t bytes_per_second) ABSL_LOCKS_EXCLUDED(mutex_);
  void record(std::size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // Until more may be asked for; zero: now.
  base::Duration wait() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const base::Clock& clock_;
  mutable absl::Mutex mutex_;
  std::int64_t bytes_per_second_ ABSL_GUARDED_BY(mutex_) = kUnlimited;
  base::Instant paid_until_ ABSL_GUARDED_BY(mutex_){};
};

// The value of those two settings of a topic.
class ThrottledReplicas {
 public:
  ThrottledReplicas() = default;
  explicit ThrottledReplicas(const std::vector<std::string>& setting);  // "*", or "<partition>:<broker>" each

  bool contains(base::PartitionIndex partition, base::BrokerId broker) const;
  bool empty() const { return !all_ && some_.empty(); }

 private:
  bool all_ = false;
  std::vector<std::pair<base::PartitionIndex, base::BrokerId>> some_;  // ascending
};

}  // namespace replication
