// AlterConfigs: replace the overrides of a resource whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kAlterConfigs{.key = 33, .name = "AlterConfigs", .versions = {0, 2}, .flexible_since = 2};

struct AlterConfigsRequest {
  static constexpr Api api = kAlterConfigs;

  struct Resource {
    struct Config {
      std::string name;
      std::optional<std::string> value;

      static void describe(auto& m, auto& visit) {
        visit("name", m.name);
        visit("value", m.value, secret());
      }
    };

    std::int8_t resource_type = 0;
    std::string resource_name;
    std::vector<Config> configs;

    static void describe(auto& m, auto& visit) {
      visit("resource_type", m.resource_type);
      visit("resource_name", m.resource_name);
      visit("configs", m.configs);
    }
  };

  std::vector<Resource> resources;
  bool validate_only = false;

  static void describe(auto& m, auto& visit) {
    visit("resources", m.resources);
    visit("validate_only", m.validate_only);
  }
};

struct AlterConfigsResponse {
  static constexpr Api api = kAlterConfigs;

  struct Topic {
    base::ErrorCode error_code = base::ErrorCode::none;
    std::optional<std::string> error_message;
    std::int8_t resource_type = 0;
    std::string resource_name;

    static void describe(auto& m, auto& visit) {
      visit("error_code", m.error_code);
      visit("error_message", m.error_message);
      visit("resource_type", m.resource_type);
      visit("resource_name", m.resource_name);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> responses;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("responses", m.responses);
  }
};

}  // namespace protocol
