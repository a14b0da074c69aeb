// What the brokers say of groups, and what they are told to do with them. Each question goes to the group's
// coordinator, and is asked again while that is moving or loading, as long as the client's patience lasts.
//
// Failures are those of the Java client, wrapped as its futures wrap them: the message begins with the class.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tools/client/admin.h"
#include "tools/client/partition_offsets.h"

namespace tools {

using Offsets = std::map<base::TopicPartition, base::Offset>;

struct GroupListing {
  std::string group;
  std::string state;  // "" from brokers before 2.6
  std::string type;   // "" from brokers before 3.8
};

struct GroupMember {
  std::string id;
  std::string instance_id;  // "" when it has none
  std::string client_id;
  std::string host;
  std::vector<base::TopicPartition> assigned;
};

struct GroupDescription {
  std::string group;
  std::string state;
  std::string assignor;
  std::vector<GroupMember> members;
  Node coordinator;
};

class GroupAdmin {
 public:
  explicit GroupAdmin(Admin& admin) : admin_(admin) {}

  // Groups of consumers, those without a protocol yet included; filters are left to the brokers.
  std::variant<std::vector<GroupListing>, Failure> list(const std::vector<std::string>& states,
                                                        const std::vector<std::string>& types);
  // A group nobody knows is described as well: its state is Dead.
  std::variant<GroupDescription, Failure> describe(const std::string& group);
  std::variant<Offsets, Failure> committed(const std::string& group);
  Outcome commit(const std::string& group, const Offsets& offsets);
  Outcome remove(const std::string& group);

  struct Removed {
    base::ErrorCode group_error = base::ErrorCode::none;
    std::map<base::TopicPartition, base::ErrorCode> partitions;
  };
  std::variant<Removed, Failure> remove_offsets(const std::string& group,
                                                const std::vector<base::TopicPartition>& partitions);

 private:
  static Coordinator coordinator_of(const std::string& group) { return {Coordinator::Kind::group, group}; }

  Admin& admin_;
};

// The failure of a Java future: an ExecutionException whose message is the cause.
Failure thrown(const base::Error& error);
Failure thrown(const Failure& cause);

}  // namespace tools
