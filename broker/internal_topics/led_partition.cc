#include "broker/internal_topics/led_partition.h"

#include <algorithm>
#include <utility>

#include "storage/log/admission.h"

namespace broker {

using base::ErrorCode;
using replication::Acks;
using replication::AppendAs;
using replication::AppendOutcome;

namespace {
constexpr std::int16_t kBatchesOfAnyCodec = 11;  // the version of Produce whose rules our own batches keep
}

LedPartition::LedPartition(std::shared_ptr<replication::Partition> partition, base::LeaderEpoch epoch, base::Loop& loop,
                           const base::Clock& clock)
    : Waiter(&loop), partition_(std::move(partition)), epoch_(epoch), loop_(loop), clock_(clock) {}

LedPartition::~LedPartition() = default;

base::Result<AppendOutcome> LedPartition::write(base::Buffer& batch, Acks acks) const {
  if (resigned_) return base::fail(ErrorCode::not_leader_or_follower, "{} was resigned", name());
  auto admission = storage::admit({.records = batch.bytes(),
                                   .version = kBatchesOfAnyCodec,
                                   .origin = storage::AppendOrigin::coordinator,
                                   .now = clock_.wall(),
                                   .partition = partition_->text()},
                                  partition_->settings()->admission);
  if (const auto* rejection = std::get_if<storage::Rejection>(&admission)) return rejection->error;
  const AppendAs as{.origin = storage::AppendOrigin::coordinator, .leader_epoch = epoch_};
  if (auto* messages = std::get_if<storage::MessageSet>(&admission)) return partition_->append(*messages, acks, as);
  return partition_->append(std::get<storage::Admitted>(admission), acks, as);
}

void LedPartition::append(base::Buffer batch, std::chrono::milliseconds timeout, Done done, Acks acks) {
  absl::MutexLock lock(&mutex_);
  auto written = write(batch, acks);
  Pending pending{.outcome = base::kNoOffset,
                  .next_offset = {},
                  .deadline = clock_.now() + timeout,
                  .acks = acks,
                  .done = std::move(done)};
  if (written) {
    pending.outcome = written->info.base_offset;
    pending.next_offset = written->info.next_offset();
  } else {
    pending.outcome = written.error();
  }
  pending_.push_back(std::move(pending));
  look_soon();
}

void LedPartition::resign() {
  resigned_ = true;
  absl::MutexLock lock(&mutex_);
  look_soon();
}

void LedPartition::look_soon() {
  if (std::exchange(looking_, true)) return;
  loop_.post([self = shared_from_this()] {
    {
      absl::MutexLock lock(&self->mutex_);
      self->looking_ = false;
    }
    self->look();
  });
}

void LedPartition::look() {
  while (auto settled = take_settled()) settled->done(settled->outcome);
}

// Only the first in line waits at the partition: none behind it is answered earlier.
std::optional<LedPartition::Pending> LedPartition::take_settled() {
  absl::MutexLock lock(&mutex_);
  if (pending_.empty()) {
    timer_.reset();
    return std::nullopt;
  }
  auto& first = pending_.front();
  const auto failure = failure_of(first);
  if (!failure) return std::nullopt;
  if (*failure != ErrorCode::none) first.outcome = base::fail(*failure, "{} was appended to in vain", name());
  auto settled = std::move(first);
  pending_.pop_front();
  return settled;
}

// `none`: it succeeded, or says itself why not. Nothing: it waits, and look() is called again.
std::optional<ErrorCode> LedPartition::failure_of(const Pending& pending) {
  if (parked_) partition_->unpark(*std::exchange(parked_, std::nullopt));
  if (!pending.outcome) return ErrorCode::none;
  for (;;) {
    if (resigned_) return ErrorCode::not_leader_or_follower;
    if (const auto verdict = partition_->acknowledged(pending.next_offset, pending.acks, epoch_)) return verdict;
    const auto left = pending.deadline - clock_.now();
    if (left <= base::Duration::zero()) return ErrorCode::request_timed_out;
    parked_ = partition_->park_append(pending.next_offset, pending.acks, shared_from_this());
    if (!parked_) continue;  // it happened in between: the next look finds it
    if (!timer_) timer_ = loop_.make_timer();
    timer_->arm(left, [self = shared_from_this()] { self->look(); });
    return std::nullopt;
  }
}

}  // namespace broker
