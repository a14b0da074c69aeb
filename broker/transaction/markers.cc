#include "broker/transaction/markers.h"

#include <utility>

namespace broker {

using base::ErrorCode;

namespace {
// Leaders come back within that order of time; each try costs a look at the metadata.
constexpr std::chrono::milliseconds kTryAgain{100};
}  // namespace

void Markers::send(Job job) {
  auto sending = std::make_shared<Sending>();
  sending->job = std::move(job);
  attempt(sending);
}

void Markers::try_later(std::shared_ptr<LedPartition> led, std::function<void()> again) {
  later_.push_back({std::move(led), std::move(again)});
  if (!timer_) timer_ = loop_.make_timer();
  if (later_.size() == 1) timer_->arm(kTryAgain, [this] { run_later(); });
}

void Markers::run_later() {
  for (const auto& one : std::exchange(later_, {}))
    if (!one.led->resigned()) one.again();
}

// A topic that was deleted needs no marker. Before this broker has been told of all partitions it knows of none, and
// must not take them for deleted: it waits until it knows that it leads the coordinator's own.
Markers::Leader Markers::leader_of(const base::TopicPartition& partition, const LedPartition& led) const {
  const auto cluster = metadata_.snapshot();
  const auto* own = cluster->find_partition(led.name().topic, led.index());
  if (!own || own->leader_epoch < led.epoch()) return base::kNoBroker;
  const auto* info = cluster->find_partition(partition.topic, partition.partition);
  if (!info) return std::nullopt;
  return cluster->find_broker(info->leader) ? info->leader : base::kNoBroker;
}

void Markers::attempt(const std::shared_ptr<Sending>& sending) {
  auto& job = sending->job;
  const auto todo = job.left;
  sending->in_flight = todo.size() + 1;  // one for this call: no outcome inside it ends the round
  for (const auto& partition : todo) {
    const auto leader = leader_of(partition, *job.led);
    const auto done = [this, sending, partition](ErrorCode code) { settled(sending, partition, code); };
    if (!leader) {
      log_.info("No marker for {} in {}: the partition is gone", job.transactional_id, partition);
      done(ErrorCode::none);
    } else if (*leader == base::kNoBroker) {
      done(ErrorCode::not_leader_or_follower);
    } else if (*leader == self_) {
      writer_.write(job.end, partition, job.timeout, done);
    } else {
      remote_.write(*leader, job.end, partition, job.timeout, done);
    }
  }
  --sending->in_flight;
  look(sending);
}

void Markers::settled(const std::shared_ptr<Sending>& sending, const base::TopicPartition& partition, ErrorCode code) {
  auto& job = sending->job;
  --sending->in_flight;
  switch (code) {
    case ErrorCode::none:
    case ErrorCode::unsupported_for_message_format:
      job.left.erase(partition);
      break;
    case ErrorCode::invalid_producer_epoch:
    case ErrorCode::transaction_coordinator_fenced:
      if (!std::exchange(sending->given_up, true) && !job.led->resigned())
        log_.error(
            "The transaction of {} (producer {} epoch {}) cannot be ended in {}: {}. Its producer is refused until "
            "another broker coordinates it, or this one is restarted.",
            job.transactional_id, job.end.producer.id, job.end.producer.epoch, partition, base::error_name(code));
      break;
    default:
      break;  // it stays, and is tried again
  }
  look(sending);
}

void Markers::look(const std::shared_ptr<Sending>& sending) {
  if (sending->in_flight > 0 || sending->given_up || sending->job.led->resigned()) return;
  if (sending->job.left.empty()) return sending->job.done();
  try_later(sending->job.led, [this, sending] { attempt(sending); });
}

}  // namespace broker
