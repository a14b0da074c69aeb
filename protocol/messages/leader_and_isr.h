// LeaderAndIsr: the controller tells a broker which partitions it leads or follows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kLeaderAndIsr{.key = 4, .name = "LeaderAndIsr", .versions = {0, 7}, .flexible_since = 4};

struct LeaderAndIsrRequest {
  static constexpr Api api = kLeaderAndIsr;

  struct TopicState {
    struct PartitionState {
      std::int32_t partition_index = 0;
      std::int32_t controller_epoch = 0;
      base::BrokerId leader;
      base::LeaderEpoch leader_epoch{-1};
      std::vector<base::BrokerId> isr;
      std::int32_t partition_epoch = 0;
      std::vector<base::BrokerId> replicas;
      std::vector<base::BrokerId> adding_replicas;
      std::vector<base::BrokerId> removing_replicas;
      bool is_new = false;
      std::int8_t leader_recovery_state = 0;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("controller_epoch", m.controller_epoch);
        visit("leader", m.leader);
        visit("leader_epoch", m.leader_epoch);
        visit("isr", m.isr);
        visit("partition_epoch", m.partition_epoch);
        visit("replicas", m.replicas);
        visit("adding_replicas", m.adding_replicas, since(3));
        visit("removing_replicas", m.removing_replicas, since(3));
        visit("is_new", m.is_new);
        visit("leader_recovery_state", m.leader_recovery_state, since(6));
      }
    };

    std::string topic_name;
    base::Uuid topic_id;
    std::vector<PartitionState> partition_states;

    static void describe(auto& m, auto& visit) {
      visit("topic_name", m.topic_name);
      visit("topic_id", m.topic_id, since(5));
      visit("partition_states", m.partition_states);
    }
  };

  struct PartitionState {
    std::string topic_name;
    std::int32_t partition_index = 0;
    std::int32_t controller_epoch = 0;
    base::BrokerId leader;
    base::LeaderEpoch leader_epoch{-1};
    std::vector<base::BrokerId> isr;
    std::int32_t partition_epoch = 0;
    std::vector<base::BrokerId> replicas;
    bool is_new = false;

    static void describe(auto& m, auto& visit) {
      visit("topic_name", m.topic_name);
      visit("partition_index", m.partition_index);
      visit("controller_epoch", m.controller_epoch);
      visit("leader", m.leader);
      visit("leader_epoch", m.leader_epoch);
      visit("isr", m.isr);
      visit("partition_epoch", m.partition_epoch);
      visit("replicas", m.replicas);
      visit("is_new", m.is_new, since(1));
    }
  };

  struct LiveLeader {
    base::BrokerId broker_id;
    std::string host_name;
    std::int32_t port = 0;

    static void describe(auto& m, auto& visit) {
      visit("broker_id", m.broker_id);
      visit("host_name", m.host_name);
      visit("port", m.port);
    }
  };

  base::BrokerId controller_id{-1};
  bool is_kraft_controller = false;
  std::int32_t controller_epoch = 0;
  std::int64_t broker_epoch = -1;
  std::int8_t type = 0;
  std::vector<TopicState> topic_states;
  std::vector<PartitionState> ungrouped_partition_states;
  std::vector<LiveLeader> live_leaders;

  static void describe(auto& m, auto& visit) {
    visit("controller_id", m.controller_id);
    visit("is_kraft_controller", m.is_kraft_controller, since(7));
    visit("controller_epoch", m.controller_epoch);
    visit("broker_epoch", m.broker_epoch, since(2));
    visit("type", m.type, since(5));
    visit("topic_states", m.topic_states, since(2));
    visit("ungrouped_partition_states", m.ungrouped_partition_states, until(1));
    visit("live_leaders", m.live_leaders);
  }
};

struct LeaderAndIsrResponse {
  static constexpr Api api = kLeaderAndIsr;

  struct Topic {
    struct PartitionError {
      std::int32_t partition_index = 0;
      base::ErrorCode error_code = base::ErrorCode::none;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("error_code", m.error_code);
      }
    };

    base::Uuid topic_id;
    std::vector<PartitionError> partition_errors;

    static void describe(auto& m, auto& visit) {
      visit("topic_id", m.topic_id);
      visit("partition_errors", m.partition_errors);
    }
  };

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
  std::vector<Topic> topics;
  std::vector<PartitionError> partition_errors;

  static void describe(auto& m, auto& visit) {
    visit("error_code", m.error_code);
    visit("topics", m.topics, since(5));
    visit("partition_errors", m.partition_errors, until(4));
  }
};

}  // namespace protocol
