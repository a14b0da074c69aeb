// Produce: records of clients into the partitions led here.
//
// Everything up to the page cache happens on the connection's loop, inside the call. Answers of acks=all wait for the
// in-sync replicas as entries in the partitions' waiter lists, bounded by the request's time-out.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "broker/transaction/transaction.h"
#include "replication/cluster/metadata.h"
#include "replication/partition/partition_table.h"

namespace broker {

// Asks the coordinator of a transactional id whether the producer's transaction has this partition; must not wait.
// Null: nobody is asked, and what comes is believed (transaction.partition.verification.enable).
using VerifyTransaction = std::function<base::ErrorCode(const std::string& transactional_id, const Producer& producer,
                                                        const base::TopicPartition& partition)>;

// Any loop may call. Outlived by its parts.
class ProduceHandler {
 public:
  ProduceHandler(const base::Clock& clock, const replication::MetadataCache& metadata,
                 const replication::PartitionTable& partitions, VerifyTransaction verify = nullptr)
      : clock_(clock), metadata_(metadata), partitions_(partitions), verify_(std::move(verify)) {}

  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const base::Clock& clock_;
  const replication::MetadataCache& metadata_;
  const replication::PartitionTable& partitions_;
  const VerifyTransaction verify_;
};

}  // namespace broker
