// JoinGroup: enter a group or start its next generation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kJoinGroup{.key = 11, .name = "JoinGroup", .versions = {0, 9}, .flexible_since = 6};

struct JoinGroupRequest {
  static constexpr Api api = kJoinGroup;

  struct Protocol {
    std::string name;
    Bytes metadata;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("metadata", m.metadata);
    }
  };

  std::string group_id;
  std::int32_t session_timeout_ms = 0;
  std::int32_t rebalance_timeout_ms = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::string protocol_type;
  std::vector<Protocol> protocols;
  std::optional<std::string> reason;

  static void describe(auto& m, auto& visit) {
    visit("group_id", m.group_id);
    visit("session_timeout_ms", m.session_timeout_ms);
    visit("rebalance_timeout_ms", m.rebalance_timeout_ms, since(1));
    visit("member_id", m.member_id);
    visit("group_instance_id", m.group_instance_id, since(5));
    visit("protocol_type", m.protocol_type);
    visit("protocols", m.protocols);
    visit("reason", m.reason, since(8));
  }
};

struct JoinGroupResponse {
  static constexpr Api api = kJoinGroup;

  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    Bytes metadata;

    static void describe(auto& m, auto& visit) {
      visit("member_id", m.member_id);
      visit("group_instance_id", m.group_instance_id, since(5));
      visit("metadata", m.metadata);
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::int32_t generation_id = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<Member> members;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms, since(2));
    visit("error_code", m.error_code);
    visit("generation_id", m.generation_id);
    visit("protocol_type", m.protocol_type, since(7));
    visit("protocol_name", m.protocol_name, nullable_since(7));
    visit("leader", m.leader);
    visit("skip_assignment", m.skip_assignment, since(9));
    visit("member_id", m.member_id);
    visit("members", m.members);
  }
};

}  // namespace protocol
