// kafka-delete-records.sh: deletes records below given offsets.
//
// Output and refusals are those of Apache Kafka 2.7.1.
#include "protocol/messages/delete_records.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "base/posix_files.h"
#include "tools/client/program.h"

namespace tools {
namespace {

namespace bj = boost::json;
using base::BrokerId;
using base::ErrorCode;
using base::Offset;
using base::TopicPartition;
using Offsets = std::vector<std::pair<TopicPartition, Offset>>;

Options declare() {
  return Options("This tool helps to delete records of the given partitions down to the specified offset.",
                 {
                     {.name = "bootstrap-server",
                      .takes = Takes::value,
                      .argument = "server(s) to use for bootstrapping",
                      .description = "REQUIRED: The server to connect to."},
                     {.name = "offset-json-file",
                      .takes = Takes::value,
                      .argument = "Offset json file path",
                      .description = "REQUIRED: The JSON file with an offset for each partition: {\"partitions\": "
                                     "[{\"topic\": \"foo\", \"partition\": 1, \"offset\": 1}], \"version\":1}. "
                                     "-1 deletes all that is committed."},
                     {.name = "command-config",
                      .takes = Takes::value,
                      .argument = "command config property file path",
                      .description = "A properties file with settings of the admin client."},
                 });
}

Failure admin_operation(std::string message) { return {"kafka.admin.AdminOperationException", std::move(message), ""}; }

// One {"topic","partition","offset"}; nothing when it is something else.
std::optional<std::pair<TopicPartition, Offset>> read_row(const bj::value& value) {
  const auto* row = value.if_object();
  if (!row) return std::nullopt;
  const auto* topic = row->if_contains("topic");
  const auto* partition = row->if_contains("partition");
  const auto* offset = row->if_contains("offset");
  if (!topic || !topic->is_string() || !partition || !partition->is_int64() || !offset || !offset->is_int64())
    return std::nullopt;
  return std::pair{
      TopicPartition{std::string(topic->get_string()), static_cast<base::PartitionIndex>(partition->get_int64())},
      Offset{offset->get_int64()}};
}

std::variant<Offsets, Failure> parse_offsets(const std::string& text) {
  boost::system::error_code error;
  const auto parsed = bj::parse(text, error);
  const auto* object = error ? nullptr : parsed.if_object();
  if (!object) return admin_operation("The input string is not a valid JSON");
  if (const auto* version = object->if_contains("version"); version && *version != 1)
    return admin_operation("Not supported version field value " + bj::serialize(*version));
  const auto* partitions = object->if_contains("partitions");
  if (!partitions || !partitions->is_array()) return admin_operation("Missing partitions field");
  Offsets offsets;
  std::set<TopicPartition> seen;
  std::string twice;
  for (const auto& value : partitions->get_array()) {
    auto row = read_row(value);
    if (!row) return admin_operation("Not a topic with partition and offset: " + bj::serialize(value));
    if (!seen.insert(row->first).second) twice += (twice.empty() ? "" : ",") + row->first.text();
    offsets.push_back(std::move(*row));
  }
  if (!twice.empty())
    return Failure{"kafka.common.AdminCommandFailedException",
                   "Offset json file contains duplicate topic partitions: " + twice, ""};
  return offsets;
}

// What became of one partition: its low watermark, or a failure.
using Deleted = std::variant<Offset, Failure>;
using Results = std::map<TopicPartition, Deleted>;

class DeleteCommand {
 public:
  explicit DeleteCommand(AdminSettings settings) : admin_(std::move(settings), clock_) {}

  Results run(const Offsets& offsets) {
    std::map<BrokerId, Offsets> by_leader;
    Results results;
    find_leaders(offsets, by_leader, results);
    for (const auto& [leader, wanted] : by_leader) ask(leader, wanted, results);
    return results;
  }

 private:
  void find_leaders(const Offsets& offsets, std::map<BrokerId, Offsets>& by_leader, Results& results) {
    std::set<std::string> names;
    for (const auto& [partition, offset] : offsets) names.insert(partition.topic);
    auto cluster = admin_.metadata("deleteRecords(api=METADATA)", std::vector(names.begin(), names.end()));
    for (const auto& [partition, offset] : offsets) {
      if (!cluster) {
        results[partition] = failure_of(cluster.error());
      } else if (const auto leader = leader_of(*cluster, partition); std::holds_alternative<BrokerId>(leader)) {
        by_leader[std::get<BrokerId>(leader)].emplace_back(partition, offset);
      } else {
        results[partition] = std::get<Failure>(leader);
      }
    }
  }

  static std::variant<BrokerId, Failure> leader_of(const protocol::MetadataResponse& cluster,
                                                   const TopicPartition& wanted) {
    for (const auto& topic : cluster.topics) {
      if (topic.name != wanted.topic) continue;
      if (topic.error_code != ErrorCode::none) return failure_of({topic.error_code, ""});
      for (const auto& partition : topic.partitions)
        if (partition.partition_index == wanted.partition && partition.leader_id.raw >= 0) return partition.leader_id;
    }
    return failure_of({ErrorCode::leader_not_available, ""});
  }

  void ask(BrokerId leader, const Offsets& wanted, Results& results) {
    protocol::DeleteRecordsRequest request;
    request.timeout_ms = static_cast<std::int32_t>(admin_.settings().request_timeout.count());
    for (const auto& [partition, offset] : wanted) {
      auto& topics = request.topics;
      auto topic =
          std::find_if(topics.begin(), topics.end(), [&](const auto& each) { return each.name == partition.topic; });
      if (topic == topics.end()) topic = topics.insert(topics.end(), {.name = partition.topic, .partitions = {}});
      topic->partitions.push_back({partition.partition, offset});
      results[partition] = failure_of({ErrorCode::unknown_server_error, ""});  // unless the broker says otherwise
    }
    auto answer = admin_.call<protocol::DeleteRecordsResponse>(leader, "deleteRecords", request);
    if (!answer) {
      for (const auto& [partition, offset] : wanted) results[partition] = failure_of(answer.error());
      return;
    }
    for (const auto& topic : answer->topics)
      for (const auto& row : topic.partitions) {
        auto& result = results[{topic.name, row.partition_index}];
        if (row.error_code == ErrorCode::none)
          result = row.low_watermark;
        else
          result = failure_of({row.error_code, ""});
      }
  }

  base::SystemClock clock_;
  Admin admin_;
};

int run(int argc, char** argv) {
  Options options = declare();
  if (auto code = begin_program(options, argc, argv)) return *code;
  if (auto text = options.missing({"bootstrap-server", "offset-json-file"})) return refuse_usage(options, *text);
  if (auto failure = options.check_values()) return die_uncaught(*failure);

  auto settings = admin_settings(options);
  if (auto* failure = std::get_if<Failure>(&settings)) return die_uncaught(*failure);
  base::PosixFiles files;
  const auto path = *options.text("offset-json-file");
  const auto text = base::read_file(files, path);
  if (!text) return die_uncaught({"java.io.IOException", "Unable to read file " + path, ""});
  auto offsets = parse_offsets(*text);
  if (auto* failure = std::get_if<Failure>(&offsets)) return die_uncaught(*failure);

  fmt::print("Executing records delete operation\n");
  std::fflush(stdout);
  const auto results = DeleteCommand(std::get<AdminSettings>(std::move(settings))).run(std::get<Offsets>(offsets));
  fmt::print("Records delete operation completed:\n");
  for (const auto& [partition, result] : results) {
    if (const auto* low = std::get_if<Offset>(&result))
      fmt::print("partition: {}\tlow_watermark: {}\n", partition, *low);
    else
      fmt::print("partition: {}\terror: {}\n", partition, std::get<Failure>(result).text());
  }
  return 0;
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) { return tools::run(argc, argv); }
