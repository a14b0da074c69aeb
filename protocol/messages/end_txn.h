// EndTxn: commit or abort.
#pragma once

#include <cstdint>
#include <string>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kEndTxn{.key = 26, .name = "EndTxn", .versions = {0, 4}, .flexible_since = 3};

struct EndTxnRequest {
  static constexpr Api api = kEndTxn;

  std::string transactional_id;
  base::ProducerId producer_id{-1};
  base::ProducerEpoch producer_epoch{-1};
  bool committed = false;

  static void describe(auto& m, auto& visit) {
    visit("transactional_id", m.transactional_id);
    visit("producer_id", m.producer_id);
    visit("producer_epoch", m.producer_epoch);
    visit("committed", m.committed);
  }
};

struct EndTxnResponse {
  static constexpr Api api = kEndTxn;

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
  }
};

}  // namespace protocol
