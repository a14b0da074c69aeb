// FindCoordinator: which broker coordinates a group or a transactional id; many keys at once from version 4.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kFindCoordinator{.key = 10, .name = "FindCoordinator", .versions = {0, 6}, .flexible_since = 3};

struct FindCoordinatorRequest {
  static constexpr Api api = kFindCoordinator;

  std::string key;
  std::int8_t key_type = 0;
  std::vector<std::string> coordinator_keys;

  static void describe(auto& m, auto& visit) {
    visit("key", m.key, until(3));
    visit("key_type", m.key_type, since(1));
    visit("coordinator_keys", m.coordinator_keys, since(4));
  }
};

struct FindCoordinatorResponse {
  static constexpr Api api = kFindCoordinator;

  struct Coordinator {
    std::string key;
    base::BrokerId node_id;
    std::string host;
    std::int32_t port = 0;
    base::ErrorCode error_code = base::ErrorCode::none;
    std::optional<std::string> error_message;

    static void describe(auto& m, auto& visit) {
      visit("key", m.key);
      visit("node_id", m.node_id);
      visit("host", m.host);
      visit("port", m.port);
      visit("error_code", m.error_code);
      visit("error_message", m.error_message);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Coordinator> coordinators;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::optional<std::string> error_message;
  base::BrokerId node_id;
  std::string host;
  std::int32_t port = 0;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms, since(1));
    visit("coordinators", m.coordinators, since(4));
    visit("error_code", m.error_code, until(3));
    visit("error_message", m.error_message, between(1, 3));
    visit("node_id", m.node_id, until(3));
    visit("host", m.host, until(3));
    visit("port", m.port, until(3));
  }
};

}  // namespace protocol
