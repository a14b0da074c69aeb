// Produce: records of clients into the partitions led here.
//
// Everything up to the page cache happens on the connection's loop, inside the call. Answers of acks=all wait for the
// in-sync replicas as entries in the partitions' waiter lists, bounded by the request's time-out. Batches that begin a
// transaction which another broker coordinates wait for its word before anything of the request is appended; the
// connection reads no further meanwhile, so that its batches keep their order.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "broker/transaction/transaction.h"
#include "replication/cluster/metadata.h"
#include "replication/partition/partition_table.h"

namespace broker {

// Asks the coordinator of a transactional id whether the producer's transaction has a partition; see
// TransactionVerification. Without functions nobody is asked, and what comes is believed
// (transaction.partition.verification.enable).
struct VerifyTransaction {
  using Id = const std::string&;
  // Nothing: another broker has to be asked.
  std::function<std::optional<base::ErrorCode>(Id transactional_id, const Producer& producer,
                                               const base::TopicPartition& partition)>
      at_once{};
  std::function<void(Id transactional_id, const Producer& producer, std::vector<base::TopicPartition> partitions,
                     std::chrono::milliseconds timeout, std::function<void(std::vector<base::ErrorCode>)> done)>
      ask{};
};

struct ProduceServices {
  const base::Clock& clock;
  const replication::MetadataCache& metadata;
  const replication::PartitionTable& partitions;
  VerifyTransaction verify{};
};

// Any loop may call. Outlived by its parts.
class ProduceHandler {
 public:
  explicit ProduceHandler(ProduceServices services)
      : services_(std::make_shared<const ProduceServices>(std::move(services))) {}

  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const std::shared_ptr<const ProduceServices> services_;  // also of requests under way
};

}  // namespace broker
