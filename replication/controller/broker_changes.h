// What has become of the brokers. Pure.
#pragma once

#include <map>
#include <set>

#include "base/ids.h"
#include "replication/cluster/announcements.h"

namespace replication {

// A broker that has registered anew has left and has come: it may have forgotten what it was told.
struct BrokerChanges {
  std::set<base::BrokerId> left{};
  std::set<base::BrokerId> came{};
  bool moved = false;  // somebody has other endpoints, or another rack
};
BrokerChanges compare(const std::map<base::BrokerId, LiveBroker>& before,
                      const std::map<base::BrokerId, LiveBroker>& now);

}  // namespace replication
