// DescribeLogDirs: what lies in the log directories.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kDescribeLogDirs{.key = 35, .name = "DescribeLogDirs", .versions = {0, 4}, .flexible_since = 2};

struct DescribeLogDirsRequest {
  static constexpr Api api = kDescribeLogDirs;

  struct Topic {
    std::string topic;
    std::vector<std::int32_t> partitions;

    static void describe(auto& m, auto& visit) {
      visit("topic", m.topic);
      visit("partitions", m.partitions);
    }
  };

  std::optional<std::vector<Topic>> topics;

  static void describe(auto& m, auto& visit) { visit("topics", m.topics); }
};

struct DescribeLogDirsResponse {
  static constexpr Api api = kDescribeLogDirs;

  struct Result {
    struct Topic {
      struct Partition {
        std::int32_t partition_index = 0;
        std::int64_t partition_size = 0;
        std::int64_t offset_lag = 0;
        bool is_future_key = false;

        static void describe(auto& m, auto& visit) {
          visit("partition_index", m.partition_index);
          visit("partition_size", m.partition_size);
          visit("offset_lag", m.offset_lag);
          visit("is_future_key", m.is_future_key);
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
    std::string log_dir;
    std::vector<Topic> topics;
    std::int64_t total_bytes = -1;
    std::int64_t usable_bytes = -1;

    static void describe(auto& m, auto& visit) {
      visit("error_code", m.error_code);
      visit("log_dir", m.log_dir);
      visit("topics", m.topics);
      visit("total_bytes", m.total_bytes, since(4));
      visit("usable_bytes", m.usable_bytes, since(4));
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::vector<Result> results;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code, since(3));
    visit("results", m.results);
  }
};

}  // namespace protocol
