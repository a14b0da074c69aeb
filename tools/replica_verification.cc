// kafka-replica-verification.sh: reads all replicas of partitions side by side, without end, and tells where they
// differ and how far behind the slowest is.
//
// Options and output are those of Apache Kafka 2.7.1. It asks one broker after the other; one that cannot be asked
// delays the partitions it holds. Batches are compared as they lie on disk, so replicas of compacted topics may differ
// rightly.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "base/logging.h"
#include "protocol/messages/fetch.h"
#include "tools/client/partition_offsets.h"
#include "tools/client/program.h"
#include "tools/client/topic_filter.h"
#include "tools/replica_verification/comparison.h"

namespace tools {
namespace {

using base::BrokerId;
using base::ErrorCode;
using base::Offset;
using base::TopicPartition;

// Who fetches so may read from followers, and is none itself.
constexpr BrokerId kDebuggingConsumer{-2};
// The newest version that names topics: not every topic has an id.
constexpr protocol::Api kFetchByName{.key = 1, .name = "Fetch", .versions = {0, 12}, .flexible_since = 12};

Options declare() {
  auto number = [](std::string_view name, ValueType type, std::string_view argument, std::string_view otherwise,
                   std::string_view description) {
    return Option{.name = name,
                  .takes = Takes::value,
                  .type = type,
                  .argument = argument,
                  .default_text = otherwise,
                  .description = description};
  };
  return Options(
      "Validate that all replicas for a set of topics have the same data.",
      {
          {.name = "broker-list",
           .takes = Takes::value,
           .argument = "hostname:port,...,hostname:port",
           .description = "REQUIRED: The brokers to ask first, as host:port,host:port."},
          number("fetch-size", ValueType::integer, "bytes", "1048576", "How much to fetch at once of each partition."),
          number("max-wait-ms", ValueType::integer, "ms", "1000", "How long a broker may wait for new records."),
          {.name = "topic-white-list",
           .takes = Takes::value,
           .argument = "Java regex (String)",
           .default_text = ".*",
           .description = "The topics to verify, as a regular expression."},
          {.name = "topics-include",
           .takes = Takes::value,
           .argument = "Java regex (String)",
           .description = "The newer name of --topic-white-list."},
          number("time", ValueType::long_integer, "timestamp/-1(latest)/-2(earliest)", "-1",
                 "Where to begin: behind the newest records, at the oldest, or at a time."),
          number("report-interval-ms", ValueType::long_integer, "ms", "30000", "How often to report."),
      });
}

class Verification {
 public:
  Verification(const Options& options, AdminSettings settings)
      : fetch_bytes_(static_cast<std::int32_t>(*options.number("fetch-size"))),
        max_wait_ms_(static_cast<std::int32_t>(*options.number("max-wait-ms"))),
        start_(*options.number("time")),
        report_every_(*options.number("report-interval-ms")),
        admin_(std::move(settings), clock_) {}

  // Runs until it is killed; comes back when it cannot go on. False: there is nothing to verify.
  std::variant<bool, Failure> run(const TopicFilter& topics) {
    auto cluster = admin_.metadata("listTopics", std::nullopt);
    if (!cluster) return failure_of(cluster.error());
    std::vector<TopicPartition> partitions;
    for (const auto& topic : cluster->topics) {
      if (!topic.name || !topics.matches(*topic.name)) continue;
      for (const auto& row : topic.partitions) {
        const TopicPartition partition{*topic.name, row.partition_index};
        partitions.push_back(partition);
        for (const auto replica : row.replica_nodes) held_by_[replica].push_back(partition);
      }
    }
    if (partitions.empty()) return false;
    for (const auto& [partition, found] : list_offsets(admin_, partitions, start_)) {
      if (const auto* error = std::get_if<base::Error>(&found)) return failure_of(*error);
      next_[partition] = std::get<Offset>(found);
    }
    say("verification process is started.");
    last_report_ = clock_.now();
    while (!differing_offsets_) round();
    return true;
  }

 private:
  void say(const std::string& line) {
    const auto ms = base::to_ms(clock_.wall());
    fmt::print("{:%Y-%m-%d %H:%M:%S},{:03}: {}\n", fmt::localtime(static_cast<std::time_t>(ms / 1000)), ms % 1000,
               line);
    std::fflush(stdout);
  }

  // One broker's part of a round. Its answers stay valid as long as the buffer that comes back.
  base::Buffer fetch(BrokerId broker, const std::vector<TopicPartition>& partitions,
                     std::map<TopicPartition, ReplicaAnswers>& answers) {
    protocol::FetchRequest request;
    request.replica_id = kDebuggingConsumer;
    request.max_wait_ms = max_wait_ms_;
    request.min_bytes = 1;
    for (const auto& [topic, partition] : partitions) {
      answers[{topic, partition}][broker];  // also when no answer comes
      if (request.topics.empty() || request.topics.back().topic != topic) {
        request.topics.emplace_back();
        request.topics.back().topic = topic;
      }
      auto& row = request.topics.back().partitions.emplace_back();
      row.partition = partition;
      row.fetch_offset = next_.at({topic, partition});
      row.partition_max_bytes = fetch_bytes_;
    }
    base::Buffer frame;
    auto answer = admin_.call_borrowing<protocol::FetchResponse>(broker, "fetch", request, kFetchByName, frame);
    if (!answer) {
      log_.error("Fetching from broker {} failed: {}", broker, failure_of(answer.error()).text());
      return frame;
    }
    for (const auto& topic : answer->responses)
      for (const auto& row : topic.partitions)
        if (row.error_code == ErrorCode::none)
          answers[{topic.topic, row.partition_index}][broker] = {row.high_watermark, row.records.view};
    return frame;
  }

  void round() {
    std::map<TopicPartition, ReplicaAnswers> answers;
    std::vector<base::Buffer> frames;
    for (const auto& [broker, partitions] : held_by_) frames.push_back(fetch(broker, partitions, answers));
    std::int64_t most = -1;
    TopicPartition slowest;
    for (const auto& [partition, replicas] : answers) {
      auto& next = next_.at(partition);
      const auto found = compare_replicas(partition, next, replicas);
      for (const auto& line : found.mismatches) say(line);
      if (found.misaligned) {
        say(*found.misaligned);
        differing_offsets_ = true;
        return;
      }
      next = found.verified_to;
      if (found.lag > most) {
        most = found.lag;
        slowest = partition;
      }
    }
    if (clock_.now() - last_report_ < report_every_) return;
    say(fmt::format("max lag is {} for partition {} at offset {} among {} partitions", most, slowest, next_[slowest],
                    answers.size()));
    last_report_ = clock_.now();
  }

  std::int32_t fetch_bytes_;
  std::int32_t max_wait_ms_;
  std::int64_t start_;
  std::chrono::milliseconds report_every_;
  base::SystemClock clock_;
  Admin admin_;
  base::Logger log_{"kafka.tools.ReplicaVerificationTool$"};
  std::map<BrokerId, std::vector<TopicPartition>> held_by_;
  std::map<TopicPartition, Offset> next_;
  base::Instant last_report_{};
  bool differing_offsets_ = false;
};

int run(int argc, char** argv) {
  Options options = declare();
  if (auto code = begin_program(options, argc, argv)) return *code;
  if (auto text = options.missing({"broker-list"})) return refuse_usage(options, *text);
  if (auto failure = options.check_values()) return die_uncaught(*failure);
  const auto regex = options.text("topics-include").value_or(*options.text("topic-white-list"));
  const auto filter = TopicFilter::from_list(regex);
  if (!filter) return die_uncaught({"java.lang.RuntimeException", regex + " is an invalid regex.", ""});
  const auto servers = *options.text("broker-list");
  if (!valid_servers(servers)) return refuse_usage(options, kInvalidServers);
  auto settings = admin_settings_with_file(std::nullopt, servers);
  if (auto* failure = std::get_if<Failure>(&settings)) return die_uncaught(*failure);
  auto& admin = std::get<AdminSettings>(settings);
  admin.client_id = "replicaVerificationTool";
  admin.api_timeout = admin.request_timeout;
  const auto outcome = Verification(options, std::move(admin)).run(*filter);
  if (const auto* failure = std::get_if<Failure>(&outcome)) return die_uncaught(*failure);
  if (!std::get<bool>(outcome))
    base::Logger("kafka.tools.ReplicaVerificationTool$")
        .error(
            "No topics found. [topic-white-list], if specified, is either filtering out all topics or there is no "
            "topic.");
  return 1;
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) { return tools::run(argc, argv); }
