// CreateTopics: sent to the controller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kCreateTopics{.key = 19, .name = "CreateTopics", .versions = {0, 7}, .flexible_since = 5};

struct CreateTopicsRequest {
  static constexpr Api api = kCreateTopics;

  struct Topic {
    struct Assignment {
      std::int32_t partition_index = 0;
      std::vector<base::BrokerId> broker_ids;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("broker_ids", m.broker_ids);
      }
    };

    struct Config {
      std::string name;
      std::optional<std::string> value;

      static void describe(auto& m, auto& visit) {
        visit("name", m.name);
        visit("value", m.value);
      }
    };

    std::string name;
    std::int32_t num_partitions = 0;
    std::int16_t replication_factor = 0;
    std::vector<Assignment> assignments;
    std::vector<Config> configs;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("num_partitions", m.num_partitions);
      visit("replication_factor", m.replication_factor);
      visit("assignments", m.assignments);
      visit("configs", m.configs);
    }
  };

  std::vector<Topic> topics;
  std::int32_t timeout_ms = 60000;
  bool validate_only = false;

  static void describe(auto& m, auto& visit) {
    visit("topics", m.topics);
    visit("timeout_ms", m.timeout_ms);
    visit("validate_only", m.validate_only, since(1));
  }
};

struct CreateTopicsResponse {
  static constexpr Api api = kCreateTopics;

  struct Topic {
    struct Config {
      std::string name;
      std::optional<std::string> value;
      bool read_only = false;
      std::int8_t config_source = -1;
      bool is_sensitive = false;

      static void describe(auto& m, auto& visit) {
        visit("name", m.name);
        visit("value", m.value);
        visit("read_only", m.read_only);
        visit("config_source", m.config_source);
        visit("is_sensitive", m.is_sensitive);
      }
    };

    std::string name;
    base::Uuid topic_id;
    base::ErrorCode error_code = base::ErrorCode::none;
    std::optional<std::string> error_message;
    std::int32_t num_partitions = -1;
    std::int16_t replication_factor = -1;
    std::optional<std::vector<Config>> configs;
    std::optional<base::ErrorCode> topic_config_error_code;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("topic_id", m.topic_id, since(7));
      visit("error_code", m.error_code);
      visit("error_message", m.error_message, since(1));
      visit("num_partitions", m.num_partitions, since(5));
      visit("replication_factor", m.replication_factor, since(5));
      visit("configs", m.configs, since(5));
    }
    static void describe_tags(auto& m, auto& visit) {
      visit(0, "topic_config_error_code", m.topic_config_error_code, since(5));
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms, since(2));
    visit("topics", m.topics);
  }
};

}  // namespace protocol
