// Announcements that go to another broker as requests, in the versions that the inter-broker protocol selects.
#pragma once

#include <string>

#include "base/clock.h"
#include "replication/cluster/announcements.h"
#include "replication/peers/peers.h"
#include "replication/peers/versions.h"

namespace replication {

struct RemoteAnnouncements {
  PeerVersions versions{};
  std::string listener{};  // the one brokers use among themselves
  base::Duration timeout{};
};

// `peer` outlives the answers. What the network does to a request is its reply's code.
Announcements announce_over(PeerConnection& peer, const RemoteAnnouncements& how);

}  // namespace replication
