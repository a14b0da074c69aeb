#include "broker/transaction/store.h"

#include <utility>
#include <vector>

#include "broker/internal_topics/append_errors.h"
#include "protocol/records/builder.h"

namespace broker {

using base::ErrorCode;
using protocol::TxnRecordKey;
using protocol::TxnRecordPartitions;
using protocol::TxnRecordValue;

namespace {

std::vector<TxnRecordPartitions> grouped(const std::set<base::TopicPartition>& partitions) {
  std::vector<TxnRecordPartitions> topics;
  for (const auto& one : partitions) {
    if (topics.empty() || topics.back().topic != one.topic) topics.push_back({.topic = one.topic, .partition_ids = {}});
    topics.back().partition_ids.push_back(one.partition);
  }
  return topics;
}

TxnRecordValue value_of(const Transaction& transaction) {
  TxnRecordValue value{.producer_id = transaction.producer.id.raw,
                       .producer_epoch = transaction.producer.epoch.raw,
                       .transaction_timeout_ms = static_cast<std::int32_t>(transaction.timeout.count()),
                       .transaction_status = static_cast<std::int8_t>(transaction.status),
                       .transaction_partitions = std::nullopt,
                       .transaction_last_update_timestamp_ms = base::to_ms(transaction.updated),
                       .transaction_start_timestamp_ms = base::to_ms(transaction.started)};
  if (transaction.status != TxnStatus::empty) value.transaction_partitions = grouped(transaction.partitions);
  return value;
}

// A damaged record may say anything; ages are computed from what it says.
base::Timestamp time_of(std::int64_t ms) { return ms < 0 ? base::kNoTimestamp : base::timestamp_from_ms(ms); }

}  // namespace

base::Buffer transaction_batch(std::string_view transactional_id, const Transaction* transaction, base::Timestamp now) {
  const auto key = protocol::write_versioned(TxnRecordKey::kWritten,
                                             TxnRecordKey{.transactional_id = std::string(transactional_id)});
  std::optional<base::Buffer> value;
  if (transaction) value = protocol::write_versioned(TxnRecordValue::kWritten, value_of(*transaction));
  protocol::BatchBuilder builder({});
  builder.add({.timestamp = now,
               .key = key.bytes(),
               .value = value ? protocol::OptionalBytes(std::as_const(*value).bytes()) : std::nullopt,
               .headers = {}});
  auto built = std::move(builder).build();
  base::invariant(built.ok(), "a transaction's record is far below 2 GiB");
  return std::move(*built);
}

base::Result<StoredTransaction> read_transaction(const protocol::OptionalBytes& key,
                                                 const protocol::OptionalBytes& value) {
  if (!key) return base::fail(ErrorCode::corrupt_message, "a record without a key");
  TxnRecordKey id;
  if (auto read = protocol::read_versioned(*key, id); !read) return read.error();
  StoredTransaction stored{.transactional_id = std::move(id.transactional_id), .transaction = std::nullopt};
  if (!value) return stored;
  TxnRecordValue read_value;
  if (auto read = protocol::read_versioned(*value, read_value); !read) return read.error();
  if (read_value.transaction_status < static_cast<std::int8_t>(TxnStatus::empty) ||
      read_value.transaction_status > static_cast<std::int8_t>(TxnStatus::complete_abort))
    return base::fail(ErrorCode::corrupt_message, "'{}' has the status {}", stored.transactional_id,
                      read_value.transaction_status);
  auto& transaction = stored.transaction.emplace();
  transaction.producer = {base::ProducerId{read_value.producer_id}, base::ProducerEpoch{read_value.producer_epoch}};
  transaction.timeout = std::chrono::milliseconds(read_value.transaction_timeout_ms);
  transaction.status = static_cast<TxnStatus>(read_value.transaction_status);
  transaction.started = time_of(read_value.transaction_start_timestamp_ms);
  transaction.updated = time_of(read_value.transaction_last_update_timestamp_ms);
  if (transaction.status != TxnStatus::empty && read_value.transaction_partitions)
    for (auto& topic : *read_value.transaction_partitions)
      for (const auto partition : topic.partition_ids) transaction.partitions.insert({topic.topic, partition});
  return stored;
}

ErrorCode code_of_failed_write(ErrorCode append) {
  switch (append) {
    case ErrorCode::request_timed_out:
      return ErrorCode::coordinator_not_available;
    case ErrorCode::message_too_large:
    case ErrorCode::record_list_too_large:
      return ErrorCode::unknown_server_error;
    default:
      return coordinator_code(append);
  }
}

}  // namespace broker
