// OffsetForLeaderEpoch: where a leader epoch ends, to find the point of divergence.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kOffsetForLeaderEpoch{
    .key = 23, .name = "OffsetForLeaderEpoch", .versions = {0, 4}, .flexible_since = 4};

struct OffsetForLeaderEpochRequest {
  static constexpr Api api = kOffsetForLeaderEpoch;

  struct Topic {
    struct Partition {
      std::int32_t partition = 0;
      base::LeaderEpoch current_leader_epoch{-1};
      base::LeaderEpoch leader_epoch{-1};

      static void describe(auto& m, auto& visit) {
        visit("partition", m.partition);
        visit("current_leader_epoch", m.current_leader_epoch, since(2));
        visit("leader_epoch", m.leader_epoch);
      }
    };

    std::string topic;
    std::vector<Partition> partitions;

    static void describe(auto& m, auto& visit) {
      visit("topic", m.topic);
      visit("partitions", m.partitions);
    }
  };

  base::BrokerId replica_id{-2};
  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) {
    visit("replica_id", m.replica_id, since(3));
    visit("topics", m.topics);
  }
};

struct OffsetForLeaderEpochResponse {
  static constexpr Api api = kOffsetForLeaderEpoch;

  struct Topic {
    struct Partition {
      base::ErrorCode error_code = base::ErrorCode::none;
      std::int32_t partition = 0;
      base::LeaderEpoch leader_epoch{-1};
      base::Offset end_offset{-1};

      static void describe(auto& m, auto& visit) {
        visit("error_code", m.error_code);
        visit("partition", m.partition);
        visit("leader_epoch", m.leader_epoch, since(1));
        visit("end_offset", m.end_offset);
      }
    };

    std::string topic;
    std::vector<Partition> partitions;

    static void describe(auto& m, auto& visit) {
      visit("topic", m.topic);
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
