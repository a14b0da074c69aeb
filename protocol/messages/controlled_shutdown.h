// ControlledShutdown: a broker asks the controller to move its leaderships before it stops.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kControlledShutdown{
    .key = 7, .name = "ControlledShutdown", .versions = {0, 3}, .flexible_since = 3};

struct ControlledShutdownRequest {
  static constexpr Api api = kControlledShutdown;

  base::BrokerId broker_id;
  std::int64_t broker_epoch = -1;

  static void describe(auto& m, auto& visit) {
    visit("broker_id", m.broker_id);
    visit("broker_epoch", m.broker_epoch, since(2));
  }
};

struct ControlledShutdownResponse {
  static constexpr Api api = kControlledShutdown;

  struct RemainingPartition {
    std::string topic_name;
    std::int32_t partition_index = 0;

    static void describe(auto& m, auto& visit) {
      visit("topic_name", m.topic_name);
      visit("partition_index", m.partition_index);
    }
  };

  base::ErrorCode error_code = base::ErrorCode::none;
  std::vector<RemainingPartition> remaining_partitions;

  static void describe(auto& m, auto& visit) {
    visit("error_code", m.error_code);
    visit("remaining_partitions", m.remaining_partitions);
  }
};

}  // namespace protocol
