// Markers: the record that ends a transaction in one partition. Written where the partition is led here, for
// coordinators near and far.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "base/loop.h"
#include "broker/internal_topics/leadership.h"
#include "broker/transaction/transaction.h"
#include "replication/partition/partition_table.h"

namespace broker {

// What a marker says.
struct TransactionEnd {
  Producer producer;
  Outcome outcome = Outcome::abort;
  std::int32_t coordinator_epoch = 0;  // a coordinator that was replaced is refused
};

// Any thread may call. Outlived by its parts.
class MarkerWriter {
 public:
  using Done = std::function<void(base::ErrorCode)>;

  MarkerWriter(const replication::PartitionTable& partitions, InternalLeadership& leadership, base::Loop& loop,
               const base::Clock& clock)
      : partitions_(partitions), leadership_(leadership), loop_(loop), clock_(clock) {}

  // Appends with acks=all; `done` is called once, in the call when the outcome is known by then, else on the loop.
  // `invalid_producer_epoch` and `transaction_coordinator_fenced` are final, `unsupported_for_message_format` says that
  // nothing is there to be ended, all else is worth another try.
  void write(const TransactionEnd& end, const base::TopicPartition& partition, std::chrono::milliseconds timeout,
             Done done);

 private:
  const replication::PartitionTable& partitions_;
  InternalLeadership& leadership_;
  base::Loop& loop_;
  const base::Clock& clock_;
};

}  // namespace broker
