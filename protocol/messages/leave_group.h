// LeaveGroup: members leave at once instead of by time-out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kLeaveGroup{.key = 13, .name = "LeaveGroup", .versions = {0, 5}, .flexible_since = 4};

struct LeaveGroupRequest {
  static constexpr Api api = kLeaveGroup;

  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::optional<std::string> reason;

    static void describe(auto& m, auto& visit) {
      visit("member_id", m.member_id);
      visit("group_instance_id", m.group_instance_id);
      visit("reason", m.reason, since(5));
    }
  };

  std::string group_id;
  std::vector<Member> members;
  std::string member_id;

  static void describe(auto& m, auto& visit) {
    visit("group_id", m.group_id);
    visit("members", m.members, since(3));
    visit("member_id", m.member_id, until(2));
  }
};

struct LeaveGroupResponse {
  static constexpr Api api = kLeaveGroup;

  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    base::ErrorCode error_code = base::ErrorCode::none;

    static void describe(auto& m, auto& visit) {
      visit("member_id", m.member_id);
      visit("group_instance_id", m.group_instance_id);
      visit("error_code", m.error_code);
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::vector<Member> members;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms, since(1));
    visit("error_code", m.error_code);
    visit("members", m.members, since(3));
  }
};

}  // namespace protocol
