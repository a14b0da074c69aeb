// ListPartitionReassignments: what is being moved.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kListPartitionReassignments{
    .key = 46, .name = "ListPartitionReassignments", .versions = {0, 0}, .flexible_since = 0};

struct ListPartitionReassignmentsRequest {
  static constexpr Api api = kListPartitionReassignments;

  struct Topic {
    std::string name;
    std::vector<std::int32_t> partition_indexes;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("partition_indexes", m.partition_indexes);
    }
  };

  std::int32_t timeout_ms = 60000;
  std::optional<std::vector<Topic>> topics;

  static void describe(auto& m, auto& visit) {
    visit("timeout_ms", m.timeout_ms);
    visit("topics", m.topics);
  }
};

struct ListPartitionReassignmentsResponse {
  static constexpr Api api = kListPartitionReassignments;

  struct Topic {
    struct Partition {
      std::int32_t partition_index = 0;
      std::vector<base::BrokerId> replicas;
      std::vector<base::BrokerId> adding_replicas;
      std::vector<base::BrokerId> removing_replicas;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("replicas", m.replicas);
        visit("adding_replicas", m.adding_replicas);
        visit("removing_replicas", m.removing_replicas);
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
  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
    visit("error_message", m.error_message);
    visit("topics", m.topics);
  }
};

}  // namespace protocol
