// DescribeDelegationToken: tokens and their owners.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kDescribeDelegationToken{
    .key = 41, .name = "DescribeDelegationToken", .versions = {0, 3}, .flexible_since = 2};

struct DescribeDelegationTokenRequest {
  static constexpr Api api = kDescribeDelegationToken;

  struct Owner {
    std::string principal_type;
    std::string principal_name;

    static void describe(auto& m, auto& visit) {
      visit("principal_type", m.principal_type);
      visit("principal_name", m.principal_name);
    }
  };

  std::optional<std::vector<Owner>> owners;

  static void describe(auto& m, auto& visit) { visit("owners", m.owners); }
};

struct DescribeDelegationTokenResponse {
  static constexpr Api api = kDescribeDelegationToken;

  struct Token {
    struct Renewer {
      std::string principal_type;
      std::string principal_name;

      static void describe(auto& m, auto& visit) {
        visit("principal_type", m.principal_type);
        visit("principal_name", m.principal_name);
      }
    };

    std::string principal_type;
    std::string principal_name;
    std::string token_requester_principal_type;
    std::string token_requester_principal_name;
    std::int64_t issue_timestamp = 0;
    std::int64_t expiry_timestamp = 0;
    std::int64_t max_timestamp = 0;
    std::string token_id;
    Bytes hmac;
    std::vector<Renewer> renewers;

    static void describe(auto& m, auto& visit) {
      visit("principal_type", m.principal_type);
      visit("principal_name", m.principal_name);
      visit("token_requester_principal_type", m.token_requester_principal_type, since(3));
      visit("token_requester_principal_name", m.token_requester_principal_name, since(3));
      visit("issue_timestamp", m.issue_timestamp);
      visit("expiry_timestamp", m.expiry_timestamp);
      visit("max_timestamp", m.max_timestamp);
      visit("token_id", m.token_id);
      visit("hmac", m.hmac, secret());
      visit("renewers", m.renewers);
    }
  };

  base::ErrorCode error_code = base::ErrorCode::none;
  std::vector<Token> tokens;
  std::int32_t throttle_time_ms = 0;

  static void describe(auto& m, auto& visit) {
    visit("error_code", m.error_code);
    visit("tokens", m.tokens);
    visit("throttle_time_ms", m.throttle_time_ms);
  }
};

}  // namespace protocol
