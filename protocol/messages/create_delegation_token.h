// CreateDelegationToken: a token that stands for the signed-in user.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kCreateDelegationToken{
    .key = 38, .name = "CreateDelegationToken", .versions = {0, 3}, .flexible_since = 2};

struct CreateDelegationTokenRequest {
  static constexpr Api api = kCreateDelegationToken;

  struct Renewer {
    std::string principal_type;
    std::string principal_name;

    static void describe(auto& m, auto& visit) {
      visit("principal_type", m.principal_type);
      visit("principal_name", m.principal_name);
    }
  };

  std::optional<std::string> owner_principal_type;
  std::optional<std::string> owner_principal_name;
  std::vector<Renewer> renewers;
  std::int64_t max_lifetime_ms = 0;

  static void describe(auto& m, auto& visit) {
    visit("owner_principal_type", m.owner_principal_type, since(3));
    visit("owner_principal_name", m.owner_principal_name, since(3));
    visit("renewers", m.renewers);
    visit("max_lifetime_ms", m.max_lifetime_ms);
  }
};

struct CreateDelegationTokenResponse {
  static constexpr Api api = kCreateDelegationToken;

  base::ErrorCode error_code = base::ErrorCode::none;
  std::string principal_type;
  std::string principal_name;
  std::string token_requester_principal_type;
  std::string token_requester_principal_name;
  std::int64_t issue_timestamp_ms = 0;
  std::int64_t expiry_timestamp_ms = 0;
  std::int64_t max_timestamp_ms = 0;
  std::string token_id;
  Bytes hmac;
  std::int32_t throttle_time_ms = 0;

  static void describe(auto& m, auto& visit) {
    visit("error_code", m.error_code);
    visit("principal_type", m.principal_type);
    visit("principal_name", m.principal_name);
    visit("token_requester_principal_type", m.token_requester_principal_type, since(3));
    visit("token_requester_principal_name", m.token_requester_principal_name, since(3));
    visit("issue_timestamp_ms", m.issue_timestamp_ms);
    visit("expiry_timestamp_ms", m.expiry_timestamp_ms);
    visit("max_timestamp_ms", m.max_timestamp_ms);
    visit("token_id", m.token_id);
    visit("hmac", m.hmac, secret());
    visit("throttle_time_ms", m.throttle_time_ms);
  }
};

}  // namespace protocol
