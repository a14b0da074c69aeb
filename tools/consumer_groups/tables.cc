#include "tools/consumer_groups/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

namespace tools {
namespace {

constexpr std::size_t kNarrowest = 15;

std::string text_of(const std::optional<base::Offset>& offset) { return offset ? std::to_string(offset->raw) : "-"; }

std::string lag_of(const OffsetRow& row) {
  return row.committed && row.log_end ? std::to_string(*row.log_end - *row.committed) : "-";
}

// "t1(0,1), t2(3)"
std::string shown(const std::vector<base::TopicPartition>& partitions) {
  std::map<std::string, std::set<base::PartitionIndex>> by_topic;
  for (const auto& each : partitions) by_topic[each.topic].insert(each.partition);
  std::vector<std::string> words;
  for (const auto& [topic, numbers] : by_topic) words.push_back(fmt::format("{}({})", topic, fmt::join(numbers, ",")));
  return words.empty() ? "-" : fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace

std::vector<OffsetRow> offset_rows(const GroupDescription& group, const Offsets& committed, const Offsets& log_ends) {
  std::vector<OffsetRow> rows;
  const auto find = [](const Offsets& offsets, const base::TopicPartition& partition) {
    const auto found = offsets.find(partition);
    return found == offsets.end() ? std::optional<base::Offset>() : found->second;
  };
  const auto add = [&](const base::TopicPartition& partition, const GroupMember* owner) {
    rows.push_back({partition, find(committed, partition), find(log_ends, partition), owner});
  };
  std::vector<const GroupMember*> owners;
  for (const auto& member : group.members) owners.push_back(&member);
  std::stable_sort(owners.begin(), owners.end(),
                   [](const auto* a, const auto* b) { return a->assigned.size() > b->assigned.size(); });
  std::set<base::TopicPartition> owned;
  for (const auto* owner : owners) {
    auto partitions = owner->assigned;
    std::sort(partitions.begin(), partitions.end());
    for (const auto& partition : partitions) add(partition, owner);
    owned.insert(partitions.begin(), partitions.end());
  }
  for (const auto& [partition, offset] : committed)
    if (!owned.contains(partition)) add(partition, nullptr);
  return rows;
}

std::string offsets_table(const std::string& group, const std::vector<OffsetRow>& rows) {
  const GroupMember nobody{"-", "", "-", "-", {}};
  std::size_t group_width = std::max(kNarrowest, group.size()), topic_width = kNarrowest, id_width = kNarrowest,
              host_width = kNarrowest;
  for (const auto& row : rows) {
    topic_width = std::max(topic_width, row.partition.topic.size());
    if (!row.owner) continue;
    id_width = std::max(id_width, row.owner->id.size());
    host_width = std::max(host_width, row.owner->host.size());
  }
  std::string out = "\n";
  const auto line = [&](std::string_view g, std::string_view topic, std::string_view partition,
                        std::string_view current, std::string_view end, std::string_view lag, std::string_view id,
                        std::string_view host, std::string_view client) {
    out += fmt::format("{:<{}} {:<{}} {:<10} {:<15} {:<15} {:<15} {:<{}} {:<{}} {}\n", g, group_width, topic,
                       topic_width, partition, current, end, lag, id, id_width, host, host_width, client);
  };
  line("GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID");
  for (const auto& row : rows) {
    const auto& owner = row.owner ? *row.owner : nobody;
    line(group, row.partition.topic, std::to_string(row.partition.partition), text_of(row.committed),
         text_of(row.log_end), lag_of(row), owner.id, owner.host, owner.client_id);
  }
  return out;
}

std::string members_table(const GroupDescription& group, bool verbose) {
  std::size_t group_width = std::max(kNarrowest, group.group.size()), id_width = kNarrowest, instance_width = 17,
              host_width = kNarrowest, client_width = kNarrowest;
  bool any_instance = false;
  for (const auto& member : group.members) {
    id_width = std::max(id_width, member.id.size());
    instance_width = std::max(instance_width, member.instance_id.size());
    host_width = std::max(host_width, member.host.size());
    client_width = std::max(client_width, member.client_id.size());
    any_instance = any_instance || !member.instance_id.empty();
  }
  std::string out = "\n";
  const auto line = [&](std::string_view g, std::string_view id, std::string_view instance, std::string_view host,
                        std::string_view client, std::string_view count, std::string_view assignment) {
    out += fmt::format("{:<{}} {:<{}} ", g, group_width, id, id_width);
    if (any_instance) out += fmt::format("{:<{}} ", instance, instance_width);
    out += fmt::format("{:<{}} {:<{}} {:<15} {}\n", host, host_width, client, client_width, count,
                       verbose ? assignment : "");
  };
  line("GROUP", "CONSUMER-ID", "GROUP-INSTANCE-ID", "HOST", "CLIENT-ID", "#PARTITIONS", "ASSIGNMENT");
  for (const auto& member : group.members)
    line(group.group, member.id, member.instance_id, member.host, member.client_id,
         std::to_string(member.assigned.size()), shown(member.assigned));
  return out;
}

std::string state_table(const GroupDescription& group) {
  const auto coordinator =
      fmt::format("{}:{} ({})", group.coordinator.address.host, group.coordinator.address.port, group.coordinator.id);
  // As in 2.7.1, it is the first column that is as wide as a coordinator.
  const auto width = std::max<std::size_t>(25, coordinator.size());
  std::string out = "\n";
  const auto line = [&](std::string_view g, std::string_view who, std::string_view assignor, std::string_view state,
                        std::string_view count) {
    out += fmt::format("{:<{}} {:<25} {:<20} {:<15} {}\n", g, width, who, assignor, state, count);
  };
  line("GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE", "#MEMBERS");
  line(group.group, coordinator, group.assignor, group.state, std::to_string(group.members.size()));
  return out;
}

std::string groups_with_state(const std::vector<GroupListing>& groups) {
  std::size_t width = kNarrowest;
  for (const auto& each : groups) width = std::max(width, each.group.size());
  std::string out = fmt::format("{:<{}} {}\n", "GROUP", width, "STATE");
  for (const auto& each : groups) out += fmt::format("{:<{}} {}\n", each.group, width, each.state);
  return out;
}

std::string groups_with_type(const std::vector<GroupListing>& groups, bool with_state) {
  std::size_t width = kNarrowest;
  for (const auto& each : groups) width = std::max(width, each.group.size());
  std::string out;
  const auto line = [&](std::string_view group, std::string_view type, std::string_view state) {
    out += fmt::format("{:<{}} {:<20}", group, width + 10, type);
    if (with_state) out += fmt::format(" {:<20}", state);
    out += '\n';
  };
  line("GROUP", "TYPE", "STATE");
  for (const auto& each : groups) {
    auto type = each.type;
    if (!type.empty()) type[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(type[0])));
    line(each.group, type, each.state);
  }
  return out;
}

std::string reset_table(const std::map<std::string, Offsets>& by_group) {
  if (by_group.empty()) return "";
  std::string out = "\n";
  const auto line = [&](std::string_view group, std::string_view topic, std::string_view partition,
                        std::string_view offset) {
    out += fmt::format("{:<30} {:<30} {:<10} {:<15}\n", group, topic, partition, offset);
  };
  line("GROUP", "TOPIC", "PARTITION", "NEW-OFFSET");
  for (const auto& [group, offsets] : by_group)
    for (const auto& [partition, offset] : offsets)
      line(group, partition.topic, std::to_string(partition.partition), std::to_string(offset.raw));
  return out;
}

std::variant<StateNote, Failure> state_note(const std::string& group, const std::string& state, std::size_t rows) {
  StateNote note;
  note.show_rows = rows > 0;
  if (state == "Dead") {
    note.to_output = fmt::format("\nError: Consumer group '{}' does not exist.\n", group);
    note.show_rows = false;
  } else if (state == "Empty") {
    note.to_error = fmt::format("\nConsumer group '{}' has no active members.\n", group);
  } else if (state == "PreparingRebalance" || state == "CompletingRebalance") {
    note.to_error = fmt::format("\nWarning: Consumer group '{}' is rebalancing.\n", group);
  } else if (state != "Stable") {
    return Failure{"org.apache.kafka.common.KafkaException",
                   fmt::format("Expected a valid consumer group state, but found '{}'.", state), ""};
  }
  return note;
}

}  // namespace tools
