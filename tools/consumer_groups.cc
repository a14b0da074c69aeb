// kafka-consumer-groups.sh: lists, describes and deletes groups of consumers, and moves or deletes their offsets.
//
// Output and refusals are those of Apache Kafka 2.7.1, the order of checks included; --type is 3.8's. What fails after
// the checks is told on standard output, with exit code 0.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/logging.h"
#include "base/posix_files.h"
#include "tools/client/partition_offsets.h"
#include "tools/client/program.h"
#include "tools/consumer_groups/command_line.h"
#include "tools/consumer_groups/group_admin.h"
#include "tools/consumer_groups/reset_plan.h"
#include "tools/consumer_groups/tables.h"
#include "tools/consumer_groups/times.h"

namespace tools {
namespace {

using base::ErrorCode;
using base::Offset;
using base::TopicPartition;

class GroupCommand {
 public:
  GroupCommand(const Options& options, AdminSettings settings)
      : options_(options), admin_(std::move(settings), clock_), groups_(admin_) {}

  Outcome run() {
    if (options_.given("list")) return list();
    if (options_.given("describe")) return describe();
    if (options_.given("delete")) return remove();
    if (options_.given("reset-offsets")) return reset();
    return remove_offsets();
  }

 private:
  using Groups = std::vector<std::string>;
  using Partitions = std::vector<TopicPartition>;

  Outcome list();
  Outcome describe();
  Outcome remove();
  Outcome reset();
  Outcome remove_offsets();

  std::variant<Groups, Failure> chosen_groups();
  std::variant<std::string, Failure> described(const GroupDescription& group, std::size_t& rows);
  std::variant<Offsets, Failure> offsets_at(const Partitions& partitions, std::int64_t timestamp);
  std::variant<Partitions, Failure> partitions_to_reset(const std::string& group);
  std::variant<Offsets, Failure> new_offsets(const std::string& group, const Partitions& partitions);
  std::variant<Offsets, Failure> offsets_since(const Partitions& partitions, base::Timestamp time);
  std::variant<Offsets, Failure> offsets_current(const std::string& group, const Partitions& partitions);
  std::variant<Offsets, Failure> offsets_within_log(const Offsets& wanted);
  std::variant<Offsets, Failure> offsets_of_file(const std::string& group);

  const Options& options_;
  base::SystemClock clock_;
  Admin admin_;
  GroupAdmin groups_;
  std::optional<ResetPlan> plan_of_file_;
};

void print_error(std::string_view message) { fmt::print("\nError: {}\n", message); }

Outcome GroupCommand::list() {
  std::vector<std::string> states, types;
  if (auto text = options_.text("state")) {
    auto parsed = parse_states(*text);
    if (auto* failure = std::get_if<Failure>(&parsed)) return *failure;
    states = std::get<std::vector<std::string>>(parsed);
  }
  if (auto text = options_.text("type")) {
    auto parsed = parse_types(*text);
    if (auto* failure = std::get_if<Failure>(&parsed)) return *failure;
    types = std::get<std::vector<std::string>>(parsed);
  }
  const auto found = groups_.list(states, types);
  if (const auto* failure = std::get_if<Failure>(&found)) return *failure;
  const auto& groups = std::get<std::vector<GroupListing>>(found);
  if (options_.given("type")) {
    fmt::print("{}", groups_with_type(groups, options_.given("state")));
  } else if (options_.given("state")) {
    fmt::print("{}", groups_with_state(groups));
  } else {
    for (const auto& group : groups) fmt::print("{}\n", group.group);
  }
  return std::nullopt;
}

std::variant<GroupCommand::Groups, Failure> GroupCommand::chosen_groups() {
  Groups out;
  if (options_.given("all-groups")) {
    auto found = groups_.list({}, {});
    if (auto* failure = std::get_if<Failure>(&found)) return *failure;
    for (auto& group : std::get<std::vector<GroupListing>>(found)) out.push_back(std::move(group.group));
  } else {
    out = options_.all("group");
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// The table of one group, of the kind asked for.
std::variant<std::string, Failure> GroupCommand::described(const GroupDescription& group, std::size_t& rows) {
  rows = group.members.size();
  if (options_.given("members")) return members_table(group, options_.given("verbose"));
  if (options_.given("state")) {
    rows = 1;
    return group.state == "Dead" ? "" : state_table(group);
  }
  auto committed = groups_.committed(group.group);
  if (auto* failure = std::get_if<Failure>(&committed)) return *failure;
  Partitions partitions;
  for (const auto& row : offset_rows(group, std::get<Offsets>(committed), {})) partitions.push_back(row.partition);
  const auto ends = offsets_at(partitions, kLatestOffset);
  if (const auto* failure = std::get_if<Failure>(&ends)) return *failure;
  const auto lines = offset_rows(group, std::get<Offsets>(committed), std::get<Offsets>(ends));
  rows = lines.size();
  return offsets_table(group.group, lines);
}

Outcome GroupCommand::describe() {
  const auto chosen = chosen_groups();
  if (const auto* failure = std::get_if<Failure>(&chosen)) return *failure;
  struct Found {
    GroupDescription group;
    std::string table;
    std::size_t rows = 0;
  };
  // Everything is asked before anything is shown: the groups of one output belong together.
  std::vector<Found> found;
  for (const auto& name : std::get<Groups>(chosen)) {
    auto group = groups_.describe(name);
    if (auto* failure = std::get_if<Failure>(&group)) return *failure;
    found.push_back({std::move(std::get<GroupDescription>(group)), "", 0});
  }
  for (auto& each : found) {
    auto table = described(each.group, each.rows);
    if (auto* failure = std::get_if<Failure>(&table)) return *failure;
    each.table = std::move(std::get<std::string>(table));
  }
  for (const auto& each : found) {
    const auto note = state_note(each.group.group, each.group.state, each.rows);
    if (const auto* failure = std::get_if<Failure>(&note)) return *failure;
    const auto& said = std::get<StateNote>(note);
    fmt::print("{}", said.to_output);
    std::fflush(stdout);
    fmt::print(stderr, "{}", said.to_error);
    if (said.show_rows) fmt::print("{}", each.table);
  }
  return std::nullopt;
}

Outcome GroupCommand::remove() {
  const auto chosen = chosen_groups();
  if (const auto* failure = std::get_if<Failure>(&chosen)) return *failure;
  Groups gone;
  std::string failed;
  for (const auto& group : std::get<Groups>(chosen)) {
    if (auto failure = groups_.remove(group))
      failed += fmt::format("* Group '{}' could not be deleted due to: {}\n", group,
                            failure->exception + ": " + failure->message);
    else
      gone.push_back(group);
  }
  const auto names = fmt::format("'{}'", fmt::join(gone, "', '"));
  if (failed.empty()) {
    fmt::print("Deletion of requested consumer groups ({}) was successful.\n", names);
    return std::nullopt;
  }
  print_error("Deletion of some consumer groups failed:");
  fmt::print("{}", failed);
  if (!gone.empty()) fmt::print("\nThese consumer groups were deleted successfully: {}\n", names);
  return std::nullopt;
}

// ------------------------------------------------------------------------------------------------- resetting offsets

// One offset for each partition, or the first failure.
std::variant<Offsets, Failure> GroupCommand::offsets_at(const Partitions& partitions, std::int64_t timestamp) {
  Offsets out;
  for (const auto& [partition, result] : list_offsets(admin_, partitions, timestamp)) {
    if (const auto* error = std::get_if<base::Error>(&result)) return thrown(*error);
    out[partition] = std::get<Offset>(result);
  }
  return out;
}

std::variant<GroupCommand::Partitions, Failure> GroupCommand::partitions_to_reset(const std::string& group) {
  Partitions out;
  if (options_.given("all-topics")) {
    const auto committed = groups_.committed(group);
    if (const auto* failure = std::get_if<Failure>(&committed)) return *failure;
    for (const auto& [partition, offset] : std::get<Offsets>(committed)) out.push_back(partition);
    return out;
  }
  if (!options_.given("topic") && !options_.given("from-file"))
    return illegal_argument("One of the reset scopes should be defined: --all-topics, --topic.");
  for (const auto& text : options_.all("topic")) {
    const auto parsed = parse_topic_choice(text);
    if (const auto* failure = std::get_if<Failure>(&parsed)) return *failure;
    const auto& choice = std::get<TopicChoice>(parsed);
    auto partitions = choice.partitions;
    if (!partitions) {
      auto all = partitions_of(admin_, "describeTopics", {choice.topic});
      if (!all) return thrown(all.error());
      partitions = (*all)[choice.topic];
    }
    for (const auto partition : *partitions) out.push_back({choice.topic, partition});
  }
  return out;
}

// What no record is as late as begins with the next one.
std::variant<Offsets, Failure> GroupCommand::offsets_since(const Partitions& partitions, base::Timestamp time) {
  auto found = offsets_at(partitions, base::to_ms(time));
  if (std::holds_alternative<Failure>(found)) return found;
  auto& offsets = std::get<Offsets>(found);
  Partitions none;
  for (const auto& [partition, offset] : offsets)
    if (offset.raw < 0) none.push_back(partition);
  const auto ends = offsets_at(none, kLatestOffset);
  if (const auto* failure = std::get_if<Failure>(&ends)) return *failure;
  for (const auto& [partition, end] : std::get<Offsets>(ends)) offsets[partition] = end;
  return found;
}

std::variant<Offsets, Failure> GroupCommand::offsets_current(const std::string& group, const Partitions& partitions) {
  const auto found = groups_.committed(group);
  if (const auto* failure = std::get_if<Failure>(&found)) return *failure;
  const auto& committed = std::get<Offsets>(found);
  Partitions none;
  for (const auto& partition : partitions)
    if (!committed.contains(partition)) none.push_back(partition);
  auto out = offsets_at(none, kLatestOffset);
  if (auto* offsets = std::get_if<Offsets>(&out))
    for (const auto& partition : partitions)
      if (auto known = committed.find(partition); known != committed.end()) offsets->insert(*known);
  return out;
}

std::variant<Offsets, Failure> GroupCommand::offsets_within_log(const Offsets& wanted) {
  const base::Logger log("kafka.admin.ConsumerGroupCommand$");
  Partitions partitions;
  for (const auto& [partition, offset] : wanted) partitions.push_back(partition);
  const auto starts = offsets_at(partitions, kEarliestOffset);
  if (const auto* failure = std::get_if<Failure>(&starts)) return *failure;
  const auto ends = offsets_at(partitions, kLatestOffset);
  if (const auto* failure = std::get_if<Failure>(&ends)) return *failure;
  Offsets out;
  for (const auto& [partition, offset] : wanted) {
    auto clamped =
        clamp(partition, offset, {std::get<Offsets>(starts).at(partition), std::get<Offsets>(ends).at(partition)});
    if (!clamped.warning.empty()) log.warn("{}", clamped.warning);
    out[partition] = clamped.offset;
  }
  return out;
}

std::variant<Offsets, Failure> GroupCommand::offsets_of_file(const std::string& group) {
  if (!plan_of_file_) {
    base::PosixFiles files;
    const auto path = *options_.text("from-file");
    const auto text = base::read_file(files, path);
    if (!text) return Failure{"java.io.IOException", "Unable to read file " + path, ""};
    const auto names = options_.all("group");
    auto parsed = parse_plan(*text, names.size() == 1 ? std::optional(names[0]) : std::nullopt);
    if (auto* failure = std::get_if<Failure>(&parsed)) return *failure;
    plan_of_file_ = std::move(std::get<ResetPlan>(parsed));
  }
  const auto found = plan_of_file_->find(group);
  if (found != plan_of_file_->end()) return offsets_within_log(found->second);
  print_error(fmt::format("No reset plan for group {} found", group));
  return Offsets();
}

std::variant<Offsets, Failure> GroupCommand::new_offsets(const std::string& group, const Partitions& partitions) {
  if (const auto offset = options_.number("to-offset")) {
    Offsets wanted;
    for (const auto& partition : partitions) wanted[partition] = Offset{*offset};
    return offsets_within_log(wanted);
  }
  if (options_.given("to-earliest")) return offsets_at(partitions, kEarliestOffset);
  if (options_.given("to-latest")) return offsets_at(partitions, kLatestOffset);
  if (const auto by = options_.number("shift-by")) {
    const auto committed = groups_.committed(group);
    if (const auto* failure = std::get_if<Failure>(&committed)) return *failure;
    Offsets wanted;
    for (const auto& partition : partitions) {
      const auto found = std::get<Offsets>(committed).find(partition);
      if (found == std::get<Offsets>(committed).end())
        return illegal_argument("Cannot shift offset for partition {} since there is no current committed offset",
                                partition);
      wanted[partition] = shifted(found->second, *by);
    }
    return offsets_within_log(wanted);
  }
  if (const auto text = options_.text("to-datetime")) {
    const auto time = parse_date_time(*text);
    if (const auto* failure = std::get_if<Failure>(&time)) return *failure;
    return offsets_since(partitions, std::get<base::Timestamp>(time));
  }
  if (const auto text = options_.text("by-duration")) {
    const auto duration = parse_duration(*text);
    if (const auto* failure = std::get_if<Failure>(&duration)) return *failure;
    return offsets_since(partitions, clock_.wall() - std::get<std::chrono::milliseconds>(duration));
  }
  if (options_.given("from-file")) return offsets_of_file(group);
  if (options_.given("to-current")) return offsets_current(group, partitions);
  return illegal_argument(
      "Option '[reset-offsets]' requires one of the following scenarios: HashSet([by-duration], [to-offset], "
      "[from-file], [to-datetime], [to-earliest], [to-current], [shift-by], [to-latest])");
}

Outcome GroupCommand::reset() {
  const auto chosen = chosen_groups();
  if (const auto* failure = std::get_if<Failure>(&chosen)) return *failure;
  ResetPlan plan;
  for (const auto& group : std::get<Groups>(chosen)) {
    const auto found = groups_.describe(group);
    if (const auto* failure = std::get_if<Failure>(&found)) return *failure;
    const auto& state = std::get<GroupDescription>(found).state;
    if (state != "Empty" && state != "Dead") {
      print_error(
          fmt::format("Assignments can only be reset if the group '{}' is inactive, but the current state is "
                      "{}.",
                      group, state));
      plan[group];
      continue;
    }
    const auto partitions = partitions_to_reset(group);
    if (const auto* failure = std::get_if<Failure>(&partitions)) return *failure;
    auto offsets = new_offsets(group, std::get<Partitions>(partitions));
    if (auto* failure = std::get_if<Failure>(&offsets)) return *failure;
    if (options_.given("execute") && !std::get<Offsets>(offsets).empty())
      if (auto failure = groups_.commit(group, std::get<Offsets>(offsets))) return failure;
    plan[group] = std::move(std::get<Offsets>(offsets));
  }
  if (options_.given("export"))
    fmt::print("{}\n", export_plan(plan, options_.all("group").size() != 1));
  else
    fmt::print("{}", reset_table(plan));
  return std::nullopt;
}

// ------------------------------------------------------------------------------------------------- deleting offsets

// What is said above the table; nothing of the group itself being wrong means the rows tell.
std::string verdict(const std::string& group, const std::vector<std::string>& topics, ErrorCode code) {
  switch (code) {
    case ErrorCode::none:
      return fmt::format("Request succeed for deleting offsets with topic {} group {}\n", fmt::join(topics, ", "),
                         group);
    case ErrorCode::invalid_group_id:
      return fmt::format("\nError: '{}' is not valid.\n", group);
    case ErrorCode::group_id_not_found:
      return fmt::format("\nError: '{}' does not exist.\n", group);
    case ErrorCode::group_authorization_failed:
      return fmt::format("\nError: Access to '{}' is not authorized.\n", group);
    case ErrorCode::non_empty_group:
      return fmt::format("\nError: Deleting offsets of a consumer group '{}' is forbidden if the group is not empty.\n",
                         group);
    case ErrorCode::group_subscribed_to_topic:
    case ErrorCode::topic_authorization_failed:
    case ErrorCode::unknown_topic_or_partition:
      return "\nError: Encounter some partition level error, see the follow-up details:\n";
    default:
      return fmt::format("\nError: Encounter some unknown error: {}\n", base::error_name(code));
  }
}

Outcome GroupCommand::remove_offsets() {
  const auto group = *options_.text("group");
  if (options_.all("group").size() > 1)
    return Failure{"joptsimple.MultipleArgumentsForOptionException",
                   "Found multiple arguments for option group, but you asked for only one", ""};
  const auto topics = options_.all("topic");
  Partitions partitions;
  std::map<TopicPartition, std::string> status;
  const auto failed = [](ErrorCode code) { return "Error: " + failure_of({code, ""}).text(); };
  for (const auto& text : topics) {
    const auto parsed = parse_topic_choice(text);
    if (const auto* failure = std::get_if<Failure>(&parsed)) return *failure;
    const auto& choice = std::get<TopicChoice>(parsed);
    auto numbers = choice.partitions;
    if (!numbers) {
      auto all = partitions_of(admin_, "describeTopics", {choice.topic});
      if (!all) status[{choice.topic, -1}] = failed(all.error().code);
      numbers = all ? (*all)[choice.topic] : std::vector<base::PartitionIndex>();
    }
    for (const auto number : *numbers) partitions.push_back({choice.topic, number});
  }
  const auto removed = groups_.remove_offsets(group, partitions);
  if (const auto* failure = std::get_if<Failure>(&removed)) return *failure;
  const auto& results = std::get<GroupAdmin::Removed>(removed);
  auto worst = results.group_error;
  for (const auto& [partition, code] : results.partitions) {
    status[partition] = code == ErrorCode::none ? "Successful" : failed(code);
    if (worst == ErrorCode::none) worst = code;
  }
  fmt::print("{}\n{:<30} {:<15} {:<15}\n", verdict(group, topics, worst), "TOPIC", "PARTITION", "STATUS");
  for (const auto& [partition, text] : status)
    fmt::print("{:<30} {:<15} {:<15}\n", partition.topic,
               partition.partition < 0 ? "Not Provided" : std::to_string(partition.partition), text);
  return std::nullopt;
}

// Arguments that turn out wrong on the way come with the table of options.
int report(const Options& options, const Failure& failure) {
  std::fflush(stdout);
  if (failure.exception == "java.lang.IllegalArgumentException" ||
      failure.exception == "java.lang.NumberFormatException")
    return refuse_usage(options, failure.message);
  print_error(fmt::format("Executing consumer group command failed due to {}", failure.message));
  std::fflush(stdout);
  fmt::print(stderr, "{}\n", failure.text());
  return 0;
}

int run(int argc, char** argv) {
  Options options = declare_group_options();
  if (auto code = begin_program(options, argc, argv)) return *code;
  if (auto failure = unavailable_options(options)) return die_uncaught(*failure);
  if (auto text = refused_group_options(options)) return refuse_usage(options, *text);
  auto settings = admin_settings(options);
  if (auto* failure = std::get_if<Failure>(&settings)) return die_uncaught(*failure);
  if (auto failure = options.check_values()) return report(options, *failure);
  auto& admin = std::get<AdminSettings>(settings);
  admin.api_timeout = std::chrono::milliseconds(std::max<std::int64_t>(*options.number("timeout"), 1));
  const auto failure = GroupCommand(options, std::move(admin)).run();
  return failure ? report(options, *failure) : 0;
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) { return tools::run(argc, argv); }
