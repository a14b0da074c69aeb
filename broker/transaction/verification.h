// Before a record begins a transaction in a partition, its coordinator is asked whether the producer has added that
// partition (KIP-890 part 1, transaction.partition.verification.enable): a request that was long on its way would
// otherwise open a transaction nobody ends.
//
// The coordinator may be another broker, and then the answer takes time (AddPartitionsToTxn, verify only).
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/internal_topics/creation.h"
#include "broker/peers/other_brokers.h"
#include "broker/transaction/coordinator.h"
#include "config/dynamic.h"
#include "replication/partition/partition_table.h"

namespace broker {

// Any thread may call; nothing waits. Outlived by its parts.
class TransactionVerification {
 public:
  struct Parts {
    base::BrokerId self;
    const config::DynamicSettings& settings;
    const InternalTopics& topics;
    const replication::PartitionTable& partitions;
    const TransactionCoordinator& transactions;
    OtherBrokers& others;
    // Whether brokers of this release ask each other; otherwise what another coordinates is believed.
    bool asks_others = true;
  };
  explicit TransactionVerification(const Parts& parts) : parts_(parts) {}

  // What TransactionCoordinator::verify() says, or `none` where nobody wants to know. Nothing: another broker has to be
  // asked, and ask() does.
  std::optional<base::ErrorCode> at_once(const std::string& transactional_id, const Producer& producer,
                                         const base::TopicPartition& partition) const;

  // One verdict per partition, in their order; called once, on a loop of its own, not inside the call. Besides those of
  // at_once(): `network_exception` and `request_timed_out` when the coordinator could not be asked.
  using Verdicts = std::function<void(std::vector<base::ErrorCode>)>;
  void ask(const std::string& transactional_id, const Producer& producer, std::vector<base::TopicPartition> partitions,
           std::chrono::milliseconds timeout, Verdicts done) const;

  // Of the partition that keeps the group's offsets; `coordinator_load_in_progress` for everything after which the
  // producer does well to come again. Inside the call where that is known at once.
  void of_group(const std::string& transactional_id, const Producer& producer, std::string_view group,
                std::function<void(base::ErrorCode)> done) const;

 private:
  bool wanted() const { return parts_.settings.snapshot()->broker->transaction_partition_verification_enable; }

  const Parts parts_;
};

}  // namespace broker
