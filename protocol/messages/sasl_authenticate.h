// SaslAuthenticate: one step of a sign-in exchange.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kSaslAuthenticate{.key = 36, .name = "SaslAuthenticate", .versions = {0, 2}, .flexible_since = 2};

struct SaslAuthenticateRequest {
  static constexpr Api api = kSaslAuthenticate;

  Bytes auth_bytes;

  static void describe(auto& m, auto& visit) { visit("auth_bytes", m.auth_bytes, secret()); }
};

struct SaslAuthenticateResponse {
  static constexpr Api api = kSaslAuthenticate;

  base::ErrorCode error_code = base::ErrorCode::none;
  std::optional<std::string> error_message;
  Bytes auth_bytes;
  std::int64_t session_lifetime_ms = 0;

  static void describe(auto& m, auto& visit) {
    visit("error_code", m.error_code);
    visit("error_message", m.error_message);
    visit("auth_bytes", m.auth_bytes, secret());
    visit("session_lifetime_ms", m.session_lifetime_ms, since(1));
  }
};

}  // namespace protocol
