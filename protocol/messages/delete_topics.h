// DeleteTopics: by name, or by id from version 6; sent to the controller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kDeleteTopics{.key = 20, .name = "DeleteTopics", .versions = {0, 6}, .flexible_since = 4};

struct DeleteTopicsRequest {
  static constexpr Api api = kDeleteTopics;

  struct Topic {
    std::optional<std::string> name;
    base::Uuid topic_id;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("topic_id", m.topic_id);
    }
  };

  std::vector<Topic> topics;
  std::vector<std::string> topic_names;
  std::int32_t timeout_ms = 60000;

  static void describe(auto& m, auto& visit) {
    visit("topics", m.topics, since(6));
    visit("topic_names", m.topic_names, until(5));
    visit("timeout_ms", m.timeout_ms);
  }
};

struct DeleteTopicsResponse {
  static constexpr Api api = kDeleteTopics;

  struct Topic {
    std::optional<std::string> name;
    base::Uuid topic_id;
    base::ErrorCode error_code = base::ErrorCode::none;
    std::optional<std::string> error_message;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name, nullable_since(6));
      visit("topic_id", m.topic_id, since(6));
      visit("error_code", m.error_code);
      visit("error_message", m.error_message, since(5));
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> responses;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms, since(1));
    visit("responses", m.responses);
  }
};

}  // namespace protocol
