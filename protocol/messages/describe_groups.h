// DescribeGroups: state and members of groups.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kDescribeGroups{.key = 15, .name = "DescribeGroups", .versions = {0, 5}, .flexible_since = 5};

struct DescribeGroupsRequest {
  static constexpr Api api = kDescribeGroups;

  std::vector<std::string> groups;
  bool include_authorized_operations = false;

  static void describe(auto& m, auto& visit) {
    visit("groups", m.groups);
    visit("include_authorized_operations", m.include_authorized_operations, since(3));
  }
};

struct DescribeGroupsResponse {
  static constexpr Api api = kDescribeGroups;

  struct Group {
    struct Member {
      std::string member_id;
      std::optional<std::string> group_instance_id;
      std::string client_id;
      std::string client_host;
      Bytes member_metadata;
      Bytes member_assignment;

      static void describe(auto& m, auto& visit) {
        visit("member_id", m.member_id);
        visit("group_instance_id", m.group_instance_id, since(4));
        visit("client_id", m.client_id);
        visit("client_host", m.client_host);
        visit("member_metadata", m.member_metadata);
        visit("member_assignment", m.member_assignment);
      }
    };

    base::ErrorCode error_code = base::ErrorCode::none;
    std::string group_id;
    std::string group_state;
    std::string protocol_type;
    std::string protocol_data;
    std::vector<Member> members;
    std::int32_t authorized_operations = kOperationsNotAsked;

    static void describe(auto& m, auto& visit) {
      visit("error_code", m.error_code);
      visit("group_id", m.group_id);
      visit("group_state", m.group_state);
      visit("protocol_type", m.protocol_type);
      visit("protocol_data", m.protocol_data);
      visit("members", m.members);
      visit("authorized_operations", m.authorized_operations, since(3));
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Group> groups;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms, since(1));
    visit("groups", m.groups);
  }
};

}  // namespace protocol
