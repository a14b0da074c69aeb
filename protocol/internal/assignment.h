// What consumers tell each other through their group: which topics a member wants, which partitions it got. To the
// coordinator these are opaque; it looks into them only for the topics a group reads, tools for the partitions.
//
// Versions only add fields at the end; a newer one is read as the newest known.
// Source: ConsumerProtocolSubscription, ConsumerProtocolAssignment of Apache Kafka 3.9.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/internal/versioned.h"
#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

struct ConsumerPartitions {
  std::string topic;
  std::vector<std::int32_t> partitions;

  bool operator==(const ConsumerPartitions&) const = default;
  static void describe(auto& m, auto& visit) {
    visit("topic", m.topic);
    visit("partitions", m.partitions);
  }
};

struct ConsumerSubscription {
  static constexpr Api api{.key = -1, .name = "ConsumerProtocolSubscription", .versions = {0, 3}};

  std::vector<std::string> topics;
  std::optional<Bytes> user_data;
  std::vector<ConsumerPartitions> owned_partitions;
  std::int32_t generation_id = -1;
  std::optional<std::string> rack_id;

  bool operator==(const ConsumerSubscription&) const = default;
  static void describe(auto& m, auto& visit) {
    visit("topics", m.topics);
    visit("user_data", m.user_data);
    visit("owned_partitions", m.owned_partitions, since(1));
    visit("generation_id", m.generation_id, since(2));
    visit("rack_id", m.rack_id, since(3));
  }
};

struct ConsumerAssignment {
  static constexpr Api api{.key = -1, .name = "ConsumerProtocolAssignment", .versions = {0, 3}};

  std::vector<ConsumerPartitions> assigned_partitions;
  std::optional<Bytes> user_data;

  bool operator==(const ConsumerAssignment&) const = default;
  static void describe(auto& m, auto& visit) {
    visit("assigned_partitions", m.assigned_partitions);
    visit("user_data", m.user_data);
  }
};

}  // namespace protocol
