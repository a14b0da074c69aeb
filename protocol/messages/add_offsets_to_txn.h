// AddOffsetsToTxn: a group's offsets join a transaction.
#pragma once

#include <cstdint>
#include <string>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kAddOffsetsToTxn{.key = 25, .name = "AddOffsetsToTxn", .versions = {0, 4}, .flexible_since = 3};

struct AddOffsetsToTxnRequest {
  static constexpr Api api = kAddOffsetsToTxn;

  std::string transactional_id;
  base::ProducerId producer_id{-1};
  base::ProducerEpoch producer_epoch{-1};
  std::string group_id;

  static void describe(auto& m, auto& visit) {
    visit("transactional_id", m.transactional_id);
    visit("producer_id", m.producer_id);
    visit("producer_epoch", m.producer_epoch);
    visit("group_id", m.group_id);
  }
};

struct AddOffsetsToTxnResponse {
  static constexpr Api api = kAddOffsetsToTxn;

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
  }
};

}  // namespace protocol
