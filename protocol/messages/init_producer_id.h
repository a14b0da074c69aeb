// InitProducerId: a producer id for idempotence, or the next epoch of a transactional id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kInitProducerId{.key = 22, .name = "InitProducerId", .versions = {0, 5}, .flexible_since = 2};

struct InitProducerIdRequest {
  static constexpr Api api = kInitProducerId;

  std::optional<std::string> transactional_id;
  std::int32_t transaction_timeout_ms = 0;
  base::ProducerId producer_id{-1};
  base::ProducerEpoch producer_epoch{-1};

  static void describe(auto& m, auto& visit) {
    visit("transactional_id", m.transactional_id);
    visit("transaction_timeout_ms", m.transaction_timeout_ms);
    visit("producer_id", m.producer_id, since(3));
    visit("producer_epoch", m.producer_epoch, since(3));
  }
};

struct InitProducerIdResponse {
  static constexpr Api api = kInitProducerId;

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  base::ProducerId producer_id{-1};
  base::ProducerEpoch producer_epoch{-1};

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
    visit("producer_id", m.producer_id);
    visit("producer_epoch", m.producer_epoch);
  }
};

}  // namespace protocol
