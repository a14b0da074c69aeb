// kafka-reassign-partitions.sh: moves partitions to other brokers and directories, shows how far that is, calls it off.
//
// Output and refusals are those of Apache Kafka 2.7.1; a new throttle for moves under way also bounds the replicas that
// are on their way, as since 2.8.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "base/posix_files.h"
#include "base/random.h"
#include "replication/controller/placement.h"
#include "tools/client/program.h"
#include "tools/reassign/plan.h"
#include "tools/reassign/reassign_admin.h"

namespace tools {
namespace {

using base::BrokerId;
using base::TopicPartition;

// Settings of brokers and topics that bound how fast replicas are copied.
constexpr char kLeaderRate[] = "leader.replication.throttled.rate";
constexpr char kFollowerRate[] = "follower.replication.throttled.rate";
constexpr char kDirectoryRate[] = "replica.alter.log.dirs.io.max.bytes.per.second";
constexpr char kThrottledLeaders[] = "leader.replication.throttled.replicas";
constexpr char kThrottledFollowers[] = "follower.replication.throttled.replicas";

constexpr std::chrono::milliseconds kBetweenAttempts{100};  // at moves whose replica is not on its broker yet

Options declare() {
  auto flag = [](std::string_view name, std::string_view description) {
    return Option{.name = name, .description = description};
  };
  auto text = [](std::string_view name, std::string_view argument, std::string_view description) {
    return Option{.name = name, .takes = Takes::value, .argument = argument, .description = description};
  };
  auto number = [](std::string_view name, std::string_view argument, std::string_view otherwise,
                   std::string_view description) {
    return Option{.name = name,
                  .takes = Takes::value,
                  .type = ValueType::long_integer,
                  .argument = argument,
                  .default_text = otherwise,
                  .description = description};
  };
  return Options(
      "This tool helps to move topic partitions between replicas.",
      {
          flag("generate", "Propose a plan for --topics-to-move-json-file and --broker-list. Nothing is moved."),
          flag("execute", "Begin to move as --reassignment-json-file says."),
          flag("verify",
               "Tell how far the moves of --reassignment-json-file are; once they are complete, remove "
               "their throttles."),
          flag("cancel", "Call off the moves of --reassignment-json-file that are not complete."),
          flag("list", "Print all moves that are under way."),
          text("bootstrap-server", "Server(s) to use for bootstrapping",
               "REQUIRED: The brokers to ask first, as host:port,host:port."),
          text("command-config", "Admin client property file", "A properties file with settings of the admin client."),
          text("zookeeper", "urls", "Not available: connect to the brokers with --bootstrap-server."),
          text(
              "reassignment-json-file", "manual assignment json file path",
              "The JSON file with the plan:\n{\"version\":1,\n\"partitions\":\n [{\"topic\": \"foo\",\n \"partition\": "
              "1,\n \"replicas\": [1,2,3],\n \"log_dirs\": [\"any\",\"/d\",\"any\"]}]}\nThe first replica is the "
              "preferred leader. \"log_dirs\" may be left out."),
          text("topics-to-move-json-file", "topics to reassign json file path",
               "The JSON file with the topics to propose a plan for:\n{\"version\":1,\n\"topics\":\n [{\"topic\": "
               "\"foo\"},{\"topic\": \"foo1\"}]}"),
          text("broker-list", "brokerlist", "The brokers that --generate may use, as \"0,1,2\"."),
          flag("disable-rack-aware", "With --generate: take no account of the racks of brokers."),
          number("throttle", "throttle", "-1",
                 "With --execute: at most so many bytes per second between brokers for the partitions that move. May "
                 "be changed with --additional while they do. At least 1 KB/s makes sense."),
          number("replica-alter-log-dirs-throttle", "replicaAlterLogDirsThrottle", "-1",
                 "With --execute: at most so many bytes per second between the directories of a broker."),
          number("timeout", "timeout", "10000",
                 "How many milliseconds to wait until moves between directories have begun."),
          flag("additional", "With --execute: although other moves are under way."),
          flag("preserve-throttles", "Leave throttles as they are."),
      });
}

struct Action {
  std::string_view name;
  std::vector<std::string_view> needs;
  std::vector<std::string_view> takes;
};
const std::vector<Action>& actions() {
  static const std::vector<Action> all = {
      {"generate",
       {"topics-to-move-json-file", "broker-list"},
       {"bootstrap-server", "command-config", "zookeeper", "disable-rack-aware"}},
      {"execute",
       {"reassignment-json-file"},
       {"additional", "bootstrap-server", "command-config", "throttle", "replica-alter-log-dirs-throttle", "timeout",
        "zookeeper"}},
      {"verify", {"reassignment-json-file"}, {"bootstrap-server", "command-config", "preserve-throttles", "zookeeper"}},
      {"cancel", {"reassignment-json-file"}, {"bootstrap-server", "command-config", "preserve-throttles", "timeout"}},
      {"list", {}, {"bootstrap-server", "command-config"}},
  };
  return all;
}

// What must or must not stand together; the sentence, or nothing. Checked in Kafka's order.
std::optional<std::string> refused_combination(const Options& options) {
  std::vector<const Action*> given;
  std::vector<std::string> names;
  for (const auto& action : actions()) {
    if (options.given(action.name)) given.push_back(&action);
    names.push_back(fmt::format("--{}", action.name));
  }
  if (given.size() != 1) return fmt::format("Command must include exactly one action: {}", fmt::join(names, ", "));
  if (!options.given("zookeeper") && !options.given("bootstrap-server")) return "Please specify --bootstrap-server";
  const Action& action = *given[0];
  for (const auto name : action.needs)
    if (auto text = options.missing({name})) return text;
  const auto among = [](const std::vector<std::string_view>& all, std::string_view name) {
    return std::find(all.begin(), all.end(), name) != all.end();
  };
  for (const auto name : options.in_given_order())
    if (name != action.name && !among(action.needs, name) && !among(action.takes, name))
      return fmt::format("Option \"[{}]\" can't be used with action \"[{}]\"", name, action.name);
  return std::nullopt;
}

// Shown without its class and stack: nothing is wrong with the tool or the cluster.
Failure plain(std::string message) { return {"", std::move(message), ""}; }

// What the Java client's futures throw.
Failure thrown(const base::Error& error) {
  const auto cause = failure_of(error).text();
  return {"java.util.concurrent.ExecutionException", cause, cause};
}

std::string plural(std::string_view word, std::size_t count) {
  return fmt::format("{}{}", word, count == 1 ? "" : "s");
}

template <class Map>
std::string keys_text(const Map& map) {
  std::vector<std::string> texts;
  for (const auto& [key, value] : map) texts.push_back(key.text());
  return fmt::format("{}", fmt::join(texts, ","));
}

class ReassignCommand {
 public:
  ReassignCommand(const Options& options, AdminSettings settings)
      : options_(options), admin_(std::move(settings), clock_), brokers_(admin_) {}

  Outcome run() {
    if (options_.given("list")) {
      if (auto failure = options_.check_values()) return failure;
      return list();
    }
    const auto path =
        *options_.text(options_.given("generate") ? "topics-to-move-json-file" : "reassignment-json-file");
    const auto text = base::read_file(files_, path);
    if (!text) return Failure{"java.io.IOException", "Unable to read file " + path, ""};
    if (auto failure = options_.check_values()) return failure;
    if (options_.given("generate")) return generate(*text);
    auto plan = parse_plan(*text);
    if (auto* failure = std::get_if<Failure>(&plan)) return *failure;
    if (options_.given("execute")) return execute(std::get<ReassignmentPlan>(plan));
    if (options_.given("verify")) return verify(std::get<ReassignmentPlan>(plan));
    return cancel(std::get<ReassignmentPlan>(plan));
  }

 private:
  Outcome list();
  Outcome generate(const std::string& topics_json);
  Outcome execute(const ReassignmentPlan& plan);
  Outcome verify(const ReassignmentPlan& plan);
  Outcome cancel(const ReassignmentPlan& plan);

  Outcome set_throttles(const ReassignmentPlan& plan, const ReassigningPartitions& running,
                        const ReplicasByPartition& current);
  Outcome clear_throttles(const ReassignmentPlan& plan);
  std::variant<DirectoryMoves, Failure> directory_moves(const DirectoryByReplica& wanted);
  Outcome begin_directory_moves(DirectoryByReplica wanted);

  const Options& options_;
  base::PosixFiles files_;
  base::SystemClock clock_;
  Admin admin_;
  ReassignAdmin brokers_;
};

Outcome ReassignCommand::list() {
  auto running = brokers_.running();
  if (!running) return thrown(running.error());
  fmt::print("{}\n", running_report(*running));
  return std::nullopt;
}

Outcome ReassignCommand::generate(const std::string& topics_json) {
  auto allowed = parse_broker_list(*options_.text("broker-list"));
  if (auto* failure = std::get_if<Failure>(&allowed)) return *failure;
  auto topics = parse_topics_to_move(topics_json);
  if (auto* failure = std::get_if<Failure>(&topics)) return *failure;
  auto current = brokers_.replicas_of(std::get<std::vector<std::string>>(topics), ReassignAdmin::Missing::refused);
  if (!current) return thrown(current.error());
  auto living = brokers_.brokers();
  if (!living) return thrown(living.error());

  const bool racks = !options_.given("disable-rack-aware");
  std::vector<replication::PlacementBroker> usable;
  for (const auto id : std::get<Replicas>(allowed))
    if (const auto found = living->find(id); found != living->end())
      usable.push_back({id, racks ? found->second : std::nullopt});
  const auto rackless = std::count_if(usable.begin(), usable.end(), [](const auto& each) { return !each.rack; });
  if (racks && rackless != 0 && static_cast<std::size_t>(rackless) != usable.size())
    return Failure{"kafka.admin.AdminOperationException",
                   "Not all brokers have rack information. Add --disable-rack-aware in command line to make replica "
                   "assignment without rack information.",
                   ""};

  base::SystemRandom random;
  ReplicasByPartition proposed;
  for (auto at = current->begin(); at != current->end();) {
    const std::string& topic = at->first.topic;
    const auto end = std::find_if(at, current->end(), [&](const auto& each) { return each.first.topic != topic; });
    auto placed = replication::place_replicas({.partitions = static_cast<std::int32_t>(std::distance(at, end)),
                                               .replication_factor = static_cast<std::int32_t>(at->second.size())},
                                              usable, random);
    if (!placed) return failure_of(placed.error());
    for (auto& [partition, replicas] : *placed) proposed[{topic, partition}] = std::move(replicas);
    at = end;
  }
  fmt::print("Current partition replica assignment\n{}\n\nProposed partition reassignment configuration\n{}\n",
             plan_json(*current), plan_json(proposed));
  return std::nullopt;
}

Outcome ReassignCommand::execute(const ReassignmentPlan& plan) {
  if (auto refused = refuse_to_execute(plan)) return refused;
  auto running = brokers_.running();
  if (!running) return thrown(running.error());
  if (!options_.given("additional") && !running->empty())
    return plain(
        "Cannot execute because there is an existing partition assignment.  Use --additional to override this and "
        "create a new partition assignment in addition to the existing one. The --additional flag can also be used to "
        "change the throttle by resubmitting the current reassignment.");
  auto living = brokers_.brokers();
  if (!living) return thrown(living.error());
  for (const auto& [partition, replicas] : plan.partitions)
    for (const auto id : replicas)
      if (!living->contains(id))
        return Failure{"kafka.common.AdminCommandFailedException", fmt::format("Unknown broker id {}", id), ""};

  const auto proposed = plan.by_partition();
  auto current = brokers_.replicas_of(plan.topics(), ReassignAdmin::Missing::refused);
  if (!current) return thrown(current.error());
  std::erase_if(*current, [&](const auto& each) { return !proposed.contains(each.first); });
  fmt::print(
      "Current partition replica assignment\n\n{}\n\nSave this to use as the --reassignment-json-file option during "
      "rollback\n",
      plan_json(*current));
  if (auto failure = set_throttles(plan, *running, *current)) return failure;

  ReassignAdmin::Wanted wanted{proposed.begin(), proposed.end()};
  auto refused = brokers_.move(wanted);
  if (!refused) return thrown(refused.error());
  if (!refused->empty()) {
    std::string text = "Error reassigning partition(s):";
    for (const auto& [partition, error] : *refused)
      text += fmt::format("\n{}: {}", partition, failure_of(error).message);
    return plain(std::move(text));
  }
  fmt::print("Successfully started partition {} for {}\n", plural("reassignment", proposed.size()),
             keys_text(proposed));
  return begin_directory_moves(plan.directories);
}

Outcome ReassignCommand::set_throttles(const ReassignmentPlan& plan, const ReassigningPartitions& running,
                                       const ReplicasByPartition& current) {
  const auto between_brokers = *options_.number("throttle");
  const auto between_directories = *options_.number("replica-alter-log-dirs-throttle");
  if (between_brokers < 0 && between_directories < 0) return std::nullopt;
  fmt::print(
      "Warning: You must run --verify periodically, until the reassignment completes, to ensure the throttle is "
      "removed.\n");
  if (between_brokers >= 0) {
    auto found = moves_of(running, plan.by_partition(), current);
    if (auto* failure = std::get_if<Failure>(&found)) return *failure;
    const auto& moves = std::get<Moves>(found);
    std::map<std::string, ReassignAdmin::Overrides> topics;
    for (const auto& [topic, throttled] : throttled_replicas(moves))
      topics[topic] = {{kThrottledLeaders, throttled.leaders}, {kThrottledFollowers, throttled.followers}};
    if (auto done = brokers_.alter_topics(topics); !done) return thrown(done.error());
    const auto rate = std::to_string(between_brokers);
    auto done = brokers_.alter_brokers(brokers_of(moves), {{kLeaderRate, rate}, {kFollowerRate, rate}});
    if (!done) return thrown(done.error());
    fmt::print("The inter-broker throttle limit was set to {} B/s\n", between_brokers);
  }
  if (between_directories >= 0) {
    std::set<BrokerId> moving;
    for (const auto& [replica, directory] : plan.directories) moving.insert(replica.broker);
    auto done = brokers_.alter_brokers(moving, {{kDirectoryRate, std::to_string(between_directories)}});
    if (!done) return thrown(done.error());
    fmt::print("The replica-alter-dir throttle limit was set to {} B/s\n", between_directories);
  }
  return std::nullopt;
}

// All brokers: which of them had the partitions before is not known any more.
Outcome ReassignCommand::clear_throttles(const ReassignmentPlan& plan) {
  auto living = brokers_.brokers();
  if (!living) return thrown(living.error());
  std::set<BrokerId> ids;
  for (const auto& [id, rack] : *living) ids.insert(id);
  for (const auto& [partition, replicas] : plan.partitions) ids.insert(replicas.begin(), replicas.end());
  fmt::print("Clearing broker-level throttles on {} {}\n", plural("broker", ids.size()), fmt::join(ids, ","));
  std::fflush(stdout);
  auto done = brokers_.alter_brokers(
      ids, {{kLeaderRate, std::nullopt}, {kFollowerRate, std::nullopt}, {kDirectoryRate, std::nullopt}});
  if (!done) return thrown(done.error());
  const auto topics = plan.topics();
  fmt::print("Clearing topic-level throttles on {} {}\n", plural("topic", topics.size()), fmt::join(topics, ","));
  std::map<std::string, ReassignAdmin::Overrides> overrides;
  for (const auto& topic : topics)
    overrides[topic] = {{kThrottledLeaders, std::nullopt}, {kThrottledFollowers, std::nullopt}};
  if (done = brokers_.alter_topics(overrides); !done) return thrown(done.error());
  return std::nullopt;
}

Outcome ReassignCommand::verify(const ReassignmentPlan& plan) {
  auto running = brokers_.running();
  if (!running) return thrown(running.error());
  auto current = brokers_.replicas_of(plan.topics(), ReassignAdmin::Missing::left_out);
  if (!current) return thrown(current.error());
  PartitionStatuses statuses;
  for (const auto& [partition, wanted] : plan.partitions) {
    auto& status = statuses[partition];
    status.wanted = wanted;
    status.done = !running->contains(partition);
    if (const auto found = current->find(partition); found != current->end()) status.current = found->second;
  }
  fmt::print("{}\n", partition_report(statuses));

  auto found = directory_moves(plan.directories);
  if (auto* failure = std::get_if<Failure>(&found)) return *failure;
  const auto& moves = std::get<DirectoryMoves>(found);
  fmt::print("{}\n", directory_report(moves));
  const bool moved = std::all_of(moves.begin(), moves.end(), [](const auto& each) { return each.second.done(); });
  if (!running->empty() || !moved || options_.given("preserve-throttles")) return std::nullopt;
  return clear_throttles(plan);
}

Outcome ReassignCommand::cancel(const ReassignmentPlan& plan) {
  std::vector<TopicPartition> partitions;
  for (const auto& [partition, replicas] : plan.by_partition()) partitions.push_back(partition);
  auto running = brokers_.running(&partitions);
  if (!running) return thrown(running.error());
  ReassignAdmin::Wanted wanted;
  for (const auto& [partition, each] : *running)
    if (!each.adding.empty() || !each.removing.empty()) wanted[partition] = std::nullopt;
  if (wanted.empty()) {
    fmt::print("None of the specified partition reassignments are active.\n");
  } else {
    auto refused = brokers_.move(wanted);
    if (!refused) return thrown(refused.error());
    if (!refused->empty()) {
      std::string text = fmt::format("Error cancelling partition {} for:", plural("reassignment", refused->size()));
      for (const auto& [partition, error] : *refused)
        text += fmt::format("\n{}: {}", partition, failure_of(error).message);
      return plain(std::move(text));
    }
    fmt::print("Successfully cancelled partition {} for: {}\n", plural("reassignment", wanted.size()),
               keys_text(wanted));
  }

  // A move between directories is called off by moving back to where the replica is.
  auto found = directory_moves(plan.directories);
  if (auto* failure = std::get_if<Failure>(&found)) return *failure;
  DirectoryByReplica back;
  for (const auto& [replica, move] : std::get<DirectoryMoves>(found))
    if (move.active()) back[replica] = move.found.current;
  if (back.empty())
    fmt::print("None of the specified partition moves are active.\n");
  else if (auto failure = begin_directory_moves(std::move(back)))
    return failure;
  return options_.given("preserve-throttles") ? std::nullopt : clear_throttles(plan);
}

std::variant<DirectoryMoves, Failure> ReassignCommand::directory_moves(const DirectoryByReplica& wanted) {
  auto found = brokers_.directories_of(wanted);
  if (!found) return thrown(found.error());
  DirectoryMoves moves;
  for (const auto& [replica, directory] : wanted) moves[replica] = {directory, (*found)[replica]};
  return moves;
}

// A replica that is on its way to a broker is moved to its directory when it has come to exist there.
Outcome ReassignCommand::begin_directory_moves(DirectoryByReplica wanted) {
  if (wanted.empty()) return std::nullopt;
  const auto deadline = clock_.now() + std::chrono::milliseconds(*options_.number("timeout"));
  while (true) {
    auto begun = brokers_.move_to_directories(wanted);
    if (auto* failure = std::get_if<Failure>(&begun)) return *failure;
    const auto& replicas = std::get<std::set<PartitionReplica>>(begun);
    std::vector<std::string> texts;
    for (const auto& replica : replicas) {
      texts.push_back(replica.text());
      wanted.erase(replica);
    }
    if (!texts.empty())
      fmt::print("Successfully started log directory {} for: {}\n", plural("move", texts.size()),
                 fmt::join(texts, ","));
    if (wanted.empty()) return std::nullopt;
    if (clock_.now() >= deadline)
      return plain(fmt::format("Timed out before log directory {} could be started for: {}",
                               plural("move", wanted.size()), keys_text(wanted)));
    std::fflush(stdout);
    std::this_thread::sleep_for(kBetweenAttempts);
  }
}

int report(const Failure& failure) {
  if (failure.exception.empty())
    fmt::print("{}\n", failure.message);
  else
    fmt::print("Error: {}\n{}\n\n", failure.message, failure.text());
  return 1;
}

int run(int argc, char** argv) {
  Options options = declare();
  if (auto code = begin_program(options, argc, argv)) return *code;
  if (auto text = refused_combination(options)) return refuse_usage(options, *text);
  if (!options.given("bootstrap-server")) {
    fmt::print(stderr,
               "--zookeeper is not available: this tool works through the brokers. Use --bootstrap-server <host:port> "
               "with the address of any broker.\n");
    return 1;
  }
  if (options.given("zookeeper"))
    fmt::print(
        "Warning: ignoring deprecated --zookeeper option because --bootstrap-server was specified.  The --zookeeper "
        "option will be removed in a future version of Kafka.\n");
  auto settings = admin_settings(options);
  if (auto* failure = std::get_if<Failure>(&settings)) return report(*failure);
  auto& admin = std::get<AdminSettings>(settings);
  if (admin.client_id == AdminSettings().client_id) admin.client_id = "reassign-partitions-tool";
  const auto failure = ReassignCommand(options, std::move(admin)).run();
  return failure ? report(*failure) : 0;
}

}  // namespace
}  // namespace tools

int main(int argc, char** argv) { return tools::run(argc, argv); }
