// ListGroups: the groups coordinated here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kListGroups{.key = 16, .name = "ListGroups", .versions = {0, 5}, .flexible_since = 3};

struct ListGroupsRequest {
  static constexpr Api api = kListGroups;

  std::vector<std::string> states_filter;
  std::vector<std::string> types_filter;

  static void describe(auto& m, auto& visit) {
    visit("states_filter", m.states_filter, since(4));
    visit("types_filter", m.types_filter, since(5));
  }
};

struct ListGroupsResponse {
  static constexpr Api api = kListGroups;

  struct Group {
    std::string group_id;
    std::string protocol_type;
    std::string group_state;
    std::string group_type;

    static void describe(auto& m, auto& visit) {
      visit("group_id", m.group_id);
      visit("protocol_type", m.protocol_type);
      visit("group_state", m.group_state, since(4));
      visit("group_type", m.group_type, since(5));
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::vector<Group> groups;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms, since(1));
    visit("error_code", m.error_code);
    visit("groups", m.groups);
  }
};

}  // namespace protocol
