// DeleteGroups: remove empty groups with their offsets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kDeleteGroups{.key = 42, .name = "DeleteGroups", .versions = {0, 2}, .flexible_since = 2};

struct DeleteGroupsRequest {
  static constexpr Api api = kDeleteGroups;

  std::vector<std::string> groups_names;

  static void describe(auto& m, auto& visit) { visit("groups_names", m.groups_names); }
};

struct DeleteGroupsResponse {
  static constexpr Api api = kDeleteGroups;

  struct Result {
    std::string group_id;
    base::ErrorCode error_code = base::ErrorCode::none;

    static void describe(auto& m, auto& visit) {
      visit("group_id", m.group_id);
      visit("error_code", m.error_code);
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
