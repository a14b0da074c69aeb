// RenewDelegationToken: a later expiry for a token.
#pragma once

#include <cstdint>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kRenewDelegationToken{
    .key = 39, .name = "RenewDelegationToken", .versions = {0, 2}, .flexible_since = 2};

struct RenewDelegationTokenRequest {
  static constexpr Api api = kRenewDelegationToken;

  Bytes hmac;
  std::int64_t renew_period_ms = 0;

  static void describe(auto& m, auto& visit) {
    visit("hmac", m.hmac, secret());
    visit("renew_period_ms", m.renew_period_ms);
  }
};

struct RenewDelegationTokenResponse {
  static constexpr Api api = kRenewDelegationToken;

  base::ErrorCode error_code = base::ErrorCode::none;
  std::int64_t expiry_timestamp_ms = 0;
  std::int32_t throttle_time_ms = 0;

  static void describe(auto& m, auto& visit) {
    visit("error_code", m.error_code);
    visit("expiry_timestamp_ms", m.expiry_timestamp_ms);
    visit("throttle_time_ms", m.throttle_time_ms);
  }
};

}  // namespace protocol
