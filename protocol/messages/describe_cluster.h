// DescribeCluster: cluster id, controller and brokers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kDescribeCluster{.key = 60, .name = "DescribeCluster", .versions = {0, 1}, .flexible_since = 0};

struct DescribeClusterRequest {
  static constexpr Api api = kDescribeCluster;

  bool include_cluster_authorized_operations = false;
  std::int8_t endpoint_type = 1;

  static void describe(auto& m, auto& visit) {
    visit("include_cluster_authorized_operations", m.include_cluster_authorized_operations);
    visit("endpoint_type", m.endpoint_type, since(1));
  }
};

struct DescribeClusterResponse {
  static constexpr Api api = kDescribeCluster;

  struct Broker {
    base::BrokerId broker_id;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;

    static void describe(auto& m, auto& visit) {
      visit("broker_id", m.broker_id);
      visit("host", m.host);
      visit("port", m.port);
      visit("rack", m.rack);
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::optional<std::string> error_message;
  std::int8_t endpoint_type = 1;
  std::string cluster_id;
  base::BrokerId controller_id{-1};
  std::vector<Broker> brokers;
  std::int32_t cluster_authorized_operations = kOperationsNotAsked;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code);
    visit("error_message", m.error_message);
    visit("endpoint_type", m.endpoint_type, since(1));
    visit("cluster_id", m.cluster_id);
    visit("controller_id", m.controller_id);
    visit("brokers", m.brokers);
    visit("cluster_authorized_operations", m.cluster_authorized_operations);
  }
};

}  // namespace protocol
