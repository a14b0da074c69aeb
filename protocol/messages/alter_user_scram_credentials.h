// AlterUserScramCredentials: set and remove SCRAM passwords.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kAlterUserScramCredentials{
    .key = 51, .name = "AlterUserScramCredentials", .versions = {0, 0}, .flexible_since = 0};

struct AlterUserScramCredentialsRequest {
  static constexpr Api api = kAlterUserScramCredentials;

  struct Deletion {
    std::string name;
    std::int8_t mechanism = 0;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("mechanism", m.mechanism);
    }
  };

  struct Upsertion {
    std::string name;
    std::int8_t mechanism = 0;
    std::int32_t iterations = 0;
    Bytes salt;
    Bytes salted_password;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("mechanism", m.mechanism);
      visit("iterations", m.iterations);
      visit("salt", m.salt, secret());
      visit("salted_password", m.salted_password, secret());
    }
  };

  std::vector<Deletion> deletions;
  std::vector<Upsertion> upsertions;

  static void describe(auto& m, auto& visit) {
    visit("deletions", m.deletions);
    visit("upsertions", m.upsertions);
  }
};

struct AlterUserScramCredentialsResponse {
  static constexpr Api api = kAlterUserScramCredentials;

  struct Result {
    std::string user;
    base::ErrorCode error_code = base::ErrorCode::none;
    std::optional<std::string> error_message;

    static void describe(auto& m, auto& visit) {
      visit("user", m.user);
      visit("error_code", m.error_code);
      visit("error_message", m.error_message);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Result> results;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("results", m.results);
  }
};

}  // namespace protocol
