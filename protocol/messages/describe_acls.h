// DescribeAcls: access rules that match a filter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kDescribeAcls{.key = 29, .name = "DescribeAcls", .versions = {0, 3}, .flexible_since = 2};

struct DescribeAclsRequest {
  static constexpr Api api = kDescribeAcls;

  std::int8_t resource_type_filter = 0;
  std::optional<std::string> resource_name_filter;
  std::int8_t pattern_type_filter = 3;
  std::optional<std::string> principal_filter;
  std::optional<std::string> host_filter;
  std::int8_t operation = 0;
  std::int8_t permission_type = 0;

  static void describe(auto& m, auto& visit) {
    visit("resource_type_filter", m.resource_type_filter);
    visit("resource_name_filter", m.resource_name_filter);
    visit("pattern_type_filter", m.pattern_type_filter, since(1));
    visit("principal_filter", m.principal_filter);
    visit("host_filter", m.host_filter);
    visit("operation", m.operation);
    visit("permission_type", m.permission_type);
  }
};

struct DescribeAclsResponse {
  static constexpr Api api = kDescribeAcls;

  struct Resource {
    struct Acl {
      std::string principal;
      std::string host;
      std::int8_t operation = 0;
      std::int8_t permission_type = 0;

      static void describe(auto& m, auto& visit) {
        visit("principal", m.principal);
        visit("host", m.host);
        visit("operation", m.operation);
        visit("permission_type", m.permission_type);
      }
    };

    std::int8_t resource_type = 0;
    std::string resource_name;
    std::int8_t pattern_type = 3;
    std::vector<Acl> acls;

    static void describe(auto& m, auto& visit) {
      visit("resource_type", m.resource_type);
      visit("resource_name", m.resource_name);
      visit("pattern_type", m.pattern_type, since(1));
      visit("acls", m.acls);
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::optional<std::string> error_message;
  std::vector<Resource> resources;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
    visit("error_message", m.error_message);
    visit("resources", m.resources);
  }
};

}  // namespace protocol
