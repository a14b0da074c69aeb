// What the parts of a group's life share: words for the operator, and how long a new member is waited for.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <string_view>

namespace broker {

// A new member cannot send heartbeats before its first join is answered, and nobody sees its connection break. It is
// forgotten after this, so that clients that give up and try again do not fill the group.
inline constexpr std::chrono::milliseconds kNewMemberPatience = std::chrono::minutes(5);

inline std::string with_reason(std::string what, std::string_view client_reason) {
  if (!client_reason.empty()) what += fmt::format(" (it says: {})", client_reason);
  return what;
}

inline std::string client_of(std::string_view id, std::string_view host) { return fmt::format("{} at {}", id, host); }

}  // namespace broker
