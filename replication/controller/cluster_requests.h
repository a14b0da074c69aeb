// What brokers and clients ask of the controller besides topics, and what it answers: plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"

namespace replication {

// Of one partition asked about.
struct PartitionResult {
  base::TopicPartition partition{};
  base::ErrorCode code = base::ErrorCode::none;
  std::optional<std::string> message{};
};
struct PartitionResults {
  base::ErrorCode code = base::ErrorCode::none;  // of the whole request
  std::vector<PartitionResult> partitions{};     // in the order asked for
};

// ---- ElectLeaders

enum class ElectionType : std::int8_t { preferred = 0, unclean = 1 };
struct ElectionRequest {
  ElectionType type = ElectionType::preferred;
  std::optional<std::vector<base::TopicPartition>> partitions{};  // none: all that need it
  std::chrono::milliseconds timeout{0};
};

// ---- ControlledShutdown

struct ShutdownReply {
  base::ErrorCode code = base::ErrorCode::none;
  std::vector<base::TopicPartition> remaining{};  // led there still, though others have replicas
};

// ---- AlterPartitionReassignments, ListPartitionReassignments

struct WantedReplicas {
  base::TopicPartition partition{};
  std::optional<std::vector<base::BrokerId>> replicas{};  // none: back to where they were
};
struct MovingPartition {
  base::TopicPartition partition{};
  std::vector<base::BrokerId> replicas{};  // the target first, then those being removed
  std::vector<base::BrokerId> adding{};
  std::vector<base::BrokerId> removing{};
};
struct MovingPartitions {
  base::ErrorCode code = base::ErrorCode::none;
  std::vector<MovingPartition> partitions{};
};

}  // namespace replication
