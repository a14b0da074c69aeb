// DescribeTopicPartitions: paged Metadata of KRaft brokers. Known so that captures can be shown; not served.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kDescribeTopicPartitions{
    .key = 75, .name = "DescribeTopicPartitions", .versions = {0, 0}, .flexible_since = 0};

struct DescribeTopicPartitionsRequest {
  static constexpr Api api = kDescribeTopicPartitions;

  struct Topic {
    std::string name;

    static void describe(auto& m, auto& visit) { visit("name", m.name); }
  };

  struct Cursor {
    std::string topic_name;
    std::int32_t partition_index = 0;

    static void describe(auto& m, auto& visit) {
      visit("topic_name", m.topic_name);
      visit("partition_index", m.partition_index);
    }
  };

  std::vector<Topic> topics;
  std::int32_t response_partition_limit = 0;
  std::optional<Cursor> cursor;

  static void describe(auto& m, auto& visit) {
    visit("topics", m.topics);
    visit("response_partition_limit", m.response_partition_limit);
    visit("cursor", m.cursor);
  }
};

struct DescribeTopicPartitionsResponse {
  static constexpr Api api = kDescribeTopicPartitions;

  struct Topic {
    struct Partition {
      base::ErrorCode error_code = base::ErrorCode::none;
      std::int32_t partition_index = 0;
      base::BrokerId leader_id{-1};
      base::LeaderEpoch leader_epoch{-1};
      std::vector<base::BrokerId> replica_nodes;
      std::vector<base::BrokerId> isr_nodes;
      std::optional<std::vector<base::BrokerId>> eligible_leader_replicas;
      std::optional<std::vector<base::BrokerId>> last_known_elr;
      std::vector<base::BrokerId> offline_replicas;

      static void describe(auto& m, auto& visit) {
        visit("error_code", m.error_code);
        visit("partition_index", m.partition_index);
        visit("leader_id", m.leader_id);
        visit("leader_epoch", m.leader_epoch);
        visit("replica_nodes", m.replica_nodes);
        visit("isr_nodes", m.isr_nodes);
        visit("eligible_leader_replicas", m.eligible_leader_replicas);
        visit("last_known_elr", m.last_known_elr);
        visit("offline_replicas", m.offline_replicas);
      }
    };

    base::ErrorCode error_code = base::ErrorCode::none;
    std::optional<std::string> name;
    base::Uuid topic_id;
    bool is_internal = false;
    std::vector<Partition> partitions;
    std::int32_t topic_authorized_operations = kOperationsNotAsked;

    static void describe(auto& m, auto& visit) {
      visit("error_code", m.error_code);
      visit("name", m.name);
      visit("topic_id", m.topic_id);
      visit("is_internal", m.is_internal);
      visit("partitions", m.partitions);
      visit("topic_authorized_operations", m.topic_authorized_operations);
    }
  };

  struct NextCursor {
    std::string topic_name;
    std::int32_t partition_index = 0;

    static void describe(auto& m, auto& visit) {
      visit("topic_name", m.topic_name);
      visit("partition_index", m.partition_index);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  std::optional<NextCursor> next_cursor;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("topics", m.topics);
    visit("next_cursor", m.next_cursor);
  }
};

}  // namespace protocol
