// StopReplica: the controller tells a broker to stop, and perhaps delete, replicas.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kStopReplica{.key = 5, .name = "StopReplica", .versions = {0, 4}, .flexible_since = 2};

struct StopReplicaRequest {
  static constexpr Api api = kStopReplica;

  struct TopicState {
    struct PartitionState {
      std::int32_t partition_index = 0;
      base::LeaderEpoch leader_epoch{-1};
      bool delete_partition = false;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("leader_epoch", m.leader_epoch);
        visit("delete_partition", m.delete_partition);
      }
    };

    std::string topic_name;
    std::vector<PartitionState> partition_states;

    static void describe(auto& m, auto& visit) {
      visit("topic_name", m.topic_name);
      visit("partition_states", m.partition_states);
    }
  };

  struct Topic {
    std::string name;
    std::vector<std::int32_t> partition_indexes;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("partition_indexes", m.partition_indexes);
    }
  };

  struct UngroupedPartition {
    std::string topic_name;
    std::int32_t partition_index = 0;

    static void describe(auto& m, auto& visit) {
      visit("topic_name", m.topic_name);
      visit("partition_index", m.partition_index);
    }
  };

  base::BrokerId controller_id{-1};
  bool is_kraft_controller = false;
  std::int32_t controller_epoch = 0;
  std::int64_t broker_epoch = -1;
  std::vector<TopicState> topic_states;
  bool delete_partitions = false;
  std::vector<Topic> topics;
  std::vector<UngroupedPartition> ungrouped_partitions;

  static void describe(auto& m, auto& visit) {
    visit("controller_id", m.controller_id);
    visit("is_kraft_controller", m.is_kraft_controller, since(4));
    visit("controller_epoch", m.controller_epoch);
    visit("broker_epoch", m.broker_epoch, since(1));
    visit("topic_states", m.topic_states, since(3));
    visit("delete_partitions", m.delete_partitions, until(2));
    visit("topics", m.topics, between(1, 2));
    visit("ungrouped_partitions", m.ungrouped_partitions, until(0));
  }
};

struct StopReplicaResponse {
  static constexpr Api api = kStopReplica;

  struct PartitionError {
    std::string topic_name;
    std::int32_t partition_index = 0;
    base::ErrorCode error_code = base::ErrorCode::none;

    static void describe(auto& m, auto& visit) {
      visit("topic_name", m.topic_name);
      visit("partition_index", m.partition_index);
      visit("error_code", m.error_code);
    }
  };

  base::ErrorCode error_code = base::ErrorCode::none;
  std::vector<PartitionError> partition_errors;

  static void describe(auto& m, auto& visit) {
    visit("error_code", m.error_code);
    visit("partition_errors", m.partition_errors);
  }
};

}  // namespace protocol
