// OffsetDelete: remove stored offsets of a group.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kOffsetDelete{.key = 47, .name = "OffsetDelete", .versions = {0, 0}};

struct OffsetDeleteRequest {
  static constexpr Api api = kOffsetDelete;

  struct Topic {
    struct Partition {
      std::int32_t partition_index = 0;

      static void describe(auto& m, auto& visit) { visit("partition_index", m.partition_index); }
    };

    std::string name;
    std::vector<Partition> partitions;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("partitions", m.partitions);
    }
  };

  std::string group_id;
  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) {
    visit("group_id", m.group_id);
    visit("topics", m.topics);
  }
};

struct OffsetDeleteResponse {
  static constexpr Api api = kOffsetDelete;

  struct Topic {
    struct Partition {
      std::int32_t partition_index = 0;
      base::ErrorCode error_code = base::ErrorCode::none;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("error_code", m.error_code);
      }
    };

    std::string name;
    std::vector<Partition> partitions;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("partitions", m.partitions);
    }
  };

  base::ErrorCode error_code = base::ErrorCode::none;
  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) {
    visit("error_code", m.error_code);
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("topics", m.topics);
  }
};

}  // namespace protocol
