#include "broker/internal_topics/leadership.h"

#include <absl/synchronization/notification.h>

#include <utility>

#include "broker/internal_topics/names.h"

namespace broker {

const CoordinatorCalls* InternalLeadership::calls_of(std::string_view topic) const {
  const auto* calls = topic == kGroupsTopic ? &groups_ : topic == kTransactionsTopic ? &transactions_ : nullptr;
  return calls && calls->became_leader ? calls : nullptr;
}

void InternalLeadership::learn(const replication::LeadershipNews& news) {
  const auto& name = news.partition->name();
  const auto* calls = calls_of(name.topic);
  if (!calls) return;
  std::shared_ptr<LedPartition> before;
  std::shared_ptr<LedPartition> now;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return;
    auto& led = led_[name];
    // Said once more under the same epoch: a first topic id.
    if (led && news.leads && led->epoch() == news.epoch && &led->partition() == news.partition.get()) return;
    if (news.leads) now = std::make_shared<LedPartition>(news.partition, news.epoch, loop_, clock_);
    before = std::exchange(led, now);
    if (!led) led_.erase(name);
  }
  if (before) resign(std::move(before));
  if (now) loop_.post([calls, now = std::move(now)] { calls->became_leader(now); });
}

void InternalLeadership::resign(std::shared_ptr<LedPartition> led) {
  led->resign();
  const auto* calls = calls_of(led->name().topic);
  loop_.post([calls, led = std::move(led)] { calls->resigned(led); });
}

void InternalLeadership::transaction_ended(const base::TopicPartition& partition, base::ProducerId producer,
                                           bool commit) {
  if (partition.topic != kGroupsTopic || !groups_.transaction_ended) return;
  loop_.post(
      [this, index = partition.partition, producer, commit] { groups_.transaction_ended(index, producer, commit); });
}

void InternalLeadership::stop() {
  decltype(led_) led;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    led.swap(led_);
  }
  if (led.empty()) return;
  for (auto& [name, one] : led) resign(one);
  absl::Notification told;
  loop_.post([&told] { told.Notify(); });
  told.WaitForNotification();
}

}  // namespace broker
