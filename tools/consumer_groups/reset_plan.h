// New offsets of a group: what users write, the arithmetic, and plans as CSV files. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tools/client/failure.h"
#include "tools/consumer_groups/group_admin.h"

namespace tools {

// By group.
using ResetPlan = std::map<std::string, Offsets>;

// "topic", which means all its partitions, or "topic:0,1,2".
struct TopicChoice {
  std::string topic;
  std::optional<std::vector<base::PartitionIndex>> partitions;
};
std::variant<TopicChoice, Failure> parse_topic_choice(std::string_view text);

// Never wraps around.
base::Offset shifted(base::Offset from, std::int64_t by);

struct LogRange {
  base::Offset start;
  base::Offset end;
};
// The nearest offset that the log has, or its end; `warning` tells of a change.
struct Clamped {
  base::Offset offset;
  std::string warning;
};
Clamped clamp(const base::TopicPartition& partition, base::Offset wanted, LogRange range);

// Rows "topic,partition,offset" of the one group, or "group,topic,partition,offset". With `only_group` the first row
// decides which form the file has. Later rows of one partition win.
std::variant<ResetPlan, Failure> parse_plan(std::string_view csv, const std::optional<std::string>& only_group);
std::string export_plan(const ResetPlan& plan, bool with_groups);

}  // namespace tools
