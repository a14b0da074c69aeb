// CreatePartitions: more partitions for a topic; sent to the controller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kCreatePartitions{.key = 37, .name = "CreatePartitions", .versions = {0, 3}, .flexible_since = 2};

struct CreatePartitionsRequest {
  static constexpr Api api = kCreatePartitions;

  struct Topic {
    struct Assignment {
      std::vector<base::BrokerId> broker_ids;

      static void describe(auto& m, auto& visit) { visit("broker_ids", m.broker_ids); }
    };

    std::string name;
    std::int32_t count = 0;
    std::optional<std::vector<Assignment>> assignments;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("count", m.count);
      visit("assignments", m.assignments);
    }
  };

  std::vector<Topic> topics;
  std::int32_t timeout_ms = 0;
  bool validate_only = false;

  static void describe(auto& m, auto& visit) {
    visit("topics", m.topics);
    visit("timeout_ms", m.timeout_ms);
    visit("validate_only", m.validate_only);
  }
};

struct CreatePartitionsResponse {
  static constexpr Api api = kCreatePartitions;

  struct Result {
    std::string name;
    base::ErrorCode error_code = base::ErrorCode::none;
    std::optional<std::string> error_message;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("error_code", m.error_code);
      visit("error_message", m.error_message);
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
