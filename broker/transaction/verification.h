// Before a record begins a transaction in a partition, its coordinator is asked whether the producer has added that
// partition (KIP-890 part 1, transaction.partition.verification.enable): a request that was long on its way would
// otherwise open a transaction nobody ends.
#pragma once

#include <string>
#include <string_view>

#include "broker/internal_topics/creation.h"
#include "broker/transaction/coordinator.h"
#include "config/dynamic.h"
#include "replication/partition/partition_table.h"

namespace broker {

// Any thread may call; nothing waits. Outlived by its parts.
class TransactionVerification {
 public:
  TransactionVerification(const config::DynamicSettings& settings, const InternalTopics& topics,
                          const replication::PartitionTable& partitions, const TransactionCoordinator& transactions)
      : settings_(settings), topics_(topics), partitions_(partitions), transactions_(transactions) {}

  // What TransactionCoordinator::verify() says, or `none` where nobody wants to know.
  base::ErrorCode of_partition(const std::string& transactional_id, const Producer& producer,
                               const base::TopicPartition& partition) const;
  // Of the partition that keeps the group's offsets; `coordinator_load_in_progress` for everything after which the
  // producer does well to come again.
  base::ErrorCode of_group(const std::string& transactional_id, const Producer& producer, std::string_view group) const;

 private:
  const config::DynamicSettings& settings_;
  const InternalTopics& topics_;
  const replication::PartitionTable& partitions_;
  const TransactionCoordinator& transactions_;
};

}  // namespace broker
