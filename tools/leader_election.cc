// kafka-leader-election.sh: has leaders of partitions elected anew.
//
// Options, output and refusals are those of Apache Kafka 2.7.1; the partitions of "already elected" are those that are,
// as since 3.0 (2.7.1 names the others).
#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "base/posix_files.h"
#include "protocol/messages/elect_leaders.h"
#include "tools/client/program.h"

namespace tools {
namespace {

namespace bj = boost::json;
using base::ErrorCode;
using base::TopicPartition;
using Partitions = std::set<TopicPartition>;

constexpr std::chrono::seconds kTimeout{30};  // of the request; the whole command has twice as long

Options declare() {
  auto text = [](std::string_view name, std::string_view argument, std::string_view description) {
    return Option{.name = name, .takes = Takes::value, .argument = argument, .description = description};
  };
  return Options(
      "This tool attempts to elect a new leader for a set of topic partitions. The type of elections supported are "
      "preferred replicas and unclean replicas.",
      {
          text("bootstrap-server", "host:port", "REQUIRED: The brokers to ask first, as host:port,host:port."),
          text("admin.config", "config file", "A properties file with settings of the admin client."),
          text("path-to-json-file", "Path to JSON file",
               "The JSON file with the partitions to elect leaders for:\n{\"partitions\":\n [{\"topic\": \"foo\", "
               "\"partition\": 1},\n {\"topic\": \"foobar\", \"partition\": 2}]\n}\nNot together with "
               "--all-topic-partitions or --topic."),
          text("topic", "topic name",
               "The topic to elect a leader for. Not together with --path-to-json-file or --all-topic-partitions."),
          {.name = "partition",
           .takes = Takes::value,
           .type = ValueType::integer,
           .argument = "partition id",
           .description = "The partition to elect a leader for. REQUIRED with --topic."},
          {.name = "all-topic-partitions",
           .description = "Elect leaders for all partitions that need it. Not together with --topic or "
                          "--path-to-json-file."},
          text("election-type", "election type",
               "REQUIRED: \"preferred\": the first of the replicas becomes leader; \"unclean\": where no replica in "
               "sync is alive, one that is not."),
      });
}

Failure command(std::string message) { return {"kafka.common.AdminCommandFailedException", std::move(message), ""}; }
Failure operation(std::string message) { return {"kafka.admin.AdminOperationException", std::move(message), ""}; }

enum class Election : std::int8_t { preferred = 0, unclean = 1 };
std::string_view name_of(Election type) { return type == Election::preferred ? "PREFERRED" : "UNCLEAN"; }

std::variant<Election, Failure> election_type(const std::string& text) {
  for (const auto type : {Election::preferred, Election::unclean})
    if (config::upper_case(text) == name_of(type)) return type;
  return Failure{"joptsimple.OptionArgumentConversionException",
                 fmt::format("Cannot parse argument '{}' of option election-type", text), ""};
}

Outcome refused_combination(const Options& options) {
  std::vector<std::string_view> missing;
  for (const std::string_view name : {"bootstrap-server", "election-type"})
    if (!options.given(name)) missing.push_back(name);
  if (!missing.empty()) return command(fmt::format("Missing required option(s): {}", fmt::join(missing, ", ")));
  const std::vector<std::string_view> choices{"topic", "all-topic-partitions", "path-to-json-file"};
  if (std::count_if(choices.begin(), choices.end(), [&](auto name) { return options.given(name); }) != 1)
    return command(fmt::format("One and only one of the following options is required: {}", fmt::join(choices, ", ")));
  if (options.given("topic") && !options.given("partition")) return command("Missing required option(s): partition");
  if (options.given("partition") && !options.given("topic"))
    return command("Option partition is only allowed if topic is used");
  return std::nullopt;
}

std::variant<Partitions, Failure> parse_partitions(const std::string& text) {
  boost::system::error_code error;
  const auto parsed = bj::parse(text, error);
  if (error) return operation("Replica election data is empty");
  const auto* object = parsed.if_object();
  const auto* rows = object ? object->if_contains("partitions") : nullptr;
  if (!rows) return operation("Replica election data is missing \"partitions\" field");
  if (!rows->is_array()) return operation("Expected JSON array, received " + bj::serialize(*rows));
  Partitions partitions;
  std::vector<std::string> twice;
  for (const auto& value : rows->get_array()) {
    const auto* row = value.if_object();
    const auto* topic = row ? row->if_contains("topic") : nullptr;
    const auto* partition = row ? row->if_contains("partition") : nullptr;
    if (!topic || !topic->is_string() || !partition || !partition->is_int64())
      return operation("Not a topic with a partition: " + bj::serialize(value));
    const TopicPartition each{std::string(topic->get_string()),
                              static_cast<base::PartitionIndex>(partition->get_int64())};
    if (!partitions.insert(each).second) twice.push_back(each.text());
  }
  if (twice.empty()) return partitions;
  return operation(fmt::format("Replica election data contains duplicate partitions: {}", fmt::join(twice, ",")));
}

// Null: all partitions.
std::variant<std::optional<Partitions>, Failure> chosen_partitions(const Options& options) {
  if (const auto path = options.text("path-to-json-file")) {
    base::PosixFiles files;
    const auto text = base::read_file(files, *path);
    if (!text) return Failure{"java.io.IOException", "Unable to read file " + *path, ""};
    auto partitions = parse_partitions(*text);
    if (auto* failure = std::get_if<Failure>(&partitions)) return *failure;
    return std::get<Partitions>(std::move(partitions));
  }
  if (const auto topic = options.text("topic"))
    return Partitions{{*topic, static_cast<base::PartitionIndex>(*options.number("partition"))}};
  return std::optional<Partitions>{};
}

// A failure of the whole request.
Failure request_failure(const base::Error& error) {
  std::string message;
  if (error.code == ErrorCode::request_timed_out)
    message = "Timeout waiting for election results";
  else if (error.code == ErrorCode::cluster_authorization_failed)
    message = "Not authorized to perform leader election";
  const auto cause = failure_of(error).text();
  if (message.empty()) {
    fmt::print("Error while making request\n");
    return {"java.util.concurrent.ExecutionException", cause, cause};
  }
  fmt::print("{}\n", message);
  return {"kafka.common.AdminCommandFailedException", message, cause};
}

Outcome elect(Admin& admin, Election type, const std::optional<Partitions>& partitions) {
  using Response = protocol::ElectLeadersResponse;
  protocol::ElectLeadersRequest request;
  request.election_type = static_cast<std::int8_t>(type);
  request.timeout_ms = static_cast<std::int32_t>(admin.settings().request_timeout.count());
  if (partitions) {
    request.topic_partitions.emplace();
    for (const auto& each : *partitions) {
      auto& topics = *request.topic_partitions;
      if (topics.empty() || topics.back().topic != each.topic) topics.push_back({each.topic, {}});
      topics.back().partitions.push_back(each.partition);
    }
  }
  auto outcome_of = [](const Response& r) {
    for (const auto& topic : r.replica_election_results)
      for (const auto& row : topic.partition_result)
        if (row.error_code == ErrorCode::not_controller) return row.error_code;
    return r.error_code;
  };
  auto answer = admin.call<Response>(Controller{}, "electLeaders", request, outcome_of);
  if (!answer) return request_failure(answer.error());
  if (answer->error_code != ErrorCode::none) return request_failure({answer->error_code, ""});

  std::vector<std::string> elected, needless, failed;
  for (const auto& topic : answer->replica_election_results)
    for (const auto& row : topic.partition_result) {
      const auto partition = TopicPartition{topic.topic, row.partition_id}.text();
      if (row.error_code == ErrorCode::none)
        elected.push_back(partition);
      else if (row.error_code == ErrorCode::election_not_needed)
        needless.push_back(partition);
      else
        failed.push_back(fmt::format("Error completing leader election ({}) for partition: {}: {}", name_of(type),
                                     partition, failure_of({row.error_code, row.error_message.value_or("")}).text()));
    }
  if (!elected.empty())
    fmt::print("Successfully completed leader election ({}) for partitions {}\n", name_of(type),
               fmt::join(elected, ", "));
  if (!needless.empty()) fmt::print("Valid replica already elected for partitions {}\n", fmt::join(needless, ", "));
  if (failed.empty()) return std::nullopt;
  fmt::print("{}\n", fmt::join(failed, "\n"));
  return command(fmt::format("{} replica(s) could not be elected", failed.size()));
}

int run(int argc, char** argv) {
  Options options = declare();
  if (auto code = begin_program(options, argc, argv)) return *code;
  const auto die = [](const Failure& failure) {
    std::fflush(stdout);
    return die_uncaught(failure);
  };
  if (auto failure = refused_combination(options)) return die(*failure);
  const auto type = election_type(*options.text("election-type"));
  if (auto* failure = std::get_if<Failure>(&type)) return die(*failure);
  if (auto failure = options.check_values()) return die(*failure);
  const auto partitions = chosen_partitions(options);
  if (auto* failure = std::get_if<Failure>(&partitions)) return die(*failure);
  auto settings = admin_settings_with_file(options.text("admin.config"), *options.text("bootstrap-server"));
  if (auto* failure = std::get_if<Failure>(&settings)) return die(*failure);
  auto& admin_settings = std::get<AdminSettings>(settings);
  admin_settings.request_timeout = kTimeout;
  admin_settings.api_timeout = 2 * kTimeout;
  base::SystemClock clock;
  Admin admin(std::move(admin_settings), clock);
  const auto failure = elect(admin, std::get<Election>(type), std::get<std::optional<Partitions>>(partitions));
  return failure ? die(*failure) : 0;
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) { return tools::run(argc, argv); }
