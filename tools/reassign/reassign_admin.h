// What kafka-reassign-partitions.sh asks brokers and makes them do. Blocking; failures are those of the Java client.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "protocol/messages/metadata.h"
#include "tools/client/admin.h"
#include "tools/reassign/plan.h"

namespace tools {

class ReassignAdmin {
 public:
  explicit ReassignAdmin(Admin& admin) : admin_(admin) {}

  // All that run when `partitions` is null, else those of them that do.
  base::Result<ReassigningPartitions> running(const std::vector<base::TopicPartition>* partitions = nullptr);
  // `wanted` by partition; no replicas: its move is called off. What was refused, and why.
  using Wanted = std::map<base::TopicPartition, std::optional<Replicas>>;
  base::Result<std::map<base::TopicPartition, base::Error>> move(const Wanted& wanted);

  // Brokers that live, with their racks.
  base::Result<std::map<base::BrokerId, std::optional<std::string>>> brokers();
  // Replicas of all partitions of `topics`, as the metadata lists them. Topics that do not exist: left out, or the
  // failure.
  enum class Missing { left_out, refused };
  base::Result<ReplicasByPartition> replicas_of(const std::vector<std::string>& topics, Missing missing);

  // One entry for each of `replicas`.
  base::Result<std::map<PartitionReplica, ReplicaDirectories>> directories_of(const DirectoryByReplica& replicas);
  // The replicas whose move has begun. One that its broker does not have yet is simply left out.
  std::variant<std::set<PartitionReplica>, Failure> move_to_directories(const DirectoryByReplica& wanted);

  // Overrides to set, or to remove where there is no value; brokers are told themselves.
  using Overrides = std::map<std::string, std::optional<std::string>>;
  base::Status alter_topics(const std::map<std::string, Overrides>& topics);
  base::Status alter_brokers(const std::set<base::BrokerId>& brokers, const Overrides& overrides);

 private:
  base::Status alter(Target target, std::int8_t type, const std::map<std::string, Overrides>& resources);

  Admin& admin_;
};

}  // namespace tools
