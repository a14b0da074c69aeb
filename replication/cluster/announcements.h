// What the controller tells brokers: the contents of LeaderAndIsr, StopReplica and UpdateMetadata as plain values, and
// the three calls that take them. The controller's own broker is told in process.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "replication/cluster/endpoint.h"

namespace replication {

// Leaders that are no brokers.
inline constexpr base::BrokerId kLeaderDuringDelete{-2};
// Stands for the leader epoch of a partition being deleted: newer than any.
inline constexpr base::LeaderEpoch kEpochDuringDelete{-2};

struct PartitionState {
  std::string topic{};
  base::Uuid topic_id{};  // zero: the topic has none
  base::PartitionIndex partition = 0;
  std::int32_t controller_epoch = 0;  // of the controller that wrote the state
  base::BrokerId leader = base::kNoBroker;
  base::LeaderEpoch leader_epoch{0};
  std::vector<base::BrokerId> isr{};
  std::int32_t partition_epoch = 0;  // version of the state node
  std::vector<base::BrokerId> replicas{};
  std::vector<base::BrokerId> adding{};
  std::vector<base::BrokerId> removing{};
  std::vector<base::BrokerId> offline{};  // UpdateMetadata: replicas not able to serve
  bool is_new = false;                    // LeaderAndIsr: the replica may be created
  bool recovering = false;                // LeaderAndIsr: elected outside the in-sync set, and not settled yet

  bool operator==(const PartitionState&) const = default;
};

struct LiveBroker {
  base::BrokerId id = base::kNoBroker;
  std::vector<Endpoint> endpoints{};
  std::optional<std::string> rack{};
  std::int64_t epoch = -1;

  bool operator==(const LiveBroker&) const = default;
};

// Who speaks, and which life of the receiver is meant; stale ones are refused by the receiver.
struct FromController {
  base::BrokerId controller = base::kNoBroker;
  std::int32_t controller_epoch = 0;
  std::int64_t broker_epoch = -1;
};

struct LeaderAndIsr {
  FromController from{};
  std::vector<PartitionState> partitions{};
  std::vector<LiveBroker> leaders{};  // where the leaders named above are
};

struct StoppedReplica {
  base::TopicPartition partition{};
  base::LeaderEpoch leader_epoch = base::kNoLeaderEpoch;
  bool remove = false;  // with its directory
};
struct StopReplica {
  FromController from{};
  std::vector<StoppedReplica> partitions{};
};

struct UpdateMetadata {
  FromController from{};
  std::vector<PartitionState> partitions{};  // merged into what is known; leader -2 removes
  std::vector<LiveBroker> brokers{};         // replaces the list
};

struct AnnouncementReply {
  base::ErrorCode code = base::ErrorCode::none;
  struct PartitionError {
    base::TopicPartition partition{};
    base::ErrorCode code = base::ErrorCode::none;
  };
  std::vector<PartitionError> partitions{};  // only those that failed
};

// Implemented by the broker: any thread may call, none is kept waiting, and what was called first is carried out first.
// The reply may be given from any thread, once. Our own controller makes one call at a time, the next after the reply.
struct Announcements {
  using Done = std::function<void(AnnouncementReply)>;
  std::function<void(LeaderAndIsr, Done)> leader_and_isr;
  std::function<void(StopReplica, Done)> stop_replica;
  std::function<void(UpdateMetadata, Done)> update_metadata;
};

}  // namespace replication
