// ConsumerGroupHeartbeat: the KIP-848 group protocol; answered UNSUPPORTED_VERSION beside ZooKeeper.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kConsumerGroupHeartbeat{
    .key = 68, .name = "ConsumerGroupHeartbeat", .versions = {0, 0}, .flexible_since = 0};

struct ConsumerGroupHeartbeatRequest {
  static constexpr Api api = kConsumerGroupHeartbeat;

  struct TopicPartition {
    base::Uuid topic_id;
    std::vector<std::int32_t> partitions;

    static void describe(auto& m, auto& visit) {
      visit("topic_id", m.topic_id);
      visit("partitions", m.partitions);
    }
  };

  std::string group_id;
  std::string member_id;
  std::int32_t member_epoch = -1;
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  std::int32_t rebalance_timeout_ms = -1;
  std::optional<std::vector<std::string>> subscribed_topic_names;
  std::optional<std::string> server_assignor;
  std::optional<std::vector<TopicPartition>> topic_partitions;

  static void describe(auto& m, auto& visit) {
    visit("group_id", m.group_id);
    visit("member_id", m.member_id);
    visit("member_epoch", m.member_epoch);
    visit("instance_id", m.instance_id);
    visit("rack_id", m.rack_id);
    visit("rebalance_timeout_ms", m.rebalance_timeout_ms);
    visit("subscribed_topic_names", m.subscribed_topic_names);
    visit("server_assignor", m.server_assignor);
    visit("topic_partitions", m.topic_partitions);
  }
};

struct ConsumerGroupHeartbeatResponse {
  static constexpr Api api = kConsumerGroupHeartbeat;

  struct Assignment {
    struct TopicPartition {
      base::Uuid topic_id;
      std::vector<std::int32_t> partitions;

      static void describe(auto& m, auto& visit) {
        visit("topic_id", m.topic_id);
        visit("partitions", m.partitions);
      }
    };

    std::vector<TopicPartition> topic_partitions;

    static void describe(auto& m, auto& visit) { visit("topic_partitions", m.topic_partitions); }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::optional<std::string> error_message;
  std::optional<std::string> member_id;
  std::int32_t member_epoch = -1;
  std::int32_t heartbeat_interval_ms = 0;
  std::optional<Assignment> assignment;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
    visit("error_message", m.error_message);
    visit("member_id", m.member_id);
    visit("member_epoch", m.member_epoch);
    visit("heartbeat_interval_ms", m.heartbeat_interval_ms);
    visit("assignment", m.assignment);
  }
};

}  // namespace protocol
