// ListTransactions: transactions coordinated here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kListTransactions{.key = 66, .name = "ListTransactions", .versions = {0, 1}, .flexible_since = 0};

struct ListTransactionsRequest {
  static constexpr Api api = kListTransactions;

  std::vector<std::string> state_filters;
  std::vector<std::int64_t> producer_id_filters;
  std::int64_t duration_filter = -1;

  static void describe(auto& m, auto& visit) {
    visit("state_filters", m.state_filters);
    visit("producer_id_filters", m.producer_id_filters);
    visit("duration_filter", m.duration_filter, since(1));
  }
};

struct ListTransactionsResponse {
  static constexpr Api api = kListTransactions;

  struct TransactionState {
    std::string transactional_id;
    base::ProducerId producer_id{-1};
    std::string transaction_state;

    static void describe(auto& m, auto& visit) {
      visit("transactional_id", m.transactional_id);
      visit("producer_id", m.producer_id);
      visit("transaction_state", m.transaction_state);
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::vector<std::string> unknown_state_filters;
  std::vector<TransactionState> transaction_states;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
    visit("unknown_state_filters", m.unknown_state_filters);
    visit("transaction_states", m.transaction_states);
  }
};

}  // namespace protocol
