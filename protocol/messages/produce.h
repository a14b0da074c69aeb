// Produce: a client appends record batches to partitions this broker leads. acks=0 gets no response frame.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kProduce{.key = 0, .name = "Produce", .versions = {0, 11}, .flexible_since = 9};

struct ProduceRequest {
  static constexpr Api api = kProduce;

  struct Topic {
    struct Partition {
      std::int32_t index = 0;
      Records records;

      static void describe(auto& m, auto& visit) {
        visit("index", m.index);
        visit("records", m.records);
      }
    };

    std::string name;
    std::vector<Partition> partition_data;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("partition_data", m.partition_data);
    }
  };

  std::optional<std::string> transactional_id;
  std::int16_t acks = 0;
  std::int32_t timeout_ms = 0;
  std::vector<Topic> topic_data;

  static void describe(auto& m, auto& visit) {
    visit("transactional_id", m.transactional_id, since(3));
    visit("acks", m.acks);
    visit("timeout_ms", m.timeout_ms);
    visit("topic_data", m.topic_data);
  }
};

struct ProduceResponse {
  static constexpr Api api = kProduce;

  struct Topic {
    struct Partition {
      struct RecordError {
        std::int32_t batch_index = 0;
        std::optional<std::string> batch_index_error_message;

        static void describe(auto& m, auto& visit) {
          visit("batch_index", m.batch_index);
          visit("batch_index_error_message", m.batch_index_error_message);
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

      std::int32_t index = 0;
      base::ErrorCode error_code = base::ErrorCode::none;
      base::Offset base_offset;
      std::int64_t log_append_time_ms = -1;
      base::Offset log_start_offset{-1};
      std::vector<RecordError> record_errors;
      std::optional<std::string> error_message;
      std::optional<CurrentLeader> current_leader;

      static void describe(auto& m, auto& visit) {
        visit("index", m.index);
        visit("error_code", m.error_code);
        visit("base_offset", m.base_offset);
        visit("log_append_time_ms", m.log_append_time_ms, since(2));
        visit("log_start_offset", m.log_start_offset, since(5));
        visit("record_errors", m.record_errors, since(8));
        visit("error_message", m.error_message, since(8));
      }
      static void describe_tags(auto& m, auto& visit) { visit(0, "current_leader", m.current_leader, since(10)); }
    };

    std::string name;
    std::vector<Partition> partition_responses;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("partition_responses", m.partition_responses);
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

  std::vector<Topic> responses;
  std::int32_t throttle_time_ms = 0;
  std::optional<std::vector<NodeEndpoint>> node_endpoints;

  static void describe(auto& m, auto& visit) {
    visit("responses", m.responses);
    visit("throttle_time_ms", m.throttle_time_ms, since(1));
  }
  static void describe_tags(auto& m, auto& visit) { visit(0, "node_endpoints", m.node_endpoints, since(10)); }
};

}  // namespace protocol
