// UpdateMetadata: the controller tells a broker what clients may see of the cluster.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kUpdateMetadata{.key = 6, .name = "UpdateMetadata", .versions = {0, 8}, .flexible_since = 6};

struct UpdateMetadataRequest {
  static constexpr Api api = kUpdateMetadata;

  struct TopicState {
    struct PartitionState {
      std::int32_t partition_index = 0;
      std::int32_t controller_epoch = 0;
      base::BrokerId leader;
      base::LeaderEpoch leader_epoch{-1};
      std::vector<base::BrokerId> isr;
      std::int32_t zk_version = 0;
      std::vector<base::BrokerId> replicas;
      std::vector<base::BrokerId> offline_replicas;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("controller_epoch", m.controller_epoch);
        visit("leader", m.leader);
        visit("leader_epoch", m.leader_epoch);
        visit("isr", m.isr);
        visit("zk_version", m.zk_version);
        visit("replicas", m.replicas);
        visit("offline_replicas", m.offline_replicas);
      }
    };

    std::string topic_name;
    base::Uuid topic_id;
    std::vector<PartitionState> partition_states;

    static void describe(auto& m, auto& visit) {
      visit("topic_name", m.topic_name);
      visit("topic_id", m.topic_id, since(7));
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
    std::int32_t zk_version = 0;
    std::vector<base::BrokerId> replicas;
    std::vector<base::BrokerId> offline_replicas;

    static void describe(auto& m, auto& visit) {
      visit("topic_name", m.topic_name);
      visit("partition_index", m.partition_index);
      visit("controller_epoch", m.controller_epoch);
      visit("leader", m.leader);
      visit("leader_epoch", m.leader_epoch);
      visit("isr", m.isr);
      visit("zk_version", m.zk_version);
      visit("replicas", m.replicas);
      visit("offline_replicas", m.offline_replicas, since(4));
    }
  };

  struct LiveBroker {
    struct Endpoint {
      std::int32_t port = 0;
      std::string host;
      std::string listener;
      std::int16_t security_protocol = 0;

      static void describe(auto& m, auto& visit) {
        visit("port", m.port);
        visit("host", m.host);
        visit("listener", m.listener, since(3));
        visit("security_protocol", m.security_protocol);
      }
    };

    base::BrokerId id;
    std::vector<Endpoint> endpoints;
    std::optional<std::string> rack;
    std::string v0_host;
    std::int32_t v0_port = 0;

    static void describe(auto& m, auto& visit) {
      visit("id", m.id);
      visit("endpoints", m.endpoints, since(1));
      visit("rack", m.rack, since(2));
      visit("v0_host", m.v0_host, until(0));
      visit("v0_port", m.v0_port, until(0));
    }
  };

  base::BrokerId controller_id{-1};
  bool is_kraft_controller = false;
  std::int32_t controller_epoch = 0;
  std::int64_t broker_epoch = -1;
  std::vector<TopicState> topic_states;
  std::vector<PartitionState> ungrouped_partition_states;
  std::vector<LiveBroker> live_brokers;
  std::optional<std::int8_t> type;

  static void describe(auto& m, auto& visit) {
    visit("controller_id", m.controller_id);
    visit("is_kraft_controller", m.is_kraft_controller, since(8));
    visit("controller_epoch", m.controller_epoch);
    visit("broker_epoch", m.broker_epoch, since(5));
    visit("topic_states", m.topic_states, since(5));
    visit("ungrouped_partition_states", m.ungrouped_partition_states, until(4));
    visit("live_brokers", m.live_brokers);
  }
  static void describe_tags(auto& m, auto& visit) { visit(0, "type", m.type, since(8)); }
};

struct UpdateMetadataResponse {
  static constexpr Api api = kUpdateMetadata;

  base::ErrorCode error_code = base::ErrorCode::none;

  static void describe(auto& m, auto& visit) { visit("error_code", m.error_code); }
};

}  // namespace protocol
