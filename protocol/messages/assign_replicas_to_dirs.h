// AssignReplicasToDirs: KRaft only. Known so that captures can be shown; not served.
#pragma once

#include <cstdint>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kAssignReplicasToDirs{
    .key = 73, .name = "AssignReplicasToDirs", .versions = {0, 0}, .flexible_since = 0};

struct AssignReplicasToDirsRequest {
  static constexpr Api api = kAssignReplicasToDirs;

  struct Directory {
    struct Topic {
      struct Partition {
        std::int32_t partition_index = 0;

        static void describe(auto& m, auto& visit) { visit("partition_index", m.partition_index); }
      };

      base::Uuid topic_id;
      std::vector<Partition> partitions;

      static void describe(auto& m, auto& visit) {
        visit("topic_id", m.topic_id);
        visit("partitions", m.partitions);
      }
    };

    base::Uuid id;
    std::vector<Topic> topics;

    static void describe(auto& m, auto& visit) {
      visit("id", m.id);
      visit("topics", m.topics);
    }
  };

  base::BrokerId broker_id;
  std::int64_t broker_epoch = -1;
  std::vector<Directory> directories;

  static void describe(auto& m, auto& visit) {
    visit("broker_id", m.broker_id);
    visit("broker_epoch", m.broker_epoch);
    visit("directories", m.directories);
  }
};

struct AssignReplicasToDirsResponse {
  static constexpr Api api = kAssignReplicasToDirs;

  struct Directory {
    struct Topic {
      struct Partition {
        std::int32_t partition_index = 0;
        base::ErrorCode error_code = base::ErrorCode::none;

        static void describe(auto& m, auto& visit) {
          visit("partition_index", m.partition_index);
          visit("error_code", m.error_code);
        }
      };

      base::Uuid topic_id;
      std::vector<Partition> partitions;

      static void describe(auto& m, auto& visit) {
        visit("topic_id", m.topic_id);
        visit("partitions", m.partitions);
      }
    };

    base::Uuid id;
    std::vector<Topic> topics;

    static void describe(auto& m, auto& visit) {
      visit("id", m.id);
      visit("topics", m.topics);
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::vector<Directory> directories;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
    visit("directories", m.directories);
  }
};

}  // namespace protocol
