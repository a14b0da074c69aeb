// kafka-topics.sh: creates, lists, describes, alters and deletes topics.
//
// Output and refusals are those of Apache Kafka 2.7.1, the order of checks included.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>
#include <set>

#include "base/logging.h"
#include "config/broker_settings.h"
#include "config/topic_settings.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/describe_configs.h"
#include "protocol/messages/list_partition_reassignments.h"
#include "tools/client/program.h"
#include "tools/client/topic_filter.h"

namespace tools {
namespace {

using base::BrokerId;
using base::ErrorCode;
using TopicMetadata = protocol::MetadataResponse::Topic;

constexpr std::int8_t kTopicResource = 2;
constexpr std::int8_t kDefaultConfigSource = 5;

std::string config_description() {
  std::string text = "With --create: a setting of the topic, as name=value; may be repeated. Names:";
  for (const auto& setting : config::topic_settings()) text += fmt::format("\n\t{}", setting.name);
  return text + "\nTo change settings later use kafka-configs.";
}

Options declare() {
  static const std::string config_text = config_description();
  auto flag = [](std::string_view name, std::string_view description) {
    return Option{.name = name, .description = description};
  };
  return Options(
      "This tool helps to create, delete, describe, or change a topic.",
      {
          {.name = "bootstrap-server",
           .takes = Takes::value,
           .argument = "server to connect to",
           .description = "REQUIRED: The brokers to ask first, as host:port,host:port."},
          {.name = "zookeeper",
           .takes = Takes::value,
           .argument = "hosts",
           .description = "Not available: connect to the brokers with --bootstrap-server."},
          {.name = "command-config",
           .takes = Takes::value,
           .argument = "command config property file",
           .description = "A properties file with settings of the admin client."},
          flag("create", "Create a topic."),
          flag("list", "Print the names of the topics."),
          flag("describe", "Print partitions, leaders, replicas and settings."),
          flag("alter", "Add partitions to topics. Records with keys may then go to other partitions than before."),
          flag("delete", "Delete topics."),
          {.name = "topic",
           .takes = Takes::value,
           .argument = "topic",
           .description = "The topic to create; for the other actions a regular expression, or several separated "
                          "by commas."},
          {.name = "topic-id",
           .takes = Takes::value,
           .argument = "topic-id",
           .description = "Describe the topic with this id. Wins over --topic."},
          {.name = "partitions",
           .takes = Takes::value,
           .type = ValueType::integer,
           .argument = "# of partitions",
           .description = "How many partitions the topic shall have; without it, as many as the broker's "
                          "num.partitions says."},
          {.name = "replication-factor",
           .takes = Takes::value,
           .type = ValueType::integer,
           .argument = "replication factor",
           .description = "How many replicas each partition shall have; without it, as many as the broker's "
                          "default.replication.factor says."},
          {.name = "replica-assignment",
           .takes = Takes::value,
           .argument = "broker_id_for_part1_replica1 : broker_id_for_part1_replica2 , broker_id_for_part2_replica1 : "
                       "broker_id_for_part2_replica2 , ...",
           .description = "Which brokers shall hold each partition. With --alter, existing partitions are listed "
                          "as well."},
          {.name = "config",
           .takes = Takes::value,
           .argument = "name=value",
           .repeatable = true,
           .description = config_text},
          {.name = "delete-config",
           .takes = Takes::value,
           .argument = "name",
           .repeatable = true,
           .description = "Not available with --bootstrap-server: use kafka-configs."},
          flag("under-replicated-partitions", "Describe only partitions with replicas out of sync."),
          flag("unavailable-partitions", "Describe only partitions without a living leader."),
          flag("under-min-isr-partitions",
               "Describe only partitions with fewer replicas in sync than min.insync.replicas."),
          flag("at-min-isr-partitions", "Describe only partitions with just min.insync.replicas replicas in sync."),
          flag("topics-with-overrides", "Describe only topics with settings of their own, without partitions."),
          flag("if-exists", "With --alter, --delete, --describe: no error when there is no such topic."),
          flag("if-not-exists", "With --create: no error when the topic exists."),
          flag("exclude-internal", "Leave out internal topics when listing or describing."),
          flag("disable-rack-aware", "Accepted for older scripts; without effect."),
          flag("force", "Accepted for older scripts; without effect."),
          {.name = "partition-size-limit-per-response",
           .takes = Takes::value,
           .type = ValueType::integer,
           .argument = "maximum number of partitions in one response.",
           .description = "Accepted; answers are not paged."},
      });
}

// What must or must not stand together; the sentence, or nothing. Checked in Kafka's order.
std::optional<std::string> refused_combination(const Options& options) {
  const std::vector<std::string_view> actions = {"alter", "create", "describe", "list", "delete"};
  auto all_but = [&](std::set<std::string_view> allowed, std::vector<std::string_view> more = {}) {
    std::vector<std::string_view> out;
    for (auto action : actions)
      if (!allowed.contains(action)) out.push_back(action);
    out.insert(out.end(), more.begin(), more.end());
    return out;
  };
  if (options.given("describe") && options.given("if-exists") && !options.given("topic-id"))
    if (auto text = options.missing({"topic"})) return text;
  if (!options.given("list") && !options.given("describe"))
    if (auto text = options.missing({"topic"})) return text;
  if (options.given("alter")) {
    if (options.given("config"))
      return "Option combination \"[bootstrap-server],[config]\" can't be used with option \"[alter]\" (the "
             "kafka-configs CLI supports altering topic configs with a --bootstrap-server option)";
    if (auto text = options.missing({"partitions"})) return text;
  }
  const std::vector<std::string_view> reports = {"under-replicated-partitions", "under-min-isr-partitions",
                                                 "at-min-isr-partitions", "unavailable-partitions"};
  std::vector<std::pair<std::string_view, std::vector<std::string_view>>> rules = {
      {"config", all_but({"alter", "create"})},
      {"delete-config", all_but({"alter"}, {"bootstrap-server"})},
      {"partitions", all_but({"alter", "create"})},
      {"replication-factor", all_but({"create"})},
      {"replica-assignment", all_but({"create", "alter"})},
  };
  if (options.given("create")) rules.push_back({"replica-assignment", {"partitions", "replication-factor"}});
  for (auto report : reports) {
    auto others = all_but({"describe"}, {"topics-with-overrides"});
    for (auto other : reports)
      if (other != report) others.push_back(other);
    rules.push_back({report, others});
  }
  rules.push_back({"topics-with-overrides", all_but({"describe"})});
  rules.push_back({"topic-id", all_but({"describe"})});
  rules.push_back({"if-exists", all_but({"alter", "delete", "describe"})});
  rules.push_back({"if-not-exists", all_but({"create"})});
  rules.push_back({"exclude-internal", all_but({"list", "describe"})});
  for (const auto& [name, others] : rules)
    if (auto text = options.excluded(name, others)) return text;
  return std::nullopt;
}

// ---------------------------------------------------------------------------------------------- what was asked for

using Assignment = std::vector<std::vector<BrokerId>>;  // by partition

std::variant<Assignment, Failure> parse_assignment(std::string_view text) {
  Assignment out;
  for (const std::string& partition : config::split_list(text)) {
    std::vector<BrokerId> replicas;
    std::string_view rest = partition;
    while (true) {
      std::string_view word = config::trim(rest.substr(0, rest.find(':')));
      std::int32_t id = 0;
      auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
      if (word.empty() || error != std::errc() || end != word.data() + word.size())
        return Failure{"java.lang.NumberFormatException", fmt::format("For input string: \"{}\"", word), ""};
      if (std::find(replicas.begin(), replicas.end(), BrokerId{id}) != replicas.end())
        return Failure{"kafka.common.AdminCommandFailedException",
                       fmt::format("Partition replica lists may not contain duplicate entries: {}", id), ""};
      replicas.push_back(BrokerId{id});
      if (rest.find(':') == std::string_view::npos) break;
      rest.remove_prefix(rest.find(':') + 1);
    }
    if (!out.empty() && replicas.size() != out[0].size())
      return Failure{"kafka.admin.AdminOperationException",
                     fmt::format("Partition {} has different replication factor: {}", out.size(), partition), ""};
    out.push_back(std::move(replicas));
  }
  return out;
}

std::variant<config::Texts, Failure> topic_configs(const Options& options) {
  config::Texts configs;
  for (const std::string& pair : options.all("config")) {
    std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals + 1 == pair.size())
      return illegal_argument(
          "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".");
    configs[std::string(config::trim(pair.substr(0, equals)))] = config::trim(pair.substr(equals + 1));
  }
  if (configs.contains("message.format.version"))
    fmt::print(
        "WARNING: The configuration message.format.version={} is specified. This configuration will be ignored if the "
        "version is newer than the inter.broker.protocol.version specified in the broker.\n",
        configs["message.format.version"]);
  if (auto good = config::validate_topic_overrides(config::BrokerSettings(), configs); !good) {
    Failure failure = failure_of(good.error());
    if (failure.message.starts_with("Invalid value"))
      failure.exception = "org.apache.kafka.common.config.ConfigException";
    return failure;
  }
  return configs;
}

// The brokers' answers carry one code per topic; the first that is not `none` is the command's failure.
template <class Rows>
Outcome first_failure(const Rows& rows) {
  for (const auto& row : rows)
    if (row.error_code != ErrorCode::none) return failure_of({row.error_code, row.error_message.value_or("")});
  return std::nullopt;
}

template <class Rows>
ErrorCode controller_outcome(const Rows& rows) {
  for (const auto& row : rows)
    if (row.error_code == ErrorCode::not_controller) return row.error_code;
  return ErrorCode::none;
}

class TopicCommand {
 public:
  TopicCommand(const Options& options, AdminSettings settings)
      : options_(options), admin_(std::move(settings), clock_) {}

  Outcome run() {
    if (options_.given("create")) return create();
    if (options_.given("alter")) return alter();
    if (options_.given("list")) return list();
    if (options_.given("describe")) return describe();
    return remove();
  }

 private:
  struct Chosen {
    std::vector<TopicMetadata> topics;  // by name
    std::set<BrokerId> live_brokers;
  };

  std::int32_t broker_timeout_ms() const;
  std::variant<Chosen, Failure> choose();
  Outcome must_exist(const Chosen& chosen) const;

  Outcome create();
  Outcome alter();
  Outcome list();
  Outcome describe();
  Outcome remove();

  struct Configs {
    std::string overrides;
    std::int32_t min_in_sync = 1;
  };
  std::variant<std::map<std::string, Configs>, Failure> configs_of(const std::vector<TopicMetadata>& topics);
  struct Moving {
    std::vector<BrokerId> adding, removing;
  };
  using MovingPartitions = std::map<std::pair<std::string, std::int32_t>, Moving>;
  std::variant<MovingPartitions, Failure> reassignments(const std::vector<TopicMetadata>& topics);
  bool wanted(const TopicMetadata::Partition& partition, std::size_t replication_factor, std::int32_t min_in_sync,
              const std::set<BrokerId>& live_brokers) const;

  const Options& options_;
  base::SystemClock clock_;
  Admin admin_;
};

// The broker gives up before the client does, so that its answer arrives.
std::int32_t TopicCommand::broker_timeout_ms() const {
  auto time = admin_.settings().request_timeout;
  return static_cast<std::int32_t>((time - time / 10).count());
}

// Topics as --topic, --topic-id and --exclude-internal select them.
std::variant<TopicCommand::Chosen, Failure> TopicCommand::choose() {
  auto cluster = admin_.metadata("listTopics", std::nullopt);
  if (!cluster) return failure_of(cluster.error());
  std::optional<TopicFilter> filter;
  auto expression = options_.text("topic");
  auto id = options_.text("topic-id");
  if (expression && !id) {
    filter = TopicFilter::from_list(*expression);
    if (!filter) return Failure{"java.lang.RuntimeException", fmt::format("{} is an invalid regex.", *expression), ""};
  }
  Chosen chosen;
  for (auto& topic : cluster->topics) {
    if (!topic.name || (filter && !filter->matches(*topic.name))) continue;
    if (id && topic.topic_id.text() != *id) continue;
    if (options_.given("exclude-internal") && (topic.is_internal || is_internal_topic(*topic.name))) continue;
    auto& partitions = topic.partitions;
    std::sort(partitions.begin(), partitions.end(),
              [](const auto& a, const auto& b) { return a.partition_index < b.partition_index; });
    chosen.topics.push_back(std::move(topic));
  }
  std::sort(chosen.topics.begin(), chosen.topics.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const auto& broker : cluster->brokers) chosen.live_brokers.insert(broker.node_id);
  return chosen;
}

Outcome TopicCommand::must_exist(const Chosen& chosen) const {
  if (!chosen.topics.empty() || options_.given("if-exists")) return std::nullopt;
  if (auto id = options_.text("topic-id")) return illegal_argument("TopicId '{}' does not exist as expected", *id);
  if (auto name = options_.text("topic")) return illegal_argument("Topic '{}' does not exist as expected", *name);
  return std::nullopt;
}

Outcome TopicCommand::create() {
  protocol::CreateTopicsRequest::Topic topic{.name = *options_.text("topic"),
                                             .num_partitions = -1,
                                             .replication_factor = -1,
                                             .assignments = {},
                                             .configs = {}};
  auto configs = topic_configs(options_);
  if (auto* failure = std::get_if<Failure>(&configs)) return *failure;
  for (const auto& [key, value] : std::get<config::Texts>(configs)) topic.configs.push_back({key, value});
  if (auto text = options_.text("replica-assignment")) {
    auto assignment = parse_assignment(*text);
    if (auto* failure = std::get_if<Failure>(&assignment)) return *failure;
    for (auto& replicas : std::get<Assignment>(assignment))
      topic.assignments.push_back({static_cast<std::int32_t>(topic.assignments.size()), std::move(replicas)});
  }
  if (topic.name.find_first_of("._") != std::string::npos)
    fmt::print(
        "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To "
        "avoid issues it is best to use either, but not both.\n");
  if (auto factor = options_.number("replication-factor")) {
    if (*factor < 1 || *factor > 32767)
      return illegal_argument("The replication factor must be between 1 and 32767 inclusive");
    topic.replication_factor = static_cast<std::int16_t>(*factor);
  }
  if (auto partitions = options_.number("partitions")) {
    if (*partitions < 1) return illegal_argument("The partitions must be greater than 0");
    topic.num_partitions = static_cast<std::int32_t>(*partitions);
  }
  if (topic.assignments.empty() && (topic.num_partitions < 0 || topic.replication_factor < 0))
    if (auto version = admin_.version_on(Controller{}, protocol::kCreateTopics); version && *version < 4)
      return failure_of(base::fail(ErrorCode::unsupported_version,
                                   "Creating topics with default partitions/replication factor are only supported in "
                                   "CreateTopicRequest version 4+. The following topics need values for partitions and "
                                   "replicas: [{}]",
                                   topic.name));

  protocol::CreateTopicsRequest request{.topics = {topic}, .timeout_ms = broker_timeout_ms(), .validate_only = false};
  using Response = protocol::CreateTopicsResponse;
  auto answer = admin_.call<Response>(Controller{}, "createTopics", request,
                                      [](const Response& r) { return controller_outcome(r.topics); });
  if (!answer) return failure_of(answer.error());
  for (const auto& row : answer->topics)
    if (row.error_code == ErrorCode::topic_already_exists && options_.given("if-not-exists")) return std::nullopt;
  if (auto failure = first_failure(answer->topics)) return failure;
  fmt::print("Created topic {}.\n", topic.name);
  return std::nullopt;
}

Outcome TopicCommand::alter() {
  auto chosen = choose();
  if (auto* failure = std::get_if<Failure>(&chosen)) return *failure;
  const auto& topics = std::get<Chosen>(chosen).topics;
  if (auto failure = must_exist(std::get<Chosen>(chosen)); failure || topics.empty()) return failure;

  Assignment whole;
  if (auto text = options_.text("replica-assignment")) {
    auto parsed = parse_assignment(*text);
    if (auto* failure = std::get_if<Failure>(&parsed)) return *failure;
    whole = std::get<Assignment>(parsed);
  }
  protocol::CreatePartitionsRequest request{.topics = {}, .timeout_ms = broker_timeout_ms(), .validate_only = false};
  for (const auto& topic : topics) {
    auto& row = request.topics.emplace_back();
    row.name = *topic.name;
    row.count = static_cast<std::int32_t>(*options_.number("partitions"));
    if (whole.empty()) continue;
    row.assignments.emplace();
    for (std::size_t i = topic.partitions.size(); i < whole.size(); ++i) row.assignments->push_back({whole[i]});
  }
  using Response = protocol::CreatePartitionsResponse;
  auto answer = admin_.call<Response>(Controller{}, "createPartitions", request,
                                      [](const Response& r) { return controller_outcome(r.results); });
  return answer ? first_failure(answer->results) : failure_of(answer.error());
}

Outcome TopicCommand::list() {
  auto chosen = choose();
  if (auto* failure = std::get_if<Failure>(&chosen)) return *failure;
  std::string out;
  for (const auto& topic : std::get<Chosen>(chosen).topics) out += (out.empty() ? "" : "\n") + *topic.name;
  fmt::print("{}\n", out);
  return std::nullopt;
}

Outcome TopicCommand::remove() {
  auto chosen = choose();
  if (auto* failure = std::get_if<Failure>(&chosen)) return *failure;
  const auto& topics = std::get<Chosen>(chosen).topics;
  if (auto failure = must_exist(std::get<Chosen>(chosen)); failure || topics.empty()) return failure;
  protocol::DeleteTopicsRequest request;
  request.timeout_ms = broker_timeout_ms();
  for (const auto& topic : topics) {
    request.topics.push_back({.name = *topic.name, .topic_id = {}});
    request.topic_names.push_back(*topic.name);
  }
  using Response = protocol::DeleteTopicsResponse;
  auto answer = admin_.call<Response>(Controller{}, "deleteTopics", request,
                                      [](const Response& r) { return controller_outcome(r.responses); });
  return answer ? first_failure(answer->responses) : failure_of(answer.error());
}

// ------------------------------------------------------------------------------------------------------- describe

std::variant<std::map<std::string, TopicCommand::Configs>, Failure> TopicCommand::configs_of(
    const std::vector<TopicMetadata>& topics) {
  protocol::DescribeConfigsRequest request;
  for (const auto& topic : topics)
    request.resources.push_back(
        {.resource_type = kTopicResource, .resource_name = *topic.name, .configuration_keys = std::nullopt});
  auto version = admin_.version_on(AnyBroker{}, protocol::kDescribeConfigs);
  auto answer = admin_.call<protocol::DescribeConfigsResponse>(AnyBroker{}, "describeConfigs", request);
  if (!answer) return failure_of(answer.error());
  if (auto failure = first_failure(answer->results)) return *failure;
  std::map<std::string, Configs> out;
  for (const auto& topic : answer->results) {
    Configs& configs = out[topic.resource_name];
    for (const auto& entry : topic.configs) {
      bool is_default = version == 0 ? entry.is_default : entry.config_source == kDefaultConfigSource;
      std::string value = entry.value.value_or("null");
      if (!is_default)
        configs.overrides += fmt::format("{}{}={}", configs.overrides.empty() ? "" : ",", entry.name, value);
      if (entry.name == "min.insync.replicas")
        std::from_chars(value.data(), value.data() + value.size(), configs.min_in_sync);
    }
  }
  return out;
}

// Brokers that cannot say what moves where (before 2.4, or not allowed) count as moving nothing.
std::variant<TopicCommand::MovingPartitions, Failure> TopicCommand::reassignments(
    const std::vector<TopicMetadata>& topics) {
  MovingPartitions moving;
  protocol::ListPartitionReassignmentsRequest request;
  request.topics.emplace();
  for (const auto& topic : topics) {
    auto& row = request.topics->emplace_back();
    row.name = *topic.name;
    for (const auto& partition : topic.partitions) row.partition_indexes.push_back(partition.partition_index);
  }
  using Response = protocol::ListPartitionReassignmentsResponse;
  auto answer = admin_.call<Response>(Controller{}, "listPartitionReassignments", request,
                                      [](const Response& r) { return r.error_code; });
  ErrorCode code = answer ? answer->error_code : answer.error().code;
  if (code == ErrorCode::unsupported_version || code == ErrorCode::cluster_authorization_failed) return moving;
  if (!answer) return failure_of(answer.error());
  if (code != ErrorCode::none) return failure_of({code, answer->error_message.value_or("")});
  for (auto& topic : answer->topics)
    for (auto& partition : topic.partitions)
      moving[{topic.name, partition.partition_index}] = {std::move(partition.adding_replicas),
                                                         std::move(partition.removing_replicas)};
  return moving;
}

bool TopicCommand::wanted(const TopicMetadata::Partition& partition, std::size_t replication_factor,
                          std::int32_t min_in_sync, const std::set<BrokerId>& live_brokers) const {
  auto in_sync = static_cast<std::int32_t>(partition.isr_nodes.size());
  if (options_.given("under-replicated-partitions")) return partition.isr_nodes.size() < replication_factor;
  if (options_.given("unavailable-partitions")) return !live_brokers.contains(partition.leader_id);
  if (options_.given("under-min-isr-partitions")) return partition.leader_id.raw < 0 || in_sync < min_in_sync;
  if (options_.given("at-min-isr-partitions")) return in_sync == min_in_sync;
  return true;
}

Outcome TopicCommand::describe() {
  auto choice = choose();
  if (auto* failure = std::get_if<Failure>(&choice)) return *failure;
  const auto& [topics, live_brokers] = std::get<Chosen>(choice);
  if (auto failure = must_exist(std::get<Chosen>(choice)); failure || topics.empty()) return failure;
  auto all_configs = configs_of(topics);
  if (auto* failure = std::get_if<Failure>(&all_configs)) return *failure;
  auto all_moving = reassignments(topics);
  if (auto* failure = std::get_if<Failure>(&all_moving)) return *failure;
  auto& moving = std::get<MovingPartitions>(all_moving);

  const bool filtered = options_.given("under-replicated-partitions") || options_.given("unavailable-partitions") ||
                        options_.given("under-min-isr-partitions") || options_.given("at-min-isr-partitions");
  const bool headers_only = options_.given("topics-with-overrides");
  auto join = [](const std::vector<BrokerId>& ids) { return fmt::format("{}", fmt::join(ids, ",")); };

  std::string out;
  for (const auto& topic : topics) {
    if (topic.error_code != ErrorCode::none && topic.partitions.empty()) return failure_of({topic.error_code, ""});
    const Configs& configs = std::get<0>(all_configs)[*topic.name];
    auto factor_of = [&](const TopicMetadata::Partition& partition) {
      auto found = moving.find({*topic.name, partition.partition_index});
      std::size_t adding = found == moving.end() ? 0 : found->second.adding.size();
      return partition.replica_nodes.size() - std::min(adding, partition.replica_nodes.size());
    };
    if (!filtered && (!headers_only || !configs.overrides.empty()))
      out +=
          fmt::format("Topic: {}{}\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}\n", *topic.name,
                      options_.given("topic-id") ? "\tTopicId: " + topic.topic_id.text() : "", topic.partitions.size(),
                      topic.partitions.empty() ? 0 : factor_of(topic.partitions[0]), configs.overrides);
    if (headers_only) continue;
    for (const auto& partition : topic.partitions) {
      if (!wanted(partition, factor_of(partition), configs.min_in_sync, live_brokers)) continue;
      out += fmt::format("\tTopic: {}\tPartition: {}\tLeader: {}\tReplicas: {}\tIsr: {}", *topic.name,
                         partition.partition_index,
                         partition.leader_id.raw < 0 ? "none" : std::to_string(partition.leader_id.raw),
                         join(partition.replica_nodes), join(partition.isr_nodes));
      if (auto found = moving.find({*topic.name, partition.partition_index}); found != moving.end())
        out += fmt::format("\tAdding Replicas: {}\tRemoving Replicas: {}", join(found->second.adding),
                           join(found->second.removing));
      out += '\n';
    }
  }
  fmt::print("{}", out);
  return std::nullopt;
}

int report(const Failure& failure) {
  fmt::print("Error while executing topic command : {}\n", failure.message);
  std::fflush(stdout);
  base::Logger("kafka.admin.TopicCommand$").error("{}\n", failure.text());
  return 1;
}

int run(int argc, char** argv) {
  Options options = declare();
  if (argc < 2) return refuse_usage(options, "Create, delete, describe, or change a topic.");
  if (auto code = begin_program(options, argc, argv)) return *code;
  int actions = 0;
  for (auto action : {"create", "list", "alter", "describe", "delete"}) actions += options.given(action) ? 1 : 0;
  if (actions != 1)
    return refuse_usage(options,
                        "Command must include exactly one action: --list, --describe, --create, --alter or --delete");
  if (options.given("zookeeper") && !options.given("bootstrap-server")) {
    fmt::print(stderr,
               "--zookeeper is not available: this tool works through the brokers. Use --bootstrap-server <host:port> "
               "with the address of any broker.\n");
    return 1;
  }
  if (options.given("zookeeper") == options.given("bootstrap-server"))
    return die_uncaught(illegal_argument("Only one of --bootstrap-server or --zookeeper must be specified"));
  if (auto text = refused_combination(options)) return refuse_usage(options, *text);

  if (auto failure = options.check_values()) {
    if (failure->exception == "joptsimple.MultipleArgumentsForOptionException") return die_uncaught(*failure);
    return report(*failure);
  }
  auto settings = admin_settings(options);
  if (auto* failure = std::get_if<Failure>(&settings)) return die_uncaught(*failure);
  auto failure = TopicCommand(options, std::get<AdminSettings>(std::move(settings))).run();
  return failure ? report(*failure) : 0;
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) { return tools::run(argc, argv); }
