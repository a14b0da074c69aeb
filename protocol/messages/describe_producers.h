// DescribeProducers: producer state of partitions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kDescribeProducers{
    .key = 61, .name = "DescribeProducers", .versions = {0, 0}, .flexible_since = 0};

struct DescribeProducersRequest {
  static constexpr Api api = kDescribeProducers;

  struct Topic {
    std::string name;
    std::vector<std::int32_t> partition_indexes;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("partition_indexes", m.partition_indexes);
    }
  };

  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) { visit("topics", m.topics); }
};

struct DescribeProducersResponse {
  static constexpr Api api = kDescribeProducers;

  struct Topic {
    struct Partition {
      struct ActiveProducer {
        base::ProducerId producer_id{-1};
        std::int32_t producer_epoch = -1;
        std::int32_t last_sequence = 0;
        std::int64_t last_timestamp = 0;
        std::int32_t coordinator_epoch = 0;
        base::Offset current_txn_start_offset;

        static void describe(auto& m, auto& visit) {
          visit("producer_id", m.producer_id);
          visit("producer_epoch", m.producer_epoch);
          visit("last_sequence", m.last_sequence);
          visit("last_timestamp", m.last_timestamp);
          visit("coordinator_epoch", m.coordinator_epoch);
          visit("current_txn_start_offset", m.current_txn_start_offset);
        }
      };

      std::int32_t partition_index = 0;
      base::ErrorCode error_code = base::ErrorCode::none;
      std::optional<std::string> error_message;
      std::vector<ActiveProducer> active_producers;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("error_code", m.error_code);
        visit("error_message", m.error_message);
        visit("active_producers", m.active_producers);
      }
    };

    std::string name;
    std::vector<Partition> partitions;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("partitions", m.partitions);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("topics", m.topics);
  }
};

}  // namespace protocol
