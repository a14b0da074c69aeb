// AlterReplicaLogDirs: move a replica to another log directory of its broker.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kAlterReplicaLogDirs{
    .key = 34, .name = "AlterReplicaLogDirs", .versions = {0, 2}, .flexible_since = 2};

struct AlterReplicaLogDirsRequest {
  static constexpr Api api = kAlterReplicaLogDirs;

  struct Dir {
    struct Topic {
      std::string name;
      std::vector<std::int32_t> partitions;

      static void describe(auto& m, auto& visit) {
        visit("name", m.name);
        visit("partitions", m.partitions);
      }
    };

    std::string path;
    std::vector<Topic> topics;

    static void describe(auto& m, auto& visit) {
      visit("path", m.path);
      visit("topics", m.topics);
    }
  };

  std::vector<Dir> dirs;

  static void describe(auto& m, auto& visit) { visit("dirs", m.dirs); }
};

struct AlterReplicaLogDirsResponse {
  static constexpr Api api = kAlterReplicaLogDirs;

  struct Result {
    struct Partition {
      std::int32_t partition_index = 0;
      base::ErrorCode error_code = base::ErrorCode::none;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("error_code", m.error_code);
      }
    };

    std::string topic_name;
    std::vector<Partition> partitions;

    static void describe(auto& m, auto& visit) {
      visit("topic_name", m.topic_name);
      visit("partitions", m.partitions);
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
