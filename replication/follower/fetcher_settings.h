// What fetchers are set to, and what they share.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "base/ids.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "config/broker_settings.h"
#include "replication/partition/throttle.h"
#include "replication/peers/peers.h"
#include "replication/peers/versions.h"

namespace replication {

struct FetcherSettings {
  base::BrokerId self{};
  PeerVersions versions{};
  // Divergence is found by Fetch itself; otherwise OffsetForLeaderEpoch comes before it.
  bool truncates_on_fetch = true;
  std::int32_t fetchers_per_broker = 1;              // num.replica.fetchers
  std::int32_t min_bytes = 1;                        // replica.fetch.min.bytes
  std::int32_t partition_max_bytes = 1 << 20;        // replica.fetch.max.bytes
  std::int32_t response_max_bytes = 10 << 20;        // replica.fetch.response.max.bytes
  std::chrono::milliseconds max_wait{500};           // replica.fetch.wait.max.ms
  std::chrono::milliseconds back_off{1000};          // replica.fetch.backoff.ms
  std::chrono::milliseconds request_timeout{30000};  // replica.socket.timeout.ms
  std::int32_t receive_buffer_bytes = 65536;         // replica.socket.receive.buffer.bytes

  static FetcherSettings of(const config::BrokerSettings& broker, base::BrokerId self);
};

// How far followers are, for metrics. Any thread.
class FetchProgress {
 public:
  base::Counter bytes;                  // of records, as received
  std::atomic<std::int64_t> failed{0};  // partitions that wait for the controller because their leader fenced them
  // Offsets between the leader's high watermark and our log end; costs nothing where there are none.
  void set_lag(const base::TopicPartition& partition, std::int64_t lag) ABSL_LOCKS_EXCLUDED(mutex_);
  std::int64_t max_lag() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<base::TopicPartition, std::int64_t> lags_ ABSL_GUARDED_BY(mutex_);  // above zero
};

// All outlive the fetchers.
struct FetcherServices {
  PeerNetwork& network;
  base::BlockingPool& pool;  // cuts logs
  base::Clock& clock;
  ReplicationThrottle& throttle;
  std::function<std::int64_t()> broker_epoch;  // of this life of ours; -1: unknown. Any thread
};

}  // namespace replication
