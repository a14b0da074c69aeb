#include "replication/partition/throttle.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <chrono>
#include <string_view>

namespace replication {
namespace {

using Seconds = std::chrono::duration<double>;
constexpr Seconds kLongest = std::chrono::hours(1);  // a limit near zero must not overflow

}  // namespace

void ReplicationThrottle::limit(std::int64_t bytes_per_second) {
  absl::MutexLock lock(&mutex_);
  if (bytes_per_second_ == bytes_per_second) return;
  bytes_per_second_ = bytes_per_second;
  paid_until_ = clock_.now();
}

void ReplicationThrottle::record(std::size_t bytes) {
  absl::MutexLock lock(&mutex_);
  if (bytes_per_second_ == kUnlimited || bytes == 0) return;
  const auto now = clock_.now();
  paid_until_ = std::max(paid_until_, now);
  const Seconds owed{static_cast<double>(bytes) / static_cast<double>(std::max<std::int64_t>(bytes_per_second_, 1))};
  paid_until_ = std::min(paid_until_ + std::chrono::duration_cast<base::Duration>(std::min(owed, kLongest)),
                         now + std::chrono::duration_cast<base::Duration>(kLongest));
}

base::Duration ReplicationThrottle::wait() const {
  absl::MutexLock lock(&mutex_);
  if (bytes_per_second_ == kUnlimited) return base::Duration::zero();
  return std::max(paid_until_ - clock_.now(), base::Duration::zero());
}

ThrottledReplicas::ThrottledReplicas(const std::vector<std::string>& setting) {
  for (const std::string_view item : setting) {
    if (item == "*") all_ = true;
    const auto colon = item.find(':');
    if (colon == std::string_view::npos) continue;
    const auto number = [](std::string_view text, std::int32_t& out) {
      return absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &out);
    };
    base::PartitionIndex partition = 0;
    base::BrokerId broker;
    if (number(item.substr(0, colon), partition) && number(item.substr(colon + 1), broker.raw))
      some_.emplace_back(partition, broker);
  }
  std::sort(some_.begin(), some_.end());
}

bool ThrottledReplicas::contains(base::PartitionIndex partition, base::BrokerId broker) const {
  return all_ || std::binary_search(some_.begin(), some_.end(), std::pair(partition, broker));
}

}  // namespace replication
