#include "broker/transaction/verification.h"

#include "broker/internal_topics/names.h"

namespace broker {

using base::ErrorCode;

ErrorCode TransactionVerification::of_partition(const std::string& transactional_id, const Producer& producer,
                                                const base::TopicPartition& partition) const {
  if (!settings_.snapshot()->broker->transaction_partition_verification_enable) return ErrorCode::none;
  const auto code = transactions_.verify(transactional_id, producer, partition);
  // Not known whom to ask: nobody has needed the topic yet.
  if (code == ErrorCode::not_coordinator && !topics_.partition_of(kTransactionsTopic, transactional_id))
    return ErrorCode::coordinator_not_available;
  return code;
}

ErrorCode TransactionVerification::of_group(const std::string& transactional_id, const Producer& producer,
                                            std::string_view group) const {
  const auto index = topics_.partition_of(kGroupsTopic, group);
  const auto partition = index ? partitions_.find(kGroupsTopic, *index) : nullptr;
  if (!partition) return ErrorCode::none;  // whoever takes the commit refuses it
  if (partition->check_transaction(producer.id, producer.epoch).open) return ErrorCode::none;
  const auto code = of_partition(transactional_id, producer, partition->name());
  switch (code) {
    case ErrorCode::concurrent_transactions:
    case ErrorCode::coordinator_not_available:
    case ErrorCode::not_coordinator:
      return ErrorCode::coordinator_load_in_progress;
    default:
      return code;
  }
}

}  // namespace broker
