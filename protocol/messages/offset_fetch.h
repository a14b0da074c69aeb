// OffsetFetch: a group's stored offsets; many groups at once from version 8.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kOffsetFetch{.key = 9, .name = "OffsetFetch", .versions = {0, 9}, .flexible_since = 6};

struct OffsetFetchRequest {
  static constexpr Api api = kOffsetFetch;

  struct Group {
    struct Topic {
      std::string name;
      std::vector<std::int32_t> partition_indexes;

      static void describe(auto& m, auto& visit) {
        visit("name", m.name);
        visit("partition_indexes", m.partition_indexes);
      }
    };

    std::string group_id;
    std::optional<std::string> member_id;
    std::int32_t member_epoch = -1;
    std::optional<std::vector<Topic>> topics;

    static void describe(auto& m, auto& visit) {
      visit("group_id", m.group_id);
      visit("member_id", m.member_id, since(9));
      visit("member_epoch", m.member_epoch, since(9));
      visit("topics", m.topics);
    }
  };

  struct Topic {
    std::string name;
    std::vector<std::int32_t> partition_indexes;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("partition_indexes", m.partition_indexes);
    }
  };

  std::vector<Group> groups;
  std::string group_id;
  std::optional<std::vector<Topic>> topics;
  bool require_stable = false;

  static void describe(auto& m, auto& visit) {
    visit("groups", m.groups, since(8));
    visit("group_id", m.group_id, until(7));
    visit("topics", m.topics, until(7).nullable_since(2));
    visit("require_stable", m.require_stable, since(7));
  }
};

struct OffsetFetchResponse {
  static constexpr Api api = kOffsetFetch;

  struct Group {
    struct Topic {
      struct Partition {
        std::int32_t partition_index = 0;
        base::Offset committed_offset;
        base::LeaderEpoch committed_leader_epoch{-1};
        std::optional<std::string> metadata;
        base::ErrorCode error_code = base::ErrorCode::none;

        static void describe(auto& m, auto& visit) {
          visit("partition_index", m.partition_index);
          visit("committed_offset", m.committed_offset);
          visit("committed_leader_epoch", m.committed_leader_epoch);
          visit("metadata", m.metadata);
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

    std::string group_id;
    std::vector<Topic> topics;
    base::ErrorCode error_code = base::ErrorCode::none;

    static void describe(auto& m, auto& visit) {
      visit("group_id", m.group_id);
      visit("topics", m.topics);
      visit("error_code", m.error_code);
    }
  };

  struct Topic {
    struct Partition {
      std::int32_t partition_index = 0;
      base::Offset committed_offset;
      base::LeaderEpoch committed_leader_epoch{-1};
      std::optional<std::string> metadata;
      base::ErrorCode error_code = base::ErrorCode::none;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("committed_offset", m.committed_offset);
        visit("committed_leader_epoch", m.committed_leader_epoch, since(5));
        visit("metadata", m.metadata);
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
  std::vector<Group> groups;
  std::vector<Topic> topics;
  base::ErrorCode error_code = base::ErrorCode::none;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms, since(3));
    visit("groups", m.groups, since(8));
    visit("topics", m.topics, until(7));
    visit("error_code", m.error_code, between(2, 7));
  }
};

}  // namespace protocol
