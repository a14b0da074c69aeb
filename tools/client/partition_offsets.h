// Partitions of topics, their leaders, and where they begin, end, or reach a time (ListOffsets). Leaders are asked
// again while the answer is only "not here" or "not yet".
#pragma once

#include <map>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "tools/client/admin.h"

namespace tools {

// ListOffsets' timestamps with a meaning of their own.
inline constexpr std::int64_t kLatestOffset = -1;
inline constexpr std::int64_t kEarliestOffset = -2;
inline constexpr std::int64_t kMaxTimestampOffset = -3;
inline constexpr std::int64_t kEarliestLocalOffset = -4;
inline constexpr std::int64_t kLatestTieredOffset = -5;

// An offset of -1: no record is as late as asked for.
using OffsetOrError = std::variant<base::Offset, base::Error>;
using PartitionOffsets = std::map<base::TopicPartition, OffsetOrError>;

// One entry for each of `partitions`. `timestamp` in milliseconds, or one of the above.
PartitionOffsets list_offsets(Admin& admin, const std::vector<base::TopicPartition>& partitions,
                              std::int64_t timestamp);

// Whether asking again, perhaps another broker, may bring a better answer.
bool may_pass(base::ErrorCode code);

base::Result<base::BrokerId> leader_of(Admin& admin, std::string_view call_name, const base::TopicPartition& partition);

// The partitions of topics, by topic. The first topic's error is the error of all.
base::Result<std::map<std::string, std::vector<base::PartitionIndex>>> partitions_of(
    Admin& admin, std::string_view call_name, const std::vector<std::string>& topics);

}  // namespace tools
