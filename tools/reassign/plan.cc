#include "tools/reassign/plan.h"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

namespace tools {
namespace {

namespace bj = boost::json;
using base::BrokerId;
using base::TopicPartition;

constexpr std::string_view kAnyDirectory = "any";

Failure operation(std::string message) { return {"kafka.admin.AdminOperationException", std::move(message), ""}; }
Failure command(std::string message) { return {"kafka.common.AdminCommandFailedException", std::move(message), ""}; }

// Reads JSON field by field. The first thing that is not as expected is kept, and everything read after it is empty.
class Fields {
 public:
  const bj::object& object(const bj::value& value) {
    static const bj::object none;
    if (const auto* found = value.if_object()) return *found;
    refuse("Expected JSON object, received {}", bj::serialize(value));
    return none;
  }
  const bj::array& array(const bj::value& value) {
    static const bj::array none;
    if (const auto* found = value.if_array()) return *found;
    refuse("Expected JSON array, received {}", bj::serialize(value));
    return none;
  }
  const bj::value& field(const bj::object& object, std::string_view name) {
    static const bj::value none;
    if (const auto* found = object.if_contains(name)) return *found;
    refuse("No such field exists: `{}`", name);
    return none;
  }
  std::int32_t integer(const bj::value& value) {
    using Int = std::numeric_limits<std::int32_t>;
    if (const auto* found = value.if_int64(); found && *found >= Int::min() && *found <= Int::max())
      return static_cast<std::int32_t>(*found);
    refuse("Expected `Int` value, received {}", bj::serialize(value));
    return 0;
  }
  std::string text(const bj::value& value) {
    if (const auto* found = value.if_string()) return std::string(*found);
    refuse("Expected `String` value, received {}", bj::serialize(value));
    return {};
  }

  const Outcome& refused() const { return refused_; }

 private:
  template <class... Args>
  void refuse(fmt::format_string<Args...> format, Args&&... args) {
    if (!refused_)
      refused_ = Failure{"com.fasterxml.jackson.databind.JsonMappingException",
                         fmt::format(format, std::forward<Args>(args)...), ""};
  }
  Outcome refused_;
};

// The document, when it is JSON of version 1.
std::variant<bj::value, Failure> parse_document(std::string_view json, Fields& fields) {
  boost::system::error_code error;
  auto document = bj::parse(bj::string_view(json.data(), json.size()), error);
  if (error) return operation("The input string is not a valid JSON");
  const auto& top = fields.object(document);
  if (const auto* version = top.if_contains("version"))
    if (const auto number = fields.integer(*version); !fields.refused() && number != 1)
      return operation(fmt::format("Not supported version field value {}", number));
  if (fields.refused()) return *fields.refused();
  return document;
}

// A Java list as it prints itself.
template <class Range, class Text>
std::string listed(const Range& range, Text text) {
  std::string out;
  for (const auto& each : range) out += (out.empty() ? "" : ", ") + text(each);
  return fmt::format("List({})", out);
}

std::string joined(const Replicas& replicas) { return fmt::format("{}", fmt::join(replicas, ",")); }

// What stands more than once, each such entry once.
template <class T>
std::vector<T> repeated(const std::vector<T>& all) {
  std::vector<T> out;
  for (const auto& each : all)
    if (std::count(all.begin(), all.end(), each) > 1 && std::find(out.begin(), out.end(), each) == out.end())
      out.push_back(each);
  return out;
}

// One of "partitions" into the plan.
Outcome read_partition(const bj::value& value, Fields& fields, ReassignmentPlan& plan) {
  const auto& row = fields.object(value);
  TopicPartition partition;
  partition.topic = fields.text(fields.field(row, "topic"));
  partition.partition = fields.integer(fields.field(row, "partition"));
  Replicas replicas;
  for (const auto& each : fields.array(fields.field(row, "replicas")))
    replicas.push_back(BrokerId{fields.integer(each)});
  std::vector<std::string> directories(replicas.size(), std::string(kAnyDirectory));
  if (const auto* given = row.if_contains("log_dirs")) {
    directories.clear();
    for (const auto& each : fields.array(*given)) directories.push_back(fields.text(each));
  }
  if (fields.refused()) return fields.refused();
  if (replicas.size() != directories.size())
    return command(fmt::format("Size of replicas list {} is different from size of log dirs list {} for partition {}",
                               listed(replicas, [](BrokerId id) { return std::to_string(id.raw); }),
                               listed(directories, [](const std::string& path) { return path; }), partition));
  for (std::size_t i = 0; i < replicas.size(); ++i)
    if (directories[i] != kAnyDirectory) plan.directories[{replicas[i], partition}] = directories[i];
  plan.partitions.emplace_back(std::move(partition), std::move(replicas));
  return std::nullopt;
}

}  // namespace

std::vector<std::string> ReassignmentPlan::topics() const {
  std::vector<std::string> names;
  for (const auto& [partition, replicas] : partitions)
    if (std::find(names.begin(), names.end(), partition.topic) == names.end()) names.push_back(partition.topic);
  return names;
}

std::variant<ReassignmentPlan, Failure> parse_plan(std::string_view json) {
  Fields fields;
  auto document = parse_document(json, fields);
  if (auto* failure = std::get_if<Failure>(&document)) return *failure;
  ReassignmentPlan plan;
  if (const auto* partitions = fields.object(std::get<bj::value>(document)).if_contains("partitions"))
    for (const auto& each : fields.array(*partitions))
      if (auto refused = read_partition(each, fields, plan)) return *refused;
  if (fields.refused()) return *fields.refused();
  return plan;
}

Outcome refuse_to_execute(const ReassignmentPlan& plan) {
  if (plan.partitions.empty()) return command("Partition reassignment list cannot be empty");
  std::vector<TopicPartition> partitions;
  for (const auto& [partition, replicas] : plan.partitions) {
    if (replicas.empty()) return command("Partition replica list cannot be empty");
    partitions.push_back(partition);
  }
  if (const auto twice = repeated(partitions); !twice.empty())
    return command(
        fmt::format("Partition reassignment contains duplicate topic partitions: {}", fmt::join(twice, ",")));
  std::vector<std::string> texts;
  for (const auto& [partition, replicas] : plan.partitions)
    if (const auto twice = repeated(replicas); !twice.empty())
      texts.push_back(fmt::format("{} contains multiple entries for {}", partition, joined(twice)));
  if (texts.empty()) return std::nullopt;
  return command(fmt::format("Partition replica lists may not contain duplicate entries: {}", fmt::join(texts, ". ")));
}

std::variant<std::vector<std::string>, Failure> parse_topics_to_move(std::string_view json) {
  Fields fields;
  auto document = parse_document(json, fields);
  if (auto* failure = std::get_if<Failure>(&document)) return *failure;
  std::vector<std::string> topics;
  if (const auto* rows = fields.object(std::get<bj::value>(document)).if_contains("topics"))
    for (const auto& row : fields.array(*rows))
      topics.push_back(fields.text(fields.field(fields.object(row), "topic")));
  if (fields.refused()) return *fields.refused();
  if (const auto twice = repeated(topics); !twice.empty())
    return command(fmt::format("List of topics to reassign contains duplicate entries: {}", fmt::join(twice, ",")));
  return topics;
}

std::variant<Replicas, Failure> parse_broker_list(std::string_view list) {
  while (list.ends_with(',')) list.remove_suffix(1);  // as Java's split does
  Replicas brokers;
  while (true) {
    const auto word = list.substr(0, list.find(','));
    std::int32_t id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (word.empty() || error != std::errc() || end != word.data() + word.size())
      return Failure{"java.lang.NumberFormatException", fmt::format("For input string: \"{}\"", word), ""};
    brokers.push_back(BrokerId{id});
    if (word.size() == list.size()) break;
    list.remove_prefix(word.size() + 1);
  }
  if (const auto twice = repeated(brokers); !twice.empty())
    return command(fmt::format("Broker list contains duplicate entries: {}", joined(twice)));
  return brokers;
}

std::string plan_json(const ReplicasByPartition& partitions) {
  bj::array rows;
  for (const auto& [partition, replicas] : partitions) {
    bj::array ids, directories;
    for (const auto id : replicas) {
      ids.push_back(id.raw);
      directories.push_back(bj::string(kAnyDirectory.data(), kAnyDirectory.size()));
    }
    rows.push_back(bj::object{{"topic", partition.topic},
                              {"partition", partition.partition},
                              {"replicas", std::move(ids)},
                              {"log_dirs", std::move(directories)}});
  }
  return bj::serialize(bj::object{{"version", 1}, {"partitions", std::move(rows)}});
}

std::variant<Moves, Failure> moves_of(const ReassigningPartitions& running, const ReplicasByPartition& proposed,
                                      const ReplicasByPartition& current) {
  Moves moves;
  for (const auto& [partition, each] : running) {
    auto& move = moves[partition];
    move.to = {each.adding.begin(), each.adding.end()};
    for (const auto id : each.replicas)
      if (!move.to.contains(id)) move.from.insert(id);
  }
  for (const auto& [partition, replicas] : proposed) {
    auto& move = moves[partition];
    if (move.from.empty()) {
      const auto found = current.find(partition);
      if (found == current.end())
        return Failure{"java.lang.RuntimeException",
                       fmt::format("Trying to reassign a topic partition {} with 0 replicas", partition), ""};
      move.from = {found->second.begin(), found->second.end()};
    }
    move.to.clear();
    for (const auto id : replicas)
      if (!move.from.contains(id)) move.to.insert(id);
  }
  return moves;
}

std::map<std::string, ThrottledReplicas> throttled_replicas(const Moves& moves) {
  // In the order of the text, not of the numbers.
  std::map<std::string, std::pair<std::set<std::string>, std::set<std::string>>> by_topic;
  for (const auto& [partition, move] : moves) {
    auto& [leaders, followers] = by_topic[partition.topic];
    for (const auto id : move.from) leaders.insert(fmt::format("{}:{}", partition.partition, id));
    for (const auto id : move.to) followers.insert(fmt::format("{}:{}", partition.partition, id));
  }
  std::map<std::string, ThrottledReplicas> out;
  for (const auto& [topic, sides] : by_topic)
    out[topic] = {fmt::format("{}", fmt::join(sides.first, ",")), fmt::format("{}", fmt::join(sides.second, ","))};
  return out;
}

std::set<BrokerId> brokers_of(const Moves& moves) {
  std::set<BrokerId> brokers;
  for (const auto& [partition, move] : moves) {
    brokers.insert(move.from.begin(), move.from.end());
    brokers.insert(move.to.begin(), move.to.end());
  }
  return brokers;
}

std::string partition_report(const PartitionStatuses& statuses) {
  std::string out = "Status of partition reassignment:";
  for (const auto& [partition, status] : statuses) {
    if (!status.done)
      out += fmt::format("\nReassignment of partition {} is still in progress.", partition);
    else if (status.current == status.wanted)
      out += fmt::format("\nReassignment of partition {} is complete.", partition);
    else
      out += fmt::format("\nThere is no active reassignment of partition {}, but replica set is {} rather than {}.",
                         partition, joined(status.current), joined(status.wanted));
  }
  return out;
}

std::string directory_report(const DirectoryMoves& moves) {
  std::vector<std::string> lines;
  for (const auto& [replica, move] : moves) {
    const auto& found = move.found;
    const auto place = fmt::format("Partition {} on broker {}", replica.partition, replica.broker);
    if (found.current.empty())
      lines.push_back(
          fmt::format("Partition {} is not found in any live log dir on broker {}. There is likely an offline log "
                      "directory on the broker.",
                      replica.partition, replica.broker));
    else if (found.future == move.wanted)
      lines.push_back(fmt::format("Reassignment of replica {} is still in progress.", replica.text()));
    else if (!found.future.empty())
      lines.push_back(fmt::format("{} is being moved to log dir {} instead of {}.", place, found.future, move.wanted));
    else if (found.current == move.wanted)
      lines.push_back(fmt::format("Reassignment of replica {} completed successfully.", replica.text()));
    else
      lines.push_back(fmt::format("{} is not being moved from log dir {} to {}.", place, found.current, move.wanted));
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

std::string running_report(const ReassigningPartitions& running) {
  if (running.empty()) return "No partition reassignments found.";
  std::string out = "Current partition reassignments:";
  for (const auto& [partition, each] : running) {
    out += fmt::format("\n{}: replicas: {}.", partition, joined(each.replicas));
    if (!each.adding.empty()) out += fmt::format(" adding: {}.", joined(each.adding));
    if (!each.removing.empty()) out += fmt::format(" removing: {}.", joined(each.removing));
  }
  return out;
}

}  // namespace tools
