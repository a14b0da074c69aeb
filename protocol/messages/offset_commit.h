// OffsetCommit: a group member stores how far it has read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kOffsetCommit{.key = 8, .name = "OffsetCommit", .versions = {0, 9}, .flexible_since = 8};

struct OffsetCommitRequest {
  static constexpr Api api = kOffsetCommit;

  struct Topic {
    struct Partition {
      std::int32_t partition_index = 0;
      base::Offset committed_offset;
      base::LeaderEpoch committed_leader_epoch{-1};
      std::int64_t commit_timestamp = 0;
      std::optional<std::string> committed_metadata;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("committed_offset", m.committed_offset);
        visit("committed_leader_epoch", m.committed_leader_epoch, since(6));
        visit("commit_timestamp", m.commit_timestamp, between(1, 1));
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

  std::string group_id;
  std::int32_t generation_id_or_member_epoch = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::int64_t retention_time_ms = -1;
  std::vector<Topic> topics;

  static void describe(auto& m, auto& visit) {
    visit("group_id", m.group_id);
    visit("generation_id_or_member_epoch", m.generation_id_or_member_epoch, since(1));
    visit("member_id", m.member_id, since(1));
    visit("group_instance_id", m.group_instance_id, since(7));
    visit("retention_time_ms", m.retention_time_ms, between(2, 4));
    visit("topics", m.topics);
  }
};

struct OffsetCommitResponse {
  static constexpr Api api = kOffsetCommit;

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
    visit("throttle_time_ms", m.throttle_time_ms, since(3));
    visit("topics", m.topics);
  }
};

}  // namespace protocol
