// ElectLeaders: preferred or unclean elections on request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kElectLeaders{.key = 43, .name = "ElectLeaders", .versions = {0, 2}, .flexible_since = 2};

struct ElectLeadersRequest {
  static constexpr Api api = kElectLeaders;

  struct TopicPartition {
    std::string topic;
    std::vector<std::int32_t> partitions;

    static void describe(auto& m, auto& visit) {
      visit("topic", m.topic);
      visit("partitions", m.partitions);
    }
  };

  std::int8_t election_type = 0;
  std::optional<std::vector<TopicPartition>> topic_partitions;
  std::int32_t timeout_ms = 60000;

  static void describe(auto& m, auto& visit) {
    visit("election_type", m.election_type, since(1));
    visit("topic_partitions", m.topic_partitions);
    visit("timeout_ms", m.timeout_ms);
  }
};

struct ElectLeadersResponse {
  static constexpr Api api = kElectLeaders;

  struct ReplicaElectionResult {
    struct PartitionResult {
      std::int32_t partition_id = 0;
      base::ErrorCode error_code = base::ErrorCode::none;
      std::optional<std::string> error_message;

      static void describe(auto& m, auto& visit) {
        visit("partition_id", m.partition_id);
        visit("error_code", m.error_code);
        visit("error_message", m.error_message);
      }
    };

    std::string topic;
    std::vector<PartitionResult> partition_result;

    static void describe(auto& m, auto& visit) {
      visit("topic", m.topic);
      visit("partition_result", m.partition_result);
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::vector<ReplicaElectionResult> replica_election_results;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code, since(1));
    visit("replica_election_results", m.replica_election_results);
  }
};

}  // namespace protocol
