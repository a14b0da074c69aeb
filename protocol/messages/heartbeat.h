// Heartbeat: a member of a group is alive.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kHeartbeat{.key = 12, .name = "Heartbeat", .versions = {0, 4}, .flexible_since = 4};

struct HeartbeatRequest {
  static constexpr Api api = kHeartbeat;

  std::string group_id;
  std::int32_t generation_id = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;

  static void describe(auto& m, auto& visit) {
    visit("group_id", m.group_id);
    visit("generation_id", m.generation_id);
    visit("member_id", m.member_id);
    visit("group_instance_id", m.group_instance_id, since(3));
  }
};

struct HeartbeatResponse {
  static constexpr Api api = kHeartbeat;

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms, since(1));
    visit("error_code", m.error_code);
  }
};

}  // namespace protocol
