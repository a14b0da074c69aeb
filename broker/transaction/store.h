// Transactions as they lie in __transaction_state, both directions. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/error.h"
#include "broker/transaction/transaction.h"
#include "protocol/records/record.h"

namespace broker {

// A batch of one record. Null: the id is forgotten.
base::Buffer transaction_batch(std::string_view transactional_id, const Transaction* transaction, base::Timestamp now);

struct StoredTransaction {
  std::string transactional_id;
  std::optional<Transaction> transaction;  // nothing: forgotten
};
// `corrupt_message` for what no release writes, `unsupported_version` for what a later one may.
base::Result<StoredTransaction> read_transaction(const protocol::OptionalBytes& key,
                                                 const protocol::OptionalBytes& value);

// What a client is told when a record could not be written.
base::ErrorCode code_of_failed_write(base::ErrorCode append);

}  // namespace broker
