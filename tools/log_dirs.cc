// kafka-log-dirs.sh: what lies in the data directories of brokers.
//
// Output and refusals are those of Apache Kafka 2.7.1; brokers that do not exist are refused at once, as since 3.6.
#include <boost/json.hpp>
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <set>

#include "protocol/messages/describe_log_dirs.h"
#include "tools/client/program.h"

namespace tools {
namespace {

namespace bj = boost::json;
using base::BrokerId;
using base::ErrorCode;
using Directory = protocol::DescribeLogDirsResponse::Result;

Options declare() {
  return Options("This tool helps to query log directory usage on the specified brokers.",
                 {
                     {.name = "bootstrap-server",
                      .takes = Takes::value,
                      .argument = "The server(s) to use for bootstrapping",
                      .description = "REQUIRED: The brokers to ask first, as host:port,host:port."},
                     {.name = "command-config",
                      .takes = Takes::value,
                      .argument = "Admin client property file",
                      .description = "A properties file with settings of the admin client."},
                     {.name = "describe", .description = "Describe the log directories of the brokers."},
                     {.name = "topic-list",
                      .takes = Takes::value,
                      .argument = "Topic list",
                      .default_text = "",
                      .description = "Topics to show, separated by commas; without it, all."},
                     {.name = "broker-list",
                      .takes = Takes::value,
                      .argument = "Broker list",
                      .description = "Ids of the brokers to ask, separated by commas; without it, all."},
                 });
}

std::vector<std::string> words(const std::optional<std::string>& list) {
  std::vector<std::string> out;
  if (list)
    for (auto& word : config::split_list(*list))
      if (!word.empty()) out.push_back(std::move(word));
  return out;
}

std::variant<std::vector<BrokerId>, Failure> parse_brokers(const std::vector<std::string>& list) {
  std::vector<BrokerId> out;
  for (const auto& word : list) {
    std::int32_t id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || end != word.data() + word.size())
      return Failure{"java.lang.NumberFormatException", fmt::format("For input string: \"{}\"", word), ""};
    out.push_back(BrokerId{id});
  }
  return out;
}

std::string join(const std::vector<BrokerId>& ids) {
  std::string out;
  for (const auto id : ids) out += (out.empty() ? "" : ",") + std::to_string(id.raw);
  return out;
}

bj::object shown(const Directory& directory, const std::set<std::string>& topics) {
  bj::array partitions;
  for (const auto& topic : directory.topics) {
    if (!topics.empty() && !topics.contains(topic.name)) continue;
    for (const auto& partition : topic.partitions)
      partitions.push_back(bj::object{{"partition", base::TopicPartition{topic.name, partition.partition_index}.text()},
                                      {"size", partition.partition_size},
                                      {"offsetLag", partition.offset_lag},
                                      {"isFuture", partition.is_future_key}});
  }
  bj::value error;
  if (directory.error_code != ErrorCode::none) error = exception_class(directory.error_code);
  return {{"logDir", directory.log_dir}, {"error", std::move(error)}, {"partitions", std::move(partitions)}};
}

class DescribeCommand {
 public:
  explicit DescribeCommand(AdminSettings settings) : admin_(std::move(settings), clock_) {}

  // Nothing asked for: all brokers.
  Outcome run(std::vector<BrokerId> wanted, const std::set<std::string>& topics) {
    auto cluster = admin_.metadata("listNodes", std::vector<std::string>{});
    if (!cluster) return thrown(cluster.error());
    std::vector<BrokerId> living;
    for (const auto& broker : cluster->brokers) living.push_back(broker.node_id);
    if (wanted.empty()) wanted = living;
    std::vector<BrokerId> missing;
    for (const auto id : wanted)
      if (std::find(living.begin(), living.end(), id) == living.end()) missing.push_back(id);
    if (!missing.empty())
      return Failure{"",
                     fmt::format("ERROR: The given brokers do not exist from --broker-list: {}. Current existent "
                                 "brokers: {}",
                                 join(missing), join(living)),
                     ""};

    fmt::print("Querying brokers for log directories information\n");
    std::fflush(stdout);
    bj::array brokers;
    for (const auto id : wanted) {
      auto answer =
          admin_.call<protocol::DescribeLogDirsResponse>(id, "describeLogDirs", protocol::DescribeLogDirsRequest{});
      if (!answer) return thrown(answer.error());
      if (answer->error_code != ErrorCode::none) return thrown({answer->error_code, ""});
      bj::array directories;
      for (const auto& directory : answer->results) directories.push_back(shown(directory, topics));
      brokers.push_back(bj::object{{"broker", id.raw}, {"logDirs", std::move(directories)}});
    }
    fmt::print("Received log directory information from brokers {}\n", join(wanted));
    fmt::print("{}\n", bj::serialize(bj::object{{"version", 1}, {"brokers", std::move(brokers)}}));
    return std::nullopt;
  }

 private:
  static Failure thrown(const base::Error& error) {
    const auto cause = failure_of(error).text();
    return {"java.util.concurrent.ExecutionException", cause, cause};
  }

  base::SystemClock clock_;
  Admin admin_;
};

int run(int argc, char** argv) {
  Options options = declare();
  if (auto code = begin_program(options, argc, argv)) return *code;
  if (auto text = options.missing({"bootstrap-server", "describe"})) return refuse_usage(options, *text);
  if (auto failure = options.check_values()) return die_uncaught(*failure);

  auto settings = admin_settings(options);
  if (auto* failure = std::get_if<Failure>(&settings)) return die_uncaught(*failure);
  auto brokers = parse_brokers(words(options.text("broker-list")));
  if (auto* failure = std::get_if<Failure>(&brokers)) return die_uncaught(*failure);
  const auto topics = words(options.text("topic-list"));
  const auto failure = DescribeCommand(std::get<AdminSettings>(std::move(settings)))
                           .run(std::get<std::vector<BrokerId>>(brokers), {topics.begin(), topics.end()});
  if (!failure) return 0;
  if (!failure->exception.empty()) return die_uncaught(*failure);
  fmt::print(stderr, "{}\n", failure->message);
  return 1;
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) { return tools::run(argc, argv); }
