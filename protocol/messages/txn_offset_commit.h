// TxnOffsetCommit: offsets that count once the transaction commits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kTxnOffsetCommit{.key = 28, .name = "TxnOffsetCommit", .versions = {0, 4}, .flexible_since = 3};

struct TxnOffsetCommitRequest {
  static constexpr Api api = kTxnOffsetCommit;

  struct Topic {
    struct Partition {
      std::int32_t partition_index = 0;
      base::Offset committed_offset;
      base::LeaderEpoch committed_leader_epoch{-1};
      std::optional<std::string> committed_metadata;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("committed_offset", m.committed_offset);
        visit("committed_leader_epoch", m.committed_leader_epoch, since(2));
        visit("committed_metadata", m.committed_metadata);
      }
    };

    std::string name;
    std::vector<Partition> partitions;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("partitions", m.partitions);
    }
  };

  std::string transactional_id;
  std::string group_id;
  base::ProducerId producer_id{-1};
  base::ProducerEpoch producer_epoch{-1};
  std::int32_t generation_id = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) {
    visit("transactional_id", m.transactional_id);
    visit("group_id", m.group_id);
    visit("producer_id", m.producer_id);
    visit("producer_epoch", m.producer_epoch);
    visit("generation_id", m.generation_id, since(3));
    visit("member_id", m.member_id, since(3));
    visit("group_instance_id", m.group_instance_id, since(3));
    visit("topics", m.topics);
  }
};

struct TxnOffsetCommitResponse {
  static constexpr Api api = kTxnOffsetCommit;

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

  std::int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("topics", m.topics);
  }
};

}  // namespace protocol
