// What has become of the brokers. Pure.
#pragma once

#include <map>
#include <set>

#include "base/ids.h"
#include "replication/cluster/announcements.h"
#include "replication/controller/state.h"

namespace replication {

// A broker that has registered anew has left and has come: it may have forgotten what it was told.
struct BrokerChanges {
  std::set<base::BrokerId> left{};
  std::set<base::BrokerId> came{};
  bool moved = false;  // somebody has other endpoints, or another rack
};
BrokerChanges compare(const std::map<base::BrokerId, LiveBroker>& before,
                      const std::map<base::BrokerId, LiveBroker>& now);

// Replicas in sync whose broker has registered anew since that was written, beside one whose broker has not: they may
// have lost what was committed (power that failed, and a restart within the session), and no controller saw them go,
// perhaps because it was that very broker. Looked for when a controller takes office. Brokers that all came anew are as
// good as each other.
std::map<base::BrokerId, std::set<base::TopicPartition>> unnoticed_returns(const ControllerState& state);

}  // namespace replication
