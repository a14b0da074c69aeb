// Which version of a request brokers send each other under inter.broker.protocol.version. Nobody asks the other side
// what it serves: all brokers of a cluster are configured alike, and during an upgrade to the older of two releases.
// Pure.
#pragma once

#include <cstdint>

#include "config/protocol_version.h"
#include "protocol/wire/field.h"

namespace replication {

struct PeerVersions {
  static constexpr std::int16_t kNotYet = -1;  // the release does not know the request

  std::int16_t leader_and_isr = 0;
  std::int16_t update_metadata = 0;
  std::int16_t stop_replica = 0;
  std::int16_t controlled_shutdown = 0;
  std::int16_t fetch = 0;  // where every topic has an id, see fetch_version()
  std::int16_t list_offsets = 0;
  std::int16_t offset_for_leader_epoch = kNotYet;
  std::int16_t write_txn_markers = kNotYet;

  static PeerVersions of(config::ProtocolVersion release);

  bool operator==(const PeerVersions&) const = default;
};

// A fetch names topics by id from version 13 on, all or none of them.
std::int16_t fetch_version(const PeerVersions& versions, bool all_topics_have_ids);

// AlterPartition goes over a connection on which the controller was asked what it serves: the newest version in both
// ranges. From version 2 on topics are named by id. There is no such request below 2.7-IV2.
protocol::VersionRange alter_partition_versions(config::ProtocolVersion release, bool all_topics_have_ids);

}  // namespace replication
