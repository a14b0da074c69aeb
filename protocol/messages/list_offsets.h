// ListOffsets: the offset for a time, or for the special times -1 latest, -2 earliest, -3 largest timestamp, -4, -5.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kListOffsets{.key = 2, .name = "ListOffsets", .versions = {0, 9}, .flexible_since = 6};

struct ListOffsetsRequest {
  static constexpr Api api = kListOffsets;

  struct Topic {
    struct Partition {
      std::int32_t partition_index = 0;
      base::LeaderEpoch current_leader_epoch{-1};
      std::int64_t timestamp = 0;
      std::int32_t max_num_offsets = 1;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("current_leader_epoch", m.current_leader_epoch, since(4));
        visit("timestamp", m.timestamp);
        visit("max_num_offsets", m.max_num_offsets, until(0));
      }
    };

    std::string name;
    std::vector<Partition> partitions;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("partitions", m.partitions);
    }
  };

  base::BrokerId replica_id{-1};
  std::int8_t isolation_level = 0;
  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) {
    visit("replica_id", m.replica_id);
    visit("isolation_level", m.isolation_level, since(2));
    visit("topics", m.topics);
  }
};

struct ListOffsetsResponse {
  static constexpr Api api = kListOffsets;

  struct Topic {
    struct Partition {
      std::int32_t partition_index = 0;
      base::ErrorCode error_code = base::ErrorCode::none;
      std::int64_t timestamp = -1;
      base::Offset offset{-1};
      base::LeaderEpoch leader_epoch{-1};
      std::vector<base::Offset> old_style_offsets;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("error_code", m.error_code);
        visit("timestamp", m.timestamp, since(1));
        visit("offset", m.offset, since(1));
        visit("leader_epoch", m.leader_epoch, since(4));
        visit("old_style_offsets", m.old_style_offsets, until(0));
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
  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms, since(2));
    visit("topics", m.topics);
  }
};

}  // namespace protocol
