// DeleteRecords: raise the log start offset of partitions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kDeleteRecords{.key = 21, .name = "DeleteRecords", .versions = {0, 2}, .flexible_since = 2};

struct DeleteRecordsRequest {
  static constexpr Api api = kDeleteRecords;

  struct Topic {
    struct Partition {
      std::int32_t partition_index = 0;
      base::Offset offset;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("offset", m.offset);
      }
    };

    std::string name;
    std::vector<Partition> partitions;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("partitions", m.partitions);
    }
  };

  std::vector<Topic> topics;
  std::int32_t timeout_ms = 0;

  static void describe(auto& m, auto& visit) {
    visit("topics", m.topics);
    visit("timeout_ms", m.timeout_ms);
  }
};

struct DeleteRecordsResponse {
  static constexpr Api api = kDeleteRecords;

  struct Topic {
    struct Partition {
      std::int32_t partition_index = 0;
      base::Offset low_watermark;
      base::ErrorCode error_code = base::ErrorCode::none;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("low_watermark", m.low_watermark);
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

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("topics", m.topics);
  }
};

}  // namespace protocol
