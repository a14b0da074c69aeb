// DescribeTransactions: state of transactions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kDescribeTransactions{
    .key = 65, .name = "DescribeTransactions", .versions = {0, 0}, .flexible_since = 0};

struct DescribeTransactionsRequest {
  static constexpr Api api = kDescribeTransactions;

  std::vector<std::string> transactional_ids;

  static void describe(auto& m, auto& visit) { visit("transactional_ids", m.transactional_ids); }
};

struct DescribeTransactionsResponse {
  static constexpr Api api = kDescribeTransactions;

  struct TransactionState {
    struct Topic {
      std::string topic;
      std::vector<std::int32_t> partitions;

      static void describe(auto& m, auto& visit) {
        visit("topic", m.topic);
        visit("partitions", m.partitions);
      }
    };

    base::ErrorCode error_code = base::ErrorCode::none;
    std::string transactional_id;
    std::string transaction_state;
    std::int32_t transaction_timeout_ms = 0;
    std::int64_t transaction_start_time_ms = 0;
    base::ProducerId producer_id{-1};
    base::ProducerEpoch producer_epoch{-1};
    std::vector<Topic> topics;

    static void describe(auto& m, auto& visit) {
      visit("error_code", m.error_code);
      visit("transactional_id", m.transactional_id);
      visit("transaction_state", m.transaction_state);
      visit("transaction_timeout_ms", m.transaction_timeout_ms);
      visit("transaction_start_time_ms", m.transaction_start_time_ms);
      visit("producer_id", m.producer_id);
      visit("producer_epoch", m.producer_epoch);
      visit("topics", m.topics);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<TransactionState> transaction_states;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("transaction_states", m.transaction_states);
  }
};

}  // namespace protocol
