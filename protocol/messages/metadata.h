// Metadata: brokers, topics, partitions and leaders; may create a missing topic.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kMetadata{.key = 3, .name = "Metadata", .versions = {0, 12}, .flexible_since = 9};

struct MetadataRequest {
  static constexpr Api api = kMetadata;

  struct Topic {
    base::Uuid topic_id;
    std::optional<std::string> name;

    static void describe(auto& m, auto& visit) {
      visit("topic_id", m.topic_id, since(10));
      visit("name", m.name, nullable_since(10));
    }
  };

  std::optional<std::vector<Topic>> topics;
  bool allow_auto_topic_creation = true;
  bool include_cluster_authorized_operations = false;
  bool include_topic_authorized_operations = false;

  static void describe(auto& m, auto& visit) {
    visit("topics", m.topics, nullable_since(1));
    visit("allow_auto_topic_creation", m.allow_auto_topic_creation, since(4));
    visit("include_cluster_authorized_operations", m.include_cluster_authorized_operations, between(8, 10));
    visit("include_topic_authorized_operations", m.include_topic_authorized_operations, since(8));
  }
};

struct MetadataResponse {
  static constexpr Api api = kMetadata;

  struct Broker {
    base::BrokerId node_id;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;

    static void describe(auto& m, auto& visit) {
      visit("node_id", m.node_id);
      visit("host", m.host);
      visit("port", m.port);
      visit("rack", m.rack, since(1));
    }
  };

  struct Topic {
    struct Partition {
      base::ErrorCode error_code = base::ErrorCode::none;
      std::int32_t partition_index = 0;
      base::BrokerId leader_id{-1};
      base::LeaderEpoch leader_epoch{-1};
      std::vector<base::BrokerId> replica_nodes;
      std::vector<base::BrokerId> isr_nodes;
      std::vector<base::BrokerId> offline_replicas;

      static void describe(auto& m, auto& visit) {
        visit("error_code", m.error_code);
        visit("partition_index", m.partition_index);
        visit("leader_id", m.leader_id);
        visit("leader_epoch", m.leader_epoch, since(7));
        visit("replica_nodes", m.replica_nodes);
        visit("isr_nodes", m.isr_nodes);
        visit("offline_replicas", m.offline_replicas, since(5));
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
      visit("name", m.name, nullable_since(12));
      visit("topic_id", m.topic_id, since(10));
      visit("is_internal", m.is_internal, since(1));
      visit("partitions", m.partitions);
      visit("topic_authorized_operations", m.topic_authorized_operations, since(8));
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Broker> brokers;
  std::optional<std::string> cluster_id;
  base::BrokerId controller_id{-1};
  std::vector<Topic> topics;
  std::int32_t cluster_authorized_operations = kOperationsNotAsked;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms, since(3));
    visit("brokers", m.brokers);
    visit("cluster_id", m.cluster_id, since(2));
    visit("controller_id", m.controller_id, since(1));
    visit("topics", m.topics);
    visit("cluster_authorized_operations", m.cluster_authorized_operations, between(8, 10));
  }
};

}  // namespace protocol
