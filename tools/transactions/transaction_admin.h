// What brokers say of transactions: coordinators of those they coordinate, leaders of the producers that write to a
// partition. Asked again while the answer is only "not here" or "not yet", as long as the client's patience lasts.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "protocol/messages/describe_producers.h"
#include "protocol/messages/describe_transactions.h"
#include "protocol/messages/list_transactions.h"
#include "tools/client/admin.h"

namespace tools {

using ProducerState = protocol::DescribeProducersResponse::Topic::Partition::ActiveProducer;
using TransactionState = protocol::DescribeTransactionsResponse::TransactionState;

struct TransactionListing {
  base::BrokerId coordinator;
  std::string transactional_id;
  base::ProducerId producer_id;
  std::string state;
};

// A producer with a transaction that has not ended on a partition.
struct OpenTransaction {
  base::TopicPartition partition;
  ProducerState producer;
};

struct TransactionFilter {
  std::vector<std::int64_t> producer_ids;  // empty: all
  std::int64_t running_longer_ms = -1;     // negative: all
};

class TransactionAdmin {
 public:
  explicit TransactionAdmin(Admin& admin) : admin_(admin) {}

  base::Result<std::vector<TransactionListing>> list(const TransactionFilter& filter);
  base::Result<TransactionState> describe(const std::string& transactional_id);
  base::Result<Node> coordinator(const std::string& transactional_id);
  // Without a broker the leader is asked.
  base::Result<std::vector<ProducerState>> producers(const base::TopicPartition& partition,
                                                     std::optional<base::BrokerId> broker);

  struct Abort {
    base::TopicPartition partition;
    base::ProducerId producer_id;
    base::ProducerEpoch producer_epoch;
    std::int32_t coordinator_epoch = 0;
  };
  base::Status abort(const Abort& what);

  // Open ones whose last record is older than `at_least`.
  base::Result<std::vector<OpenTransaction>> open_for(const std::vector<base::TopicPartition>& partitions,
                                                      std::optional<base::BrokerId> broker,
                                                      std::chrono::milliseconds at_least);

 private:
  Admin& admin_;
};

// Those that no coordinator will end any more: nobody knows the producer, or its transaction does not include the
// partition (any more). Pure. `ids` are the transactional ids of producers, `states` what coordinators say of them.
std::vector<OpenTransaction> hanging_ones(const std::vector<OpenTransaction>& open,
                                          const std::map<std::int64_t, std::string>& ids,
                                          const std::map<std::string, TransactionState>& states);

}  // namespace tools
