// SyncGroup: the group's leader hands out assignments, members receive theirs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kSyncGroup{.key = 14, .name = "SyncGroup", .versions = {0, 5}, .flexible_since = 4};

struct SyncGroupRequest {
  static constexpr Api api = kSyncGroup;

  struct Assignment {
    std::string member_id;
    Bytes assignment;

    static void describe(auto& m, auto& visit) {
      visit("member_id", m.member_id);
      visit("assignment", m.assignment);
    }
  };

  std::string group_id;
  std::int32_t generation_id = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::vector<Assignment> assignments;

  static void describe(auto& m, auto& visit) {
    visit("group_id", m.group_id);
    visit("generation_id", m.generation_id);
    visit("member_id", m.member_id);
    visit("group_instance_id", m.group_instance_id, since(3));
    visit("protocol_type", m.protocol_type, since(5));
    visit("protocol_name", m.protocol_name, since(5));
    visit("assignments", m.assignments);
  }
};

struct SyncGroupResponse {
  static constexpr Api api = kSyncGroup;

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  Bytes assignment;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms, since(1));
    visit("error_code", m.error_code);
    visit("protocol_type", m.protocol_type, since(5));
    visit("protocol_name", m.protocol_name, since(5));
    visit("assignment", m.assignment);
  }
};

}  // namespace protocol
