// What operators ask about transactions: DescribeProducers, DescribeTransactions, ListTransactions.
#pragma once

#include "base/clock.h"
#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "broker/transaction/coordinator.h"
#include "replication/cluster/metadata.h"
#include "replication/partition/partition_table.h"

namespace broker {

// Any loop may call. Outlived by their parts.

class DescribeProducersHandler {
 public:
  DescribeProducersHandler(const replication::MetadataCache& metadata, const replication::PartitionTable& partitions)
      : metadata_(metadata), partitions_(partitions) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const replication::MetadataCache& metadata_;
  const replication::PartitionTable& partitions_;
};

class DescribeTransactionsHandler {
 public:
  explicit DescribeTransactionsHandler(const TransactionCoordinator& transactions) : transactions_(transactions) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const TransactionCoordinator& transactions_;
};

class ListTransactionsHandler {
 public:
  ListTransactionsHandler(const TransactionCoordinator& transactions, const base::Clock& clock)
      : transactions_(transactions), clock_(clock) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const TransactionCoordinator& transactions_;
  const base::Clock& clock_;
};

}  // namespace broker
