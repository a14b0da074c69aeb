// GetTelemetrySubscriptions: client metrics (KIP-714). Known so that captures can be shown; not served.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kGetTelemetrySubscriptions{
    .key = 71, .name = "GetTelemetrySubscriptions", .versions = {0, 0}, .flexible_since = 0};

struct GetTelemetrySubscriptionsRequest {
  static constexpr Api api = kGetTelemetrySubscriptions;

  base::Uuid client_instance_id;

  static void describe(auto& m, auto& visit) { visit("client_instance_id", m.client_instance_id); }
};

struct GetTelemetrySubscriptionsResponse {
  static constexpr Api api = kGetTelemetrySubscriptions;

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  base::Uuid client_instance_id;
  std::int32_t subscription_id = 0;
  std::vector<std::int8_t> accepted_compression_types;
  std::int32_t push_interval_ms = 0;
  std::int32_t telemetry_max_bytes = 0;
  bool delta_temporality = false;
  std::vector<std::string> requested_metrics;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
    visit("client_instance_id", m.client_instance_id);
    visit("subscription_id", m.subscription_id);
    visit("accepted_compression_types", m.accepted_compression_types);
    visit("push_interval_ms", m.push_interval_ms);
    visit("telemetry_max_bytes", m.telemetry_max_bytes);
    visit("delta_temporality", m.delta_temporality);
    visit("requested_metrics", m.requested_metrics);
  }
};

}  // namespace protocol
