// kafka-get-offsets.sh: where partitions begin, end, or reach a time.
//
// Options, output and refusals are those of Apache Kafka 3.9, which made it a command. --offsets and --max-wait-ms of
// the older class kafka.tools.GetOffsetShell are taken and mean nothing, as they did there.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/logging.h"
#include "tools/client/partition_offsets.h"
#include "tools/client/program.h"
#include "tools/get_offsets/choice.h"

namespace tools {
namespace {

using base::ErrorCode;
using base::TopicPartition;

Options declare() {
  const auto with = [](std::string_view name, std::string_view argument, std::string_view description,
                       std::string_view default_text = "") {
    return Option{.name = name,
                  .takes = Takes::value,
                  .argument = argument,
                  .default_text = default_text,
                  .description = description};
  };
  return Options(
      "An interactive shell for getting topic-partition offsets.",
      {
          with("bootstrap-server", "HOST1:PORT1,...,HOST3:PORT3", "REQUIRED. The brokers to ask first."),
          with("broker-list", "HOST1:PORT1,...,HOST3:PORT3", "The older name of --bootstrap-server, which wins."),
          with("topic-partitions", "topic1:1,topic2:0-3,topic3,topic4:5-,topic5:-3",
               "Rules, separated by commas: an expression for topics, all if left out; then, behind a colon, a "
               "partition, a range whose end does not count, or a range open on one side."),
          with("topic", "topic", "An expression for the topics; without it, all."),
          with("partitions", "partition ids", "Partitions, separated by commas; without it, all."),
          with("time",
               "<timestamp> / -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or "
               "latest-tiered",
               "The offset of the first record since this time; partitions that have none are left out.", "latest"),
          with("command-config", "config file", "A properties file with settings of the admin client."),
          with("offsets", "count", "Without effect; taken for the sake of older scripts."),
          with("max-wait-ms", "ms", "Without effect; taken for the sake of older scripts."),
          {.name = "exclude-internal-topics", .description = "Leave out the topics brokers keep for themselves."},
      });
}

int fail(const Failure& failure, bool with_class = false) {
  fmt::print(stderr, "Error occurred: {}\n", failure.message);
  if (with_class) fmt::print(stderr, "{}\n", failure.text());
  return 1;
}

std::variant<std::vector<TopicPartition>, Failure> choose(Admin& admin, const PartitionChoice& choice,
                                                          bool internal_ones) {
  const auto cluster = admin.metadata("listTopics", std::nullopt);
  if (!cluster) return failure_of(cluster.error());
  std::vector<TopicPartition> out;
  for (const auto& topic : cluster->topics) {
    if (!internal_ones && is_internal_topic(*topic.name)) continue;
    for (const auto& partition : topic.partitions)
      if (TopicPartition each{*topic.name, partition.partition_index}; choice.has(each)) out.push_back(std::move(each));
  }
  if (out.empty()) return Failure{"", "Could not match any topic-partitions with the specified filters", ""};
  // By the text "topic-partition", as Kafka's tool since 3.7.
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.text() < b.text(); });
  return out;
}

int show_offsets(Admin& admin, const PartitionChoice& choice, bool internal_ones, std::int64_t time) {
  const auto partitions = choose(admin, choice, internal_ones);
  if (const auto* failure = std::get_if<Failure>(&partitions)) return fail(*failure, !failure->exception.empty());
  const auto& wanted = std::get<std::vector<TopicPartition>>(partitions);
  const auto found = list_offsets(admin, wanted, time);
  for (const auto& partition : wanted) {
    const auto& result = found.at(partition);
    if (const auto* error = std::get_if<base::Error>(&result))
      fmt::print(stderr, "Skip getting offsets for topic-partition {} due to error: {}\n", partition,
                 failure_of(*error).text());
    else if (const auto offset = std::get<base::Offset>(result); offset.raw >= 0)
      fmt::print("{}:{}:{}\n", partition.topic, partition.partition, offset);
  }
  return 0;
}

int run(int argc, char** argv) {
  base::log_to_standard_error();
  base::set_log_level(base::LogLevel::warn);
  Options options = declare();
  if (auto failure = options.parse(argc, argv)) return fail(*failure);
  if (auto code = answer_help_or_version(options)) return *code;
  const auto servers =
      options.given("bootstrap-server") ? options.text("bootstrap-server") : options.text("broker-list");
  if (!servers) return fail({"", "Missing required option(s) [bootstrap-server]", ""});
  if (auto failure = options.check_values()) return fail(*failure, true);
  if (!valid_servers(*servers)) return refuse_usage(options, kInvalidServers);
  if (options.given("topic-partitions") && (options.given("topic") || options.given("partitions")))
    return fail({"", "--topic-partitions cannot be used with --topic or --partitions", ""});
  const auto time = parse_time(*options.text("time"));
  if (const auto* failure = std::get_if<Failure>(&time)) return fail(*failure);
  const auto rules = options.text("topic-partitions");
  const auto choice = rules ? PartitionChoice::from_rules(*rules)
                            : PartitionChoice::from_options(options.text("topic"), options.text("partitions"));
  if (const auto* failure = std::get_if<Failure>(&choice)) return fail(*failure);
  auto settings = admin_settings(options, *servers);
  if (const auto* failure = std::get_if<Failure>(&settings)) return fail(*failure, true);
  std::get<AdminSettings>(settings).client_id = "GetOffsetShell";

  base::SystemClock clock;
  Admin admin(std::move(std::get<AdminSettings>(settings)), clock);
  return show_offsets(admin, std::get<PartitionChoice>(choice), !options.given("exclude-internal-topics"),
                      std::get<std::int64_t>(time));
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) { return tools::run(argc, argv); }
