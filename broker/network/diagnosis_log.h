// One line per kind of mistake, peer and cause named, never a flood: a port scanner must not fill the disk.
#pragma once

#include <absl/synchronization/mutex.h>

#include <array>
#include <cstdint>

#include "base/clock.h"
#include "base/logging.h"
#include "base/token_bucket.h"
#include "broker/dispatch/session.h"
#include "broker/network/diagnosis.h"

namespace broker {

// Any thread may call.
class DiagnosisLog {
 public:
  DiagnosisLog();
  void report(const Diagnosis& diagnosis, const Session& session, base::Instant now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Limit {
    base::TokenBucket bucket;
    std::uint64_t suppressed = 0;
  };
  const base::Logger logger_{"kafka.network.SocketServer"};
  absl::Mutex mutex_;
  std::array<Limit, kCauses> limits_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace broker
