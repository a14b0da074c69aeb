#include "broker/transaction/marker_writer.h"

#include <memory>
#include <optional>
#include <utility>

#include "protocol/records/builder.h"

namespace broker {

using base::ErrorCode;
using replication::Acks;
using replication::Partition;

namespace {

// A marker that is not on all in-sync replicas yet. Lives on the loop.
class PendingMarker final : public replication::Waiter, public std::enable_shared_from_this<PendingMarker> {
 public:
  PendingMarker(std::shared_ptr<Partition> partition, const replication::AppendOutcome& appended, base::Loop& loop,
                MarkerWriter::Done done)
      : Waiter(&loop),
        partition_(std::move(partition)),
        next_offset_(appended.info.next_offset()),
        led_since_(appended.led_since),
        timer_(loop.make_timer()),
        done_(std::move(done)) {}

  void start(std::chrono::milliseconds timeout) {
    timer_->arm(timeout, [self = shared_from_this()] { self->settle(ErrorCode::request_timed_out); });
    look();
  }

 private:
  void wake() override { look(); }

  void look() {
    while (done_) {
      const auto verdict = partition_->acknowledged(next_offset_, Acks::all, base::kNoLeaderEpoch, led_since_);
      if (verdict) return settle(*verdict);
      if (parked_) partition_->unpark(*parked_);
      parked_ = partition_->park_append(next_offset_, Acks::all, shared_from_this());
      if (parked_) return;
    }
  }

  void settle(ErrorCode code) {
    if (parked_) partition_->unpark(*parked_);
    timer_->cancel();
    if (const auto done = std::exchange(done_, nullptr)) done(code);
  }

  const std::shared_ptr<Partition> partition_;
  const base::Offset next_offset_;
  const base::LeaderEpoch led_since_;
  const std::unique_ptr<base::Timer> timer_;
  MarkerWriter::Done done_;
  std::optional<Partition::Parked> parked_;
};

}  // namespace

void MarkerWriter::write(const TransactionEnd& end, const base::TopicPartition& name, std::chrono::milliseconds timeout,
                         Done done) {
  auto partition = partitions_.find(name.topic, name.partition);
  if (!partition) {
    const auto why = partitions_.why_absent(name.topic, name.partition);
    const bool never_here =
        why == ErrorCode::not_leader_or_follower && !partitions_.is_loading(name.topic, name.partition);
    return done(never_here ? ErrorCode::unknown_topic_or_partition : why);
  }
  if (partition->settings()->admission.record_version < 2) return done(ErrorCode::unsupported_for_message_format);

  const auto type = end.outcome == Outcome::commit ? protocol::ControlType::commit : protocol::ControlType::abort;
  auto bytes = protocol::build_txn_marker({.timestamp = clock_.wall(),
                                           .producer_id = end.producer.id,
                                           .producer_epoch = end.producer.epoch,
                                           .marker = {.type = type, .coordinator_epoch = end.coordinator_epoch}});
  auto batch = protocol::Batch::parse(bytes.bytes());
  base::invariant(batch.ok() && batch->has_value(), "a marker just built is a batch");
  storage::Admitted admitted{.batch = **batch,
                             .rewritten = {},
                             .record_count = 1,
                             .max_timestamp = (*batch)->max_timestamp(),
                             .append_time = std::nullopt,
                             .producer = std::nullopt};
  const auto appended = partition->append(admitted, Acks::all, {.origin = storage::AppendOrigin::coordinator});
  if (!appended) return done(appended.error().code);

  auto acknowledged = [this, name, producer = end.producer.id, commit = end.outcome == Outcome::commit,
                       done = std::move(done)](ErrorCode code) {
    if (code == ErrorCode::none) leadership_.transaction_ended(name, producer, commit);
    done(code);
  };
  if (appended->replicated && appended->flushed) return acknowledged(ErrorCode::none);
  loop_.post([this, partition, appended = *appended, timeout, acknowledged = std::move(acknowledged)] {
    std::make_shared<PendingMarker>(partition, appended, loop_, acknowledged)->start(timeout);
  });
}

}  // namespace broker
