#include "tools/consumer_groups/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "config/value.h"

namespace tools {
namespace {

constexpr std::string_view kScenarios[] = {"to-offset", "to-datetime", "by-duration", "to-earliest",
                                           "to-latest", "to-current",  "shift-by",    "from-file"};
constexpr std::string_view kNoExecute =
    "WARN: No action will be performed as the --execute option is missing.In a future major release, the default "
    "behavior of this command will be to prompt the user before executing the reset rather than doing a dry run. You "
    "should add the --dry-run option explicitly if you are scripting this command and want to keep the current default "
    "behavior without prompting.\n";

std::optional<std::string> refused_describe(const Options& options) {
  if (!options.given("group") && !options.given("all-groups"))
    return "Option [describe] takes one of these options: [group], [all-groups]";
  if (options.given("members") + options.given("offsets") + options.given("state") > 1)
    return "Option [describe] takes at most one of these options: [members], [offsets], [state]";
  if (options.text("state")) return "Option [describe] does not take a value for [state]";
  return std::nullopt;
}

std::optional<std::string> refused_reset(const Options& options) {
  if (options.given("dry-run") && options.given("execute"))
    return "Option [reset-offsets] only accepts one of [execute] and [dry-run]";
  if (!options.given("dry-run") && !options.given("execute")) fmt::print(stderr, "{}", kNoExecute);
  if (!options.given("group") && !options.given("all-groups"))
    return "Option [reset-offsets] takes one of these options: [group], [all-groups]";
  for (const auto scenario : kScenarios) {
    std::vector<std::string_view> others;
    for (const auto other : kScenarios)
      if (other != scenario) others.push_back(other);
    if (auto text = options.excluded(scenario, others)) return text;
  }
  return std::nullopt;
}

}  // namespace

Options declare_group_options() {
  const auto with = [](std::string_view name, std::string_view argument, std::string_view description) {
    return Option{.name = name, .takes = Takes::value, .argument = argument, .description = description};
  };
  const auto number = [](std::string_view name, std::string_view argument, std::string_view description) {
    return Option{.name = name,
                  .takes = Takes::value,
                  .type = ValueType::long_integer,
                  .argument = argument,
                  .description = description};
  };
  Option group = with("group", "consumer group", "The group to act on. May be given several times.");
  group.repeatable = true;
  Option topic =
      with("topic", "topic",
           "With --reset-offsets and --delete-offsets: a topic, or some of its partitions as topic:0,1,2. May "
           "be given several times.");
  topic.repeatable = true;
  Option timeout = number("timeout", "timeout (ms)", "How long brokers may take to answer each request.");
  timeout.default_text = "5000";
  return Options(
      "This tool helps to list all consumer groups, describe a consumer group, delete consumer group info, or reset "
      "consumer group offsets.",
      {
          with("bootstrap-server", "server to connect to",
               "REQUIRED: The brokers to ask first, as host:port,host:port."),
          with("command-config", "command config property file",
               "A properties file with settings of the admin client."),
          {.name = "list", .description = "List all groups of consumers."},
          {.name = "describe", .description = "Describe groups: their offsets and lag, members, or state."},
          {.name = "delete", .description = "Delete groups that have no members, with their offsets."},
          {.name = "reset-offsets",
           .description = "Move the offsets of groups without members. --dry-run, the default, shows them, --execute "
                          "stores them, --export shows them as CSV. Where to: one of --to-earliest, --to-latest, "
                          "--to-current, --to-offset, --shift-by, --to-datetime, --by-duration, --from-file. Which "
                          "partitions: --all-topics or --topic, unless a file says it."},
          {.name = "delete-offsets", .description = "Delete the offsets of one group for topics it does not read."},
          std::move(group),
          {.name = "all-groups", .description = "Act on all groups."},
          std::move(topic),
          {.name = "all-topics", .description = "With --reset-offsets: every partition the group has an offset for."},
          std::move(timeout),
          {.name = "members", .description = "With --describe: show the members."},
          {.name = "offsets", .description = "With --describe: show the offsets and the lag. This is the default."},
          {.name = "state",
           .takes = Takes::maybe_value,
           .description = "With --describe: show the groups' state. With --list: show the states, or list only groups "
                          "in the states given, separated by commas."},
          {.name = "type",
           .takes = Takes::maybe_value,
           .description = "With --list: show the types of groups, or list only those of the types given."},
          {.name = "verbose", .description = "With --describe --members: show what is assigned to each."},
          {.name = "dry-run", .description = "Show the new offsets without storing them."},
          {.name = "execute", .description = "Store the new offsets."},
          {.name = "export", .description = "Show the new offsets as CSV, for --from-file."},
          with("from-file", "path to CSV file", "Reset to the offsets of a file."),
          number("to-offset", "offset", "Reset to this offset."),
          with("to-datetime", "datetime", "Reset to the first record since 'YYYY-MM-DDTHH:mm:SS.sss'."),
          with("by-duration", "duration", "Reset to the first record since so long ago, as 'PnDTnHnMnS'."),
          {.name = "to-earliest", .description = "Reset to the begin of the logs."},
          {.name = "to-latest", .description = "Reset to the end of the logs."},
          {.name = "to-current", .description = "Reset to what is committed; to the log's end where nothing is."},
          number("shift-by", "number-of-offsets", "Move the offsets by so many, back if negative."),
      });
}

Outcome unavailable_options(const Options& options) {
  const bool describing = options.given("describe"), listing = options.given("list");
  for (const auto* name : {"members", "offsets", "verbose", "state", "type"}) {
    const std::string_view option = name;
    const bool available = option == "type" ? listing : describing || (option == "state" && listing);
    if (options.given(name) && !available)
      return Failure{"joptsimple.UnavailableOptionException",
                     fmt::format("Option(s) [{}] are unavailable given other options on the command line", name), ""};
  }
  return std::nullopt;
}

std::optional<std::string> refused_group_options(const Options& options) {
  if (auto text = options.missing({"bootstrap-server"})) return text;
  if (options.given("describe"))
    if (auto text = refused_describe(options)) return text;
  if (options.given("delete")) {
    if (!options.given("group") && !options.given("all-groups"))
      return "Option [delete] takes one of these options: [group], [all-groups]";
    if (options.given("topic"))
      return "The consumer does not support topic-specific offset deletion from a consumer group.";
  }
  if (options.given("delete-offsets") && (!options.given("group") || !options.given("topic")))
    return "Option [delete-offsets] takes the following options: [group], [topic]";
  if (options.given("reset-offsets"))
    if (auto text = refused_reset(options)) return text;
  if (auto text = options.excluded("group", {"all-groups", "list"})) return text;
  if (auto text = options.excluded("topic", {"list", "describe"})) return text;
  int actions = 0;
  for (auto action : {"list", "describe", "delete", "reset-offsets", "delete-offsets"})
    actions += options.given(action);
  if (actions != 1)
    return "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets";
  return std::nullopt;
}

std::variant<std::vector<std::string>, Failure> parse_states(const std::string& text) {
  constexpr std::string_view kStates[] = {"PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty"};
  auto words = config::split_list(text);
  for (const auto& word : words)
    if (std::find(std::begin(kStates), std::end(kStates), word) == std::end(kStates))
      return illegal_argument("Invalid state list '{}'. Valid states are: {}", text, fmt::join(kStates, ", "));
  return words;
}

std::variant<std::vector<std::string>, Failure> parse_types(const std::string& text) {
  auto words = config::split_list(text);
  for (auto& word : words) {
    const auto big = config::upper_case(word);
    if (big != "CLASSIC" && big != "CONSUMER")
      return illegal_argument("Invalid types list '{}'. Valid types are: Consumer, Classic", text);
    word = big == "CLASSIC" ? "classic" : "consumer";
  }
  return words;
}

}  // namespace tools
