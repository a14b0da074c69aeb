// AlterPartition: a leader asks the controller to change the in-sync replicas (AlterIsr in 2.7).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kAlterPartition{.key = 56, .name = "AlterPartition", .versions = {0, 3}, .flexible_since = 0};

struct AlterPartitionRequest {
  static constexpr Api api = kAlterPartition;

  struct Topic {
    struct Partition {
      struct NewIsrWithEpoch {
        base::BrokerId broker_id;
        std::int64_t broker_epoch = -1;

        static void describe(auto& m, auto& visit) {
          visit("broker_id", m.broker_id);
          visit("broker_epoch", m.broker_epoch);
        }
      };

      std::int32_t partition_index = 0;
      base::LeaderEpoch leader_epoch{-1};
      std::vector<NewIsrWithEpoch> new_isr_with_epochs;
      std::vector<base::BrokerId> new_isr;
      std::int8_t leader_recovery_state = 0;
      std::int32_t partition_epoch = 0;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("leader_epoch", m.leader_epoch);
        visit("new_isr_with_epochs", m.new_isr_with_epochs, since(3));
        visit("new_isr", m.new_isr, until(2));
        visit("leader_recovery_state", m.leader_recovery_state, since(1));
        visit("partition_epoch", m.partition_epoch);
      }
    };

    base::Uuid topic_id;
    std::string topic_name;
    std::vector<Partition> partitions;

    static void describe(auto& m, auto& visit) {
      visit("topic_id", m.topic_id, since(2));
      visit("topic_name", m.topic_name, until(1));
      visit("partitions", m.partitions);
    }
  };

  base::BrokerId broker_id;
  std::int64_t broker_epoch = -1;
  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) {
    visit("broker_id", m.broker_id);
    visit("broker_epoch", m.broker_epoch);
    visit("topics", m.topics);
  }
};

struct AlterPartitionResponse {
  static constexpr Api api = kAlterPartition;

  struct Topic {
    struct Partition {
      std::int32_t partition_index = 0;
      base::ErrorCode error_code = base::ErrorCode::none;
      base::BrokerId leader_id{-1};
      base::LeaderEpoch leader_epoch{-1};
      std::vector<base::BrokerId> isr;
      std::int8_t leader_recovery_state = 0;
      std::int32_t partition_epoch = 0;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("error_code", m.error_code);
        visit("leader_id", m.leader_id);
        visit("leader_epoch", m.leader_epoch);
        visit("isr", m.isr);
        visit("leader_recovery_state", m.leader_recovery_state, since(1));
        visit("partition_epoch", m.partition_epoch);
      }
    };

    base::Uuid topic_id;
    std::string topic_name;
    std::vector<Partition> partitions;

    static void describe(auto& m, auto& visit) {
      visit("topic_id", m.topic_id, since(2));
      visit("topic_name", m.topic_name, until(1));
      visit("partitions", m.partitions);
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
    visit("topics", m.topics);
  }
};

}  // namespace protocol
