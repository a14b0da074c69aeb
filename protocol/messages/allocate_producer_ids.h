// AllocateProducerIds: a broker asks the controller for a block of producer ids.
#pragma once

#include <cstdint>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kAllocateProducerIds{
    .key = 67, .name = "AllocateProducerIds", .versions = {0, 0}, .flexible_since = 0};

struct AllocateProducerIdsRequest {
  static constexpr Api api = kAllocateProducerIds;

  base::BrokerId broker_id;
  std::int64_t broker_epoch = -1;

  static void describe(auto& m, auto& visit) {
    visit("broker_id", m.broker_id);
    visit("broker_epoch", m.broker_epoch);
  }
};

struct AllocateProducerIdsResponse {
  static constexpr Api api = kAllocateProducerIds;

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::int64_t producer_id_start = 0;
  std::int32_t producer_id_len = 0;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
    visit("producer_id_start", m.producer_id_start);
    visit("producer_id_len", m.producer_id_len);
  }
};

}  // namespace protocol
