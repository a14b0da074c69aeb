// PushTelemetry: client metrics (KIP-714). Known so that captures can be shown; not served.
#pragma once

#include <cstdint>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kPushTelemetry{.key = 72, .name = "PushTelemetry", .versions = {0, 0}, .flexible_since = 0};

struct PushTelemetryRequest {
  static constexpr Api api = kPushTelemetry;

  base::Uuid client_instance_id;
  std::int32_t subscription_id = 0;
  bool terminating = false;
  std::int8_t compression_type = 0;
  Bytes metrics;

  static void describe(auto& m, auto& visit) {
    visit("client_instance_id", m.client_instance_id);
    visit("subscription_id", m.subscription_id);
    visit("terminating", m.terminating);
    visit("compression_type", m.compression_type);
    visit("metrics", m.metrics);
  }
};

struct PushTelemetryResponse {
  static constexpr Api api = kPushTelemetry;

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
  }
};

}  // namespace protocol
