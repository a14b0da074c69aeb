// kafka-transactions.sh: shows transactions and their producers, finds those that hang, and ends them.
//
// Arguments, output and refusals are those of Apache Kafka 3.9.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/logging.h"
#include "tools/client/arguments.h"
#include "tools/client/partition_offsets.h"
#include "tools/client/program.h"
#include "tools/client/topic_filter.h"
#include "tools/transactions/padded_table.h"
#include "tools/transactions/transaction_admin.h"

namespace tools {
namespace {

using base::BrokerId;
using base::ErrorCode;
using base::TopicPartition;
using Rows = std::vector<std::vector<std::string>>;

Program declare() {
  const Argument topic{.name = "topic", .required = true, .help = "topic name"};
  const Argument partition{
      .name = "partition", .type = ArgumentType::integer, .required = true, .help = "partition number"};
  return {
      .name = "kafka-transactions.sh",
      .purpose =
          "This tool is used to analyze the transactional state of producers in the cluster. It can be used to "
          "detect and recover from hanging transactions.",
      .arguments = {{.name = "command-config",
                     .metavar = "FILE",
                     .help = "a properties file with settings of the admin client"},
                    {.name = "bootstrap-server",
                     .metavar = "host:port",
                     .required = true,
                     .help = "the brokers to ask first, as host:port,host:port"}},
      .commands =
          {{"list",
            "list transactions",
            {{.name = "duration-filter",
              .type = ArgumentType::long_integer,
              .help = "only transactions that have been running for more milliseconds than this; all if negative"}}},
           {"describe",
            "describe the state of an active transactional-id",
            {{.name = "transactional-id", .required = true, .help = "transactional id"}}},
           {"describe-producers",
            "describe the states of active producers for a topic partition",
            {{.name = "broker-id",
              .type = ArgumentType::integer,
              .help = "the replica to ask; without it, the partition's leader"},
             topic,
             partition}},
           {"abort",
            "abort a hanging transaction (requires administrative privileges)",
            {topic,
             partition,
             {.name = "start-offset",
              .type = ArgumentType::long_integer,
              .help = "start offset of the transaction to abort: enough for brokers of 3.0 and later"},
             {.name = "producer-id",
              .type = ArgumentType::long_integer,
              .help = "producer id; needed for older brokers, as are both epochs"},
             {.name = "producer-epoch", .type = ArgumentType::short_integer, .help = "producer epoch"},
             {.name = "coordinator-epoch", .type = ArgumentType::integer, .help = "coordinator epoch"}}},
           {"find-hanging",
            "find hanging transactions",
            {{.name = "broker-id", .type = ArgumentType::integer, .help = "broker whose partitions are searched"},
             {.name = "max-transaction-timeout",
              .type = ArgumentType::integer,
              .default_text = "15",
              .help = "minutes a transaction may take: younger ones are left out"},
             {.name = "topic", .help = "topic to search"},
             {.name = "partition", .type = ArgumentType::integer, .help = "partition to search"}}}},
  };
}

int refuse(std::string_view message) {
  std::fflush(stdout);
  fmt::print(stderr, "{}\n", message);
  return 1;
}

int fail(std::string_view what, const base::Error& error) {
  return refuse(fmt::format("{}: {}. Enable debug logging for additional detail.", what, failure_of(error).message));
}

class TransactionsCommand {
 public:
  TransactionsCommand(const Arguments& arguments, AdminSettings settings)
      : arguments_(arguments), admin_(std::move(settings), clock_), transactions_(admin_) {}

  int run() {
    const auto name = arguments_.command();
    if (name == "list") return list();
    if (name == "describe") return describe();
    if (name == "describe-producers") return describe_producers();
    if (name == "abort") return abort();
    return find_hanging();
  }

 private:
  int list();
  int describe();
  int describe_producers();
  int abort();
  int find_hanging();

  TopicPartition partition() const {
    return {*arguments_.text("topic"), static_cast<base::PartitionIndex>(*arguments_.number("partition"))};
  }
  std::optional<BrokerId> broker() const {
    const auto id = arguments_.number("broker-id");
    return id ? std::optional(BrokerId{static_cast<std::int32_t>(*id)}) : std::nullopt;
  }
  std::variant<std::vector<TopicPartition>, int> partitions_to_search();
  std::variant<std::vector<OpenTransaction>, int> hanging_among(const std::vector<OpenTransaction>& open);

  const Arguments& arguments_;
  base::SystemClock clock_;
  Admin admin_;
  TransactionAdmin transactions_;
};

int TransactionsCommand::list() {
  const auto found =
      transactions_.list({.producer_ids = {}, .running_longer_ms = arguments_.number("duration-filter").value_or(-1)});
  if (!found) return fail("Failed to list transactions", found.error());
  Rows rows;
  for (const auto& each : *found)
    rows.push_back({each.transactional_id, std::to_string(each.coordinator.raw), std::to_string(each.producer_id.raw),
                    each.state});
  std::sort(rows.begin(), rows.end());
  fmt::print("{}", padded_table({"TransactionalId", "Coordinator", "ProducerId", "TransactionState"}, rows));
  return 0;
}

int TransactionsCommand::describe() {
  const auto id = *arguments_.text("transactional-id");
  const auto what = fmt::format("Failed to describe transaction state of transactional-id `{}`", id);
  const auto found = transactions_.describe(id);
  if (!found) return fail(what, found.error());
  const auto coordinator = transactions_.coordinator(id);
  if (!coordinator) return fail(what, coordinator.error());
  std::vector<std::string> partitions;
  for (const auto& topic : found->topics)
    for (const auto number : topic.partitions) partitions.push_back(TopicPartition{topic.topic, number}.text());
  const auto start = found->transaction_start_time_ms;
  const bool running = start >= 0;
  fmt::print("{}",
             padded_table(
                 {"CoordinatorId", "TransactionalId", "ProducerId", "ProducerEpoch", "TransactionState",
                  "TransactionTimeoutMs", "CurrentTransactionStartTimeMs", "TransactionDurationMs", "TopicPartitions"},
                 {{std::to_string(coordinator->id.raw), id, std::to_string(found->producer_id.raw),
                   std::to_string(found->producer_epoch.raw), found->transaction_state,
                   std::to_string(found->transaction_timeout_ms), running ? std::to_string(start) : "None",
                   running ? std::to_string(base::to_ms(clock_.wall()) - start) : "None",
                   fmt::format("{}", fmt::join(partitions, ","))}}));
  return 0;
}

int TransactionsCommand::describe_producers() {
  const auto found = transactions_.producers(partition(), broker());
  if (!found)
    return fail(fmt::format("Failed to describe producers for partition {} on {}", partition(),
                            broker() ? fmt::format("broker {}", *broker()) : "leader"),
                found.error());
  Rows rows;
  for (const auto& each : *found) {
    const auto start = each.current_txn_start_offset.raw;
    rows.push_back({std::to_string(each.producer_id.raw), std::to_string(each.producer_epoch),
                    std::to_string(each.coordinator_epoch), std::to_string(each.last_sequence),
                    std::to_string(each.last_timestamp), start < 0 ? "None" : std::to_string(start)});
  }
  fmt::print("{}", padded_table({"ProducerId", "ProducerEpoch", "LatestCoordinatorEpoch", "LastSequence",
                                 "LastTimestamp", "CurrentTransactionStartOffset"},
                                rows));
  return 0;
}

int TransactionsCommand::abort() {
  const auto start = arguments_.number("start-offset"), producer_id = arguments_.number("producer-id");
  if (!start && !producer_id)
    return refuse(
        "The transaction to abort must be identified either with --start-offset (for brokers on 3.0 or above) or with "
        "--producer-id, --producer-epoch, and --coordinator-epoch (for older brokers)");
  TransactionAdmin::Abort what{partition(), {}, {}, 0};
  if (start) {
    const auto found = transactions_.producers(what.partition, std::nullopt);
    if (!found)
      return fail(fmt::format("Failed to validate producer state for partition {}", what.partition), found.error());
    const auto open = std::find_if(found->begin(), found->end(), [&](const auto& each) {
      return each.current_txn_start_offset.raw >= 0 && each.current_txn_start_offset.raw == *start;
    });
    if (open == found->end())
      return refuse(fmt::format("Could not find any open transactions starting at offset {} on partition {}", *start,
                                what.partition));
    what.producer_id = open->producer_id;
    what.producer_epoch = base::ProducerEpoch{static_cast<std::int16_t>(open->producer_epoch)};
    what.coordinator_epoch = open->coordinator_epoch;
  } else {
    const auto epoch = arguments_.number("producer-epoch"), coordinator = arguments_.number("coordinator-epoch");
    if (!epoch) return refuse("Missing required argument --producer-epoch");
    if (!coordinator) return refuse("Missing required argument --coordinator-epoch");
    what.producer_id = base::ProducerId{*producer_id};
    what.producer_epoch = base::ProducerEpoch{static_cast<std::int16_t>(*epoch)};
    what.coordinator_epoch = static_cast<std::int32_t>(*coordinator);
  }
  // -1: no transaction of this producer has ended here yet; 0 is at most what any coordinator has.
  what.coordinator_epoch = std::max(what.coordinator_epoch, 0);
  if (const auto done = transactions_.abort(what); !done)
    return fail(fmt::format("Failed to abort transaction AbortTransactionSpec(topicPartition={}, producerId={}, "
                            "producerEpoch={}, coordinatorEpoch={})",
                            what.partition, what.producer_id, what.producer_epoch, what.coordinator_epoch),
                done.error());
  return 0;
}

std::variant<std::vector<TopicPartition>, int> TransactionsCommand::partitions_to_search() {
  const auto topic = arguments_.text("topic");
  if (topic && arguments_.given("partition")) return std::vector{partition()};
  const auto cluster =
      admin_.metadata("describeTopics", topic ? std::optional(std::vector<std::string>{*topic}) : std::nullopt);
  if (!cluster) return fail("Failed to list topics", cluster.error());
  std::vector<TopicPartition> out;
  for (const auto& each : cluster->topics) {
    if (!topic && is_internal_topic(*each.name)) continue;
    if (each.error_code != ErrorCode::none) return fail("Failed to describe 1 topics", {each.error_code, ""});
    for (const auto& one : each.partitions) {
      const auto& replicas = one.replica_nodes;
      if (!broker() || std::find(replicas.begin(), replicas.end(), *broker()) != replicas.end())
        out.push_back({*each.name, one.partition_index});
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::variant<std::vector<OpenTransaction>, int> TransactionsCommand::hanging_among(
    const std::vector<OpenTransaction>& open) {
  TransactionFilter filter;
  for (const auto& each : open) filter.producer_ids.push_back(each.producer.producer_id.raw);
  std::sort(filter.producer_ids.begin(), filter.producer_ids.end());
  filter.producer_ids.erase(std::unique(filter.producer_ids.begin(), filter.producer_ids.end()),
                            filter.producer_ids.end());
  const auto listed = transactions_.list(filter);
  if (!listed)
    return fail(fmt::format("Failed to list transactions for {} producers", filter.producer_ids.size()),
                listed.error());
  std::map<std::int64_t, std::string> ids;
  std::map<std::string, TransactionState> states;
  for (const auto& each : *listed) {
    ids[each.producer_id.raw] = each.transactional_id;
    auto state = transactions_.describe(each.transactional_id);
    if (state)
      states[each.transactional_id] = std::move(*state);
    else if (state.error().code != ErrorCode::transactional_id_not_found)
      return fail(fmt::format("Failed to describe {} transactions", listed->size()), state.error());
  }
  return hanging_ones(open, ids, states);
}

int TransactionsCommand::find_hanging() {
  if (!arguments_.given("topic") && !arguments_.given("broker-id"))
    return refuse("The `find-hanging` command requires either --topic or --broker-id to limit the scope of the search");
  if (arguments_.given("partition") && !arguments_.given("topic"))
    return refuse("The --partition argument requires --topic to be provided");
  const auto partitions = partitions_to_search();
  if (const auto* code = std::get_if<int>(&partitions)) return *code;
  const auto& wanted = std::get<std::vector<TopicPartition>>(partitions);
  const auto open =
      transactions_.open_for(wanted, broker(), std::chrono::minutes(*arguments_.number("max-transaction-timeout")));
  if (!open) return fail(fmt::format("Failed to describe producers for {} partitions", wanted.size()), open.error());
  Rows rows;
  if (!open->empty()) {
    const auto hanging = hanging_among(*open);
    if (const auto* code = std::get_if<int>(&hanging)) return *code;
    const auto now = base::to_ms(clock_.wall());
    for (const auto& [where, producer] : std::get<std::vector<OpenTransaction>>(hanging))
      rows.push_back({where.topic, std::to_string(where.partition), std::to_string(producer.producer_id.raw),
                      std::to_string(producer.producer_epoch), std::to_string(producer.coordinator_epoch),
                      std::to_string(producer.current_txn_start_offset.raw), std::to_string(producer.last_timestamp),
                      std::to_string((now - producer.last_timestamp) / 60'000)});
  }
  fmt::print("{}", padded_table({"Topic", "Partition", "ProducerId", "ProducerEpoch", "CoordinatorEpoch", "StartOffset",
                                 "LastTimestamp", "Duration(min)"},
                                rows));
  return 0;
}

int run(int argc, char** argv) {
  base::log_to_standard_error();
  base::set_log_level(base::LogLevel::warn);
  Arguments arguments(declare());
  if (auto code = arguments.parse(argc, argv)) return *code;
  auto settings = admin_settings_with_file(arguments.text("command-config"), *arguments.text("bootstrap-server"));
  if (const auto* failure = std::get_if<Failure>(&settings)) {
    if (failure->exception == "java.nio.file.NoSuchFileException")
      return refuse(fmt::format(
          "Failed to load admin client properties: {}. Enable debug logging for additional detail.", failure->message));
    return die_uncaught(*failure);
  }
  return TransactionsCommand(arguments, std::move(std::get<AdminSettings>(settings))).run();
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) { return tools::run(argc, argv); }
