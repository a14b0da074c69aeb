// AlterPartitionReassignments: start or cancel (null replicas) moving partitions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kAlterPartitionReassignments{
    .key = 45, .name = "AlterPartitionReassignments", .versions = {0, 0}, .flexible_since = 0};

struct AlterPartitionReassignmentsRequest {
  static constexpr Api api = kAlterPartitionReassignments;

  struct Topic {
    struct Partition {
      std::int32_t partition_index = 0;
      std::optional<std::vector<base::BrokerId>> replicas;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("replicas", m.replicas);
      }
    };

    std::string name;
    std::vector<Partition> partitions;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("partitions", m.partitions);
    }
  };

  std::int32_t timeout_ms = 60000;
  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) {
    visit("timeout_ms", m.timeout_ms);
    visit("topics", m.topics);
  }
};

struct AlterPartitionReassignmentsResponse {
  static constexpr Api api = kAlterPartitionReassignments;

  struct Topic {
    struct Partition {
      std::int32_t partition_index = 0;
      base::ErrorCode error_code = base::ErrorCode::none;
      std::optional<std::string> error_message;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("error_code", m.error_code);
        visit("error_message", m.error_message);
      }
    };

    std::string name;
    std::vector<Partition> partitions;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("partitions", m.partitions);
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::optional<std::string> error_message;
  std::vector<Topic> responses;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
    visit("error_message", m.error_message);
    visit("responses", m.responses);
  }
};

}  // namespace protocol
