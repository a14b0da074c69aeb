#include "broker/network/diagnosis_log.h"

#include <utility>

namespace broker {
namespace {

// Five lines at once, then one in ten seconds, per cause.
constexpr base::TokenBucket::Rate kRate{.per_second = 0.1, .burst = 5};

template <std::size_t... I>
auto make_limits(std::index_sequence<I...>, auto make) {
  return std::array{(static_cast<void>(I), make())...};
}

}  // namespace

DiagnosisLog::DiagnosisLog()
    : limits_(make_limits(std::make_index_sequence<kCauses>{}, [] {
        return Limit{base::TokenBucket(kRate), 0};
      })) {}

void DiagnosisLog::report(const Diagnosis& diagnosis, const Session& session, base::Instant now) {
  std::uint64_t suppressed = 0;
  {
    absl::MutexLock lock(&mutex_);
    auto& limit = limits_.at(static_cast<std::size_t>(diagnosis.cause));
    if (!limit.bucket.take(now)) {
      ++limit.suppressed;
      return;
    }
    suppressed = std::exchange(limit.suppressed, 0);
  }
  if (suppressed == 0)
    logger_.warn("Closing connection from {} on listener {}: {}", session.peer(), session.listener, diagnosis.text);
  else
    logger_.warn("Closing connection from {} on listener {}: {} ({} similar lines left out)", session.peer(),
                 session.listener, diagnosis.text, suppressed);
}

}  // namespace broker
