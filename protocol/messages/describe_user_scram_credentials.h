// DescribeUserScramCredentials: which SCRAM mechanisms users have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kDescribeUserScramCredentials{
    .key = 50, .name = "DescribeUserScramCredentials", .versions = {0, 0}, .flexible_since = 0};

struct DescribeUserScramCredentialsRequest {
  static constexpr Api api = kDescribeUserScramCredentials;

  struct User {
    std::string name;

    static void describe(auto& m, auto& visit) { visit("name", m.name); }
  };

  std::optional<std::vector<User>> users;

  static void describe(auto& m, auto& visit) { visit("users", m.users); }
};

struct DescribeUserScramCredentialsResponse {
  static constexpr Api api = kDescribeUserScramCredentials;

  struct Result {
    struct CredentialInfo {
      std::int8_t mechanism = 0;
      std::int32_t iterations = 0;

      static void describe(auto& m, auto& visit) {
        visit("mechanism", m.mechanism);
        visit("iterations", m.iterations);
      }
    };

    std::string user;
    base::ErrorCode error_code = base::ErrorCode::none;
    std::optional<std::string> error_message;
    std::vector<CredentialInfo> credential_infos;

    static void describe(auto& m, auto& visit) {
      visit("user", m.user);
      visit("error_code", m.error_code);
      visit("error_message", m.error_message);
      visit("credential_infos", m.credential_infos);
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::optional<std::string> error_message;
  std::vector<Result> results;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
    visit("error_message", m.error_message);
    visit("results", m.results);
  }
};

}  // namespace protocol
