// Keys and values inside __transaction_state. A null value is a tombstone: the transactional id has expired.
//
// Written: key 0, value 0, which every release from 2.7 to 3.9 reads.
// Source: TransactionLogKey, TransactionLogValue of Apache Kafka 3.9.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/internal/versioned.h"
#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

// As stored. `dead` and `prepare_epoch_fence` live in memory only.
enum class TxnStatus : std::int8_t {
  empty = 0,
  ongoing = 1,
  prepare_commit = 2,
  prepare_abort = 3,
  complete_commit = 4,
  complete_abort = 5,
  dead = 6,
  prepare_epoch_fence = 7,
};
// "Ongoing", "PrepareCommit", ...; nothing for a number that no release stores.
std::optional<std::string_view> txn_status_name(std::int8_t status);

struct TxnRecordKey {
  static constexpr Api api{.key = -1, .name = "TransactionLogKey", .versions = {0, 0}};
  static constexpr std::int16_t kWritten = 0;

  std::string transactional_id;

  bool operator==(const TxnRecordKey&) const = default;
  static void describe(auto& m, auto& visit) { visit("transactional_id", m.transactional_id); }
};

struct TxnRecordPartitions {
  std::string topic;
  std::vector<std::int32_t> partition_ids;

  bool operator==(const TxnRecordPartitions&) const = default;
  static void describe(auto& m, auto& visit) {
    visit("topic", m.topic);
    visit("partition_ids", m.partition_ids);
  }
};

struct TxnRecordValue {
  static constexpr Api api{.key = -1, .name = "TransactionLogValue", .versions = {0, 1}, .flexible_since = 1};
  static constexpr std::int16_t kWritten = 0;

  std::int64_t producer_id = 0;
  std::int16_t producer_epoch = 0;
  std::int32_t transaction_timeout_ms = 0;
  std::int8_t transaction_status = 0;                                      // TxnStatus, or what a damaged record says
  std::optional<std::vector<TxnRecordPartitions>> transaction_partitions;  // null when Empty
  std::int64_t transaction_last_update_timestamp_ms = 0;
  std::int64_t transaction_start_timestamp_ms = 0;  // -1 when Empty

  bool operator==(const TxnRecordValue&) const = default;
  static void describe(auto& m, auto& visit) {
    visit("producer_id", m.producer_id);
    visit("producer_epoch", m.producer_epoch);
    visit("transaction_timeout_ms", m.transaction_timeout_ms);
    visit("transaction_status", m.transaction_status);
    visit("transaction_partitions", m.transaction_partitions);
    visit("transaction_last_update_timestamp_ms", m.transaction_last_update_timestamp_ms);
    visit("transaction_start_timestamp_ms", m.transaction_start_timestamp_ms);
  }
};

}  // namespace protocol
