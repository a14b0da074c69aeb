// Fetch: consumers read, followers replicate. Sessions (KIP-227) from version 7, topic ids from version 13.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kFetch{.key = 1, .name = "Fetch", .versions = {0, 17}, .flexible_since = 12};

struct FetchRequest {
  static constexpr Api api = kFetch;

  struct Topic {
    struct Partition {
      std::int32_t partition = 0;
      base::LeaderEpoch current_leader_epoch{-1};
      base::Offset fetch_offset;
      base::LeaderEpoch last_fetched_epoch{-1};
      base::Offset log_start_offset{-1};
      std::int32_t partition_max_bytes = 0;
      std::optional<base::Uuid> replica_directory_id;

      static void describe(auto& m, auto& visit) {
        visit("partition", m.partition);
        visit("current_leader_epoch", m.current_leader_epoch, since(9));
        visit("fetch_offset", m.fetch_offset);
        visit("last_fetched_epoch", m.last_fetched_epoch, since(12));
        visit("log_start_offset", m.log_start_offset, since(5));
        visit("partition_max_bytes", m.partition_max_bytes);
      }
      static void describe_tags(auto& m, auto& visit) {
        visit(0, "replica_directory_id", m.replica_directory_id, since(17));
      }
    };

    base::Uuid topic_id;
    std::string topic;
    std::vector<Partition> partitions;

    static void describe(auto& m, auto& visit) {
      visit("topic_id", m.topic_id, since(13));
      visit("topic", m.topic, until(12));
      visit("partitions", m.partitions);
    }
  };

  struct ForgottenTopic {
    base::Uuid topic_id;
    std::string topic;
    std::vector<std::int32_t> partitions;

    static void describe(auto& m, auto& visit) {
      visit("topic_id", m.topic_id, since(13));
      visit("topic", m.topic, until(12));
      visit("partitions", m.partitions);
    }
  };

  struct ReplicaState {
    base::BrokerId replica_id{-1};
    std::int64_t replica_epoch = -1;

    static void describe(auto& m, auto& visit) {
      visit("replica_id", m.replica_id);
      visit("replica_epoch", m.replica_epoch);
    }
  };

  base::BrokerId replica_id{-1};
  std::int32_t max_wait_ms = 0;
  std::int32_t min_bytes = 0;
  std::int32_t max_bytes = 0x7fffffff;
  std::int8_t isolation_level = 0;
  std::int32_t session_id = 0;
  std::int32_t session_epoch = -1;
  std::vector<Topic> topics;
  std::vector<ForgottenTopic> forgotten_topics_data;
  std::string rack_id;
  std::optional<std::string> cluster_id;
  std::optional<ReplicaState> replica_state;

  static void describe(auto& m, auto& visit) {
    visit("replica_id", m.replica_id, until(14));
    visit("max_wait_ms", m.max_wait_ms);
    visit("min_bytes", m.min_bytes);
    visit("max_bytes", m.max_bytes, since(3));
    visit("isolation_level", m.isolation_level, since(4));
    visit("session_id", m.session_id, since(7));
    visit("session_epoch", m.session_epoch, since(7));
    visit("topics", m.topics);
    visit("forgotten_topics_data", m.forgotten_topics_data, since(7));
    visit("rack_id", m.rack_id, since(11));
  }
  static void describe_tags(auto& m, auto& visit) {
    visit(0, "cluster_id", m.cluster_id, since(12).nullable());
    visit(1, "replica_state", m.replica_state, since(15));
  }
};

struct FetchResponse {
  static constexpr Api api = kFetch;

  struct Topic {
    struct Partition {
      struct AbortedTransaction {
        base::ProducerId producer_id{-1};
        base::Offset first_offset;

        static void describe(auto& m, auto& visit) {
          visit("producer_id", m.producer_id);
          visit("first_offset", m.first_offset);
        }
      };

      struct DivergingEpoch {
        base::LeaderEpoch epoch{-1};
        base::Offset end_offset{-1};

        static void describe(auto& m, auto& visit) {
          visit("epoch", m.epoch);
          visit("end_offset", m.end_offset);
        }
      };

      struct CurrentLeader {
        base::BrokerId leader_id{-1};
        base::LeaderEpoch leader_epoch{-1};

        static void describe(auto& m, auto& visit) {
          visit("leader_id", m.leader_id);
          visit("leader_epoch", m.leader_epoch);
        }
      };

      struct SnapshotId {
        base::Offset end_offset{-1};
        base::LeaderEpoch epoch{-1};

        static void describe(auto& m, auto& visit) {
          visit("end_offset", m.end_offset);
          visit("epoch", m.epoch);
        }
      };

      std::int32_t partition_index = 0;
      base::ErrorCode error_code = base::ErrorCode::none;
      base::Offset high_watermark;
      base::Offset last_stable_offset{-1};
      base::Offset log_start_offset{-1};
      std::optional<std::vector<AbortedTransaction>> aborted_transactions;
      base::BrokerId preferred_read_replica{-1};
      Records records;
      std::optional<DivergingEpoch> diverging_epoch;
      std::optional<CurrentLeader> current_leader;
      std::optional<SnapshotId> snapshot_id;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("error_code", m.error_code);
        visit("high_watermark", m.high_watermark);
        visit("last_stable_offset", m.last_stable_offset, since(4));
        visit("log_start_offset", m.log_start_offset, since(5));
        visit("aborted_transactions", m.aborted_transactions, since(4));
        visit("preferred_read_replica", m.preferred_read_replica, since(11));
        visit("records", m.records);
      }
      static void describe_tags(auto& m, auto& visit) {
        visit(0, "diverging_epoch", m.diverging_epoch, since(12));
        visit(1, "current_leader", m.current_leader, since(12));
        visit(2, "snapshot_id", m.snapshot_id, since(12));
      }
    };

    base::Uuid topic_id;
    std::string topic;
    std::vector<Partition> partitions;

    static void describe(auto& m, auto& visit) {
      visit("topic_id", m.topic_id, since(13));
      visit("topic", m.topic, until(12));
      visit("partitions", m.partitions);
    }
  };

  struct NodeEndpoint {
    base::BrokerId node_id;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;

    static void describe(auto& m, auto& visit) {
      visit("node_id", m.node_id);
      visit("host", m.host);
      visit("port", m.port);
      visit("rack", m.rack);
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::int32_t session_id = 0;
  std::vector<Topic> responses;
  std::optional<std::vector<NodeEndpoint>> node_endpoints;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms, since(1));
    visit("error_code", m.error_code, since(7));
    visit("session_id", m.session_id, since(7));
    visit("responses", m.responses);
  }
  static void describe_tags(auto& m, auto& visit) { visit(0, "node_endpoints", m.node_endpoints, since(16)); }
};

}  // namespace protocol
