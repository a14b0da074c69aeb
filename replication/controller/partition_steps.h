// The steps of a partition's life, decided from the controller's state: what to write, and whom to tell what. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "replication/cluster/announcements.h"
#include "replication/controller/state.h"

namespace replication {

// One state node to be created (version kNoState) or set if it still has `version`; and who then hears of it.
inline constexpr std::int32_t kNoState = -1;
struct LeadershipChange {
  base::TopicPartition partition{};
  PartitionStateNode node{};
  std::int32_t version = kNoState;
  std::vector<base::BrokerId> tell{};
  std::vector<base::BrokerId> tell_new{};  // who may have to create the replica
};

// Made again when another write was first. None: nothing to do.
using Decide = std::function<std::optional<LeadershipChange>(const ControllerState&, const base::TopicPartition&)>;

// ---- what the brokers that live demand ----------------------------------------------------------------------------

// Topics that may be led by replicas that were not in sync.
using UncleanTopics = std::set<std::string, std::less<>>;

// A first leader for a partition that never had one; another leader, or none, where the leader is gone; a smaller
// in-sync set where a follower is gone. Topics being deleted are left alone.
std::optional<LeadershipChange> due_change(const ControllerState& state, const base::TopicPartition& partition,
                                           const UncleanTopics& unclean = {});
std::vector<LeadershipChange> due_changes(const ControllerState& state, const UncleanTopics& unclean = {});
// The same for one topic.
std::vector<LeadershipChange> due_changes(const ControllerState& state, const std::string& topic,
                                          const UncleanTopics& unclean = {});
// Topics of which a live replica could lead only if that may be unclean.
std::set<std::string> stuck_topics(const ControllerState& state);

// ---- by request ---------------------------------------------------------------------------------------------------

// The first replica leads if it can. None: it does, or it cannot.
std::optional<LeadershipChange> prefer_first(const ControllerState& state, const base::TopicPartition& partition);
// Whether another than the first replica leads.
bool needs_preferred(const ControllerState& state, const base::TopicPartition& partition);
// Whether nobody who lives leads.
bool is_leaderless(const ControllerState& state, const base::TopicPartition& partition);
// Preferred elections that balance: of brokers that do not lead more than `percentage` of the partitions they are to.
std::vector<base::TopicPartition> unbalanced(const ControllerState& state, std::int32_t percentage);

// Another leader in place of one that shuts down. None: it does not lead, or nobody else can.
std::optional<LeadershipChange> hand_over(const ControllerState& state, const base::TopicPartition& partition,
                                          base::BrokerId from);
// A follower leaves the in-sync set.
std::optional<LeadershipChange> leave(const ControllerState& state, const base::TopicPartition& partition,
                                      base::BrokerId follower);

// ---- deletion -----------------------------------------------------------------------------------------------------

// Takes every replica of the topic out of service, one after another as Kafka does: each change starts from the node
// that the one before it leaves. Only the last per partition need be written.
std::vector<LeadershipChange> retire_topic(const ControllerState& state, const std::string& topic);

// Whether deleting may proceed: all replicas are on live brokers and disks. Those that are being added or removed
// count, and go with the others: nothing of a topic marked for deletion is moved any more. (Kafka's controller waits
// for the move to end, and a move whose controller dies may never end.)
bool may_delete(const ControllerState& state, const std::string& topic);

// ---- announcing ---------------------------------------------------------------------------------------------------

// What is announced of a partition that has leadership.
PartitionState describe(const ControllerState& state, const base::TopicPartition& partition);
// What is announced of a partition of a topic being deleted.
PartitionState describe_deleted(const ControllerState& state, const base::TopicPartition& partition);

// Every partition that has leadership and is not being deleted.
std::vector<base::TopicPartition> led_partitions(const ControllerState& state);
// Of these, those with a replica on one of the brokers.
std::vector<base::TopicPartition> partitions_on(const ControllerState& state, const std::set<base::BrokerId>& brokers);

}  // namespace replication
