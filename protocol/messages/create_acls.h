// CreateAcls: add access rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kCreateAcls{.key = 30, .name = "CreateAcls", .versions = {0, 3}, .flexible_since = 2};

struct CreateAclsRequest {
  static constexpr Api api = kCreateAcls;

  struct Creation {
    std::int8_t resource_type = 0;
    std::string resource_name;
    std::int8_t resource_pattern_type = 3;
    std::string principal;
    std::string host;
    std::int8_t operation = 0;
    std::int8_t permission_type = 0;

    static void describe(auto& m, auto& visit) {
      visit("resource_type", m.resource_type);
      visit("resource_name", m.resource_name);
      visit("resource_pattern_type", m.resource_pattern_type, since(1));
      visit("principal", m.principal);
      visit("host", m.host);
      visit("operation", m.operation);
      visit("permission_type", m.permission_type);
    }
  };

  std::vector<Creation> creations;

  static void describe(auto& m, auto& visit) { visit("creations", m.creations); }
};

struct CreateAclsResponse {
  static constexpr Api api = kCreateAcls;

  struct Result {
    base::ErrorCode error_code = base::ErrorCode::none;
    std::optional<std::string> error_message;

    static void describe(auto& m, auto& visit) {
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
