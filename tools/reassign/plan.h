// Which partitions go to which brokers: what users write for kafka-reassign-partitions.sh, and what follows from it.
// Refusals are those of Apache Kafka 2.7.1. Pure.
//
//   {"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1,2],"log_dirs":["any","/disk2"]}]}
//   {"version":1,"topics":[{"topic":"t"}]}                                                      what is to be moved
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "tools/client/failure.h"

namespace tools {

using Replicas = std::vector<base::BrokerId>;
using ReplicasByPartition = std::map<base::TopicPartition, Replicas>;

// One replica; in the order in which the tool lists them.
struct PartitionReplica {
  base::BrokerId broker;
  base::TopicPartition partition;

  auto operator<=>(const PartitionReplica&) const = default;
  std::string text() const { return fmt::format("{}-{}", partition, broker); }
};
using DirectoryByReplica = std::map<PartitionReplica, std::string>;

struct ReassignmentPlan {
  std::vector<std::pair<base::TopicPartition, Replicas>>
      partitions;                  // in the order of the file, not yet without repeats
  DirectoryByReplica directories;  // only replicas for which the file names one

  ReplicasByPartition by_partition() const { return {partitions.begin(), partitions.end()}; }
  std::vector<std::string> topics() const;  // each once, in the order of the file
};

std::variant<ReassignmentPlan, Failure> parse_plan(std::string_view json);
// What --execute asks of a plan beyond its form: no empty list, nothing twice.
Outcome refuse_to_execute(const ReassignmentPlan& plan);

std::variant<std::vector<std::string>, Failure> parse_topics_to_move(std::string_view json);
std::variant<Replicas, Failure> parse_broker_list(std::string_view list);

// As a plan of its own, every directory "any".
std::string plan_json(const ReplicasByPartition& partitions);

// -------------------------------------------------------------------------------------------------------- throttles

// What the brokers say of a running reassignment.
struct Reassigning {
  Replicas replicas;  // all of them, also those being added
  Replicas adding;
  Replicas removing;
};
using ReassigningPartitions = std::map<base::TopicPartition, Reassigning>;

// Where the data of a partition comes from and where it goes.
struct Move {
  std::set<base::BrokerId> from;
  std::set<base::BrokerId> to;
};
using Moves = std::map<base::TopicPartition, Move>;

// Those that run, and those that `proposed` asks for. `current` holds the replicas of the partitions proposed; one that
// is missing there has none, which is refused.
std::variant<Moves, Failure> moves_of(const ReassigningPartitions& running, const ReplicasByPartition& proposed,
                                      const ReplicasByPartition& current);

// The topic settings that name throttled replicas, "0:1,0:2": partition and broker.
struct ThrottledReplicas {
  std::string leaders;
  std::string followers;
};
std::map<std::string, ThrottledReplicas> throttled_replicas(const Moves& moves);
std::set<base::BrokerId> brokers_of(const Moves& moves);

// ----------------------------------------------------------------------------------------------------------- status

// Where a replica of the plan lies, and where it is being copied to.
struct ReplicaDirectories {
  std::string current;  // "": in no living directory
  std::string future;   // "": it is not being moved
};
struct DirectoryMove {
  std::string wanted;
  ReplicaDirectories found;

  bool active() const { return !found.current.empty() && !found.future.empty(); }
  bool done() const { return !found.current.empty() && found.future.empty(); }
};
using DirectoryMoves = std::map<PartitionReplica, DirectoryMove>;

struct PartitionStatus {
  Replicas current;
  Replicas wanted;
  bool done = false;
};
using PartitionStatuses = std::map<base::TopicPartition, PartitionStatus>;

// The reports of --verify and --list, without the newline behind the last line.
std::string partition_report(const PartitionStatuses& statuses);
std::string directory_report(const DirectoryMoves& moves);
std::string running_report(const ReassigningPartitions& running);

}  // namespace tools
