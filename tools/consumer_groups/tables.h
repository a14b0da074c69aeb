// The tables of kafka-consumer-groups.sh. Pure. Columns, widths and blanks are those of Apache Kafka 2.7.1.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/consumer_groups/group_admin.h"

namespace tools {

// One partition that a group reads or has read.
struct OffsetRow {
  base::TopicPartition partition;
  std::optional<base::Offset> committed;
  std::optional<base::Offset> log_end;
  const GroupMember* owner = nullptr;
};

// Owned partitions member by member, members with many first, then those that only have an offset. Partitions without
// an entry in `log_ends` have none that could be found. The rows point into `group`.
std::vector<OffsetRow> offset_rows(const GroupDescription& group, const Offsets& committed, const Offsets& log_ends);

std::string offsets_table(const std::string& group, const std::vector<OffsetRow>& rows);
std::string members_table(const GroupDescription& group, bool verbose);
std::string state_table(const GroupDescription& group);
std::string groups_with_state(const std::vector<GroupListing>& groups);
// The form of 3.8 and later, which alone knows types.
std::string groups_with_type(const std::vector<GroupListing>& groups, bool with_state);
std::string reset_table(const std::map<std::string, Offsets>& by_group);

// What is said of a group before its rows, and whether rows follow.
struct StateNote {
  std::string to_output;
  std::string to_error;
  bool show_rows = true;
};
std::variant<StateNote, Failure> state_note(const std::string& group, const std::string& state, std::size_t rows);

}  // namespace tools
