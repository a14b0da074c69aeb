// WriteTxnMarkers: the transaction coordinator has partition leaders write commit or abort markers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kWriteTxnMarkers{.key = 27, .name = "WriteTxnMarkers", .versions = {0, 1}, .flexible_since = 1};

struct WriteTxnMarkersRequest {
  static constexpr Api api = kWriteTxnMarkers;

  struct Marker {
    struct Topic {
      std::string name;
      std::vector<std::int32_t> partition_indexes;

      static void describe(auto& m, auto& visit) {
        visit("name", m.name);
        visit("partition_indexes", m.partition_indexes);
      }
    };

    base::ProducerId producer_id{-1};
    base::ProducerEpoch producer_epoch{-1};
    bool transaction_result = false;
    std::vector<Topic> topics;
    std::int32_t coordinator_epoch = 0;

    static void describe(auto& m, auto& visit) {
      visit("producer_id", m.producer_id);
      visit("producer_epoch", m.producer_epoch);
      visit("transaction_result", m.transaction_result);
      visit("topics", m.topics);
      visit("coordinator_epoch", m.coordinator_epoch);
    }
  };

  std::vector<Marker> markers;

  static void describe(auto& m, auto& visit) { visit("markers", m.markers); }
};

struct WriteTxnMarkersResponse {
  static constexpr Api api = kWriteTxnMarkers;

  struct Marker {
    struct Topic {
      struct Partition {
        std::int32_t partition_index = 0;
        base::ErrorCode error_code = base::ErrorCode::none;

        static void describe(auto& m, auto& visit) {
          visit("partition_index", m.partition_index);
          visit("error_code", m.error_code);
        }
      };

      std::string name;
      std::vector<Partition> partitions;

      static void describe(auto& m, auto& visit) {
        visit("name", m.name);
        visit("partitions", m.partitions);
      }
    };

    base::ProducerId producer_id{-1};
    std::vector<Topic> topics;

    static void describe(auto& m, auto& visit) {
      visit("producer_id", m.producer_id);
      visit("topics", m.topics);
    }
  };

  std::vector<Marker> markers;

  static void describe(auto& m, auto& visit) { visit("markers", m.markers); }
};

}  // namespace protocol
