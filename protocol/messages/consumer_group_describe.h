// ConsumerGroupDescribe: groups of the KIP-848 protocol.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kConsumerGroupDescribe{
    .key = 69, .name = "ConsumerGroupDescribe", .versions = {0, 0}, .flexible_since = 0};

struct ConsumerGroupDescribeRequest {
  static constexpr Api api = kConsumerGroupDescribe;

  std::vector<std::string> group_ids;
  bool include_authorized_operations = false;

  static void describe(auto& m, auto& visit) {
    visit("group_ids", m.group_ids);
    visit("include_authorized_operations", m.include_authorized_operations);
  }
};

struct ConsumerGroupDescribeResponse {
  static constexpr Api api = kConsumerGroupDescribe;

  struct Group {
    struct Member {
      struct Assignment {
        struct TopicPartition {
          base::Uuid topic_id;
          std::string topic_name;
          std::vector<std::int32_t> partitions;

          static void describe(auto& m, auto& visit) {
            visit("topic_id", m.topic_id);
            visit("topic_name", m.topic_name);
            visit("partitions", m.partitions);
          }
        };

        std::vector<TopicPartition> topic_partitions;

        static void describe(auto& m, auto& visit) { visit("topic_partitions", m.topic_partitions); }
      };

      struct TargetAssignment {
        struct TopicPartition {
          base::Uuid topic_id;
          std::string topic_name;
          std::vector<std::int32_t> partitions;

          static void describe(auto& m, auto& visit) {
            visit("topic_id", m.topic_id);
            visit("topic_name", m.topic_name);
            visit("partitions", m.partitions);
          }
        };

        std::vector<TopicPartition> topic_partitions;

        static void describe(auto& m, auto& visit) { visit("topic_partitions", m.topic_partitions); }
      };

      std::string member_id;
      std::optional<std::string> instance_id;
      std::optional<std::string> rack_id;
      std::int32_t member_epoch = -1;
      std::string client_id;
      std::string client_host;
      std::vector<std::string> subscribed_topic_names;
      std::optional<std::string> subscribed_topic_regex;
      Assignment assignment;
      TargetAssignment target_assignment;

      static void describe(auto& m, auto& visit) {
        visit("member_id", m.member_id);
        visit("instance_id", m.instance_id);
        visit("rack_id", m.rack_id);
        visit("member_epoch", m.member_epoch);
        visit("client_id", m.client_id);
        visit("client_host", m.client_host);
        visit("subscribed_topic_names", m.subscribed_topic_names);
        visit("subscribed_topic_regex", m.subscribed_topic_regex);
        visit("assignment", m.assignment);
        visit("target_assignment", m.target_assignment);
      }
    };

    base::ErrorCode error_code = base::ErrorCode::none;
    std::optional<std::string> error_message;
    std::string group_id;
    std::string group_state;
    std::int32_t group_epoch = 0;
    std::int32_t assignment_epoch = 0;
    std::string assignor_name;
    std::vector<Member> members;
    std::int32_t authorized_operations = kOperationsNotAsked;

    static void describe(auto& m, auto& visit) {
      visit("error_code", m.error_code);
      visit("error_message", m.error_message);
      visit("group_id", m.group_id);
      visit("group_state", m.group_state);
      visit("group_epoch", m.group_epoch);
      visit("assignment_epoch", m.assignment_epoch);
      visit("assignor_name", m.assignor_name);
      visit("members", m.members);
      visit("authorized_operations", m.authorized_operations);
    }
  };

  std::int32_t throttle_time_ms = 0;
  std::vector<Group> groups;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("groups", m.groups);
  }
};

}  // namespace protocol
