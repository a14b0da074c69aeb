#include "replication/peers/versions.h"

#include <algorithm>
#include <string_view>

#include "base/check.h"
#include "protocol/messages/alter_partition.h"

namespace replication {
namespace {

struct Row {
  std::string_view since;
  PeerVersions versions;
};

// The order is that of the members: LeaderAndIsr, UpdateMetadata, StopReplica, ControlledShutdown, Fetch, ListOffsets,
// OffsetForLeaderEpoch, WriteTxnMarkers. As Apache Kafka 2.7.1 and 3.9.1 send them; what is older than 0.10.2: 2.7.1.
constexpr Row kRows[] = {
    {"0.8.0", {0, 0, 0, 0, 0, 0, -1, -1}},       //
    {"0.9.0", {0, 1, 0, 1, 1, 0, -1, -1}},       //
    {"0.10.0-IV0", {0, 1, 0, 1, 2, 0, -1, -1}},  //
    {"0.10.0-IV1", {0, 2, 0, 1, 2, 0, -1, -1}},  //
    {"0.10.1-IV1", {0, 2, 0, 1, 3, 0, -1, -1}},  //
    {"0.10.1-IV2", {0, 2, 0, 1, 3, 1, -1, -1}},  //
    {"0.10.2-IV0", {0, 3, 0, 1, 3, 1, -1, -1}},  //
    {"0.11.0-IV0", {0, 3, 0, 1, 4, 2, -1, 0}},   //
    {"0.11.0-IV1", {0, 3, 0, 1, 5, 2, -1, 0}},   //
    {"0.11.0-IV2", {0, 3, 0, 1, 5, 2, 0, 0}},    //
    {"1.0-IV0", {1, 4, 0, 1, 5, 2, 0, 0}},       //
    {"1.1-IV0", {1, 4, 0, 1, 7, 2, 0, 0}},       //
    {"2.0-IV0", {1, 4, 0, 1, 7, 2, 1, 0}},       //
    {"2.0-IV1", {1, 4, 0, 1, 8, 3, 1, 0}},       //
    {"2.1-IV1", {1, 4, 0, 1, 8, 4, 2, 0}},       //
    {"2.1-IV2", {1, 4, 0, 1, 10, 4, 2, 0}},      //
    {"2.2-IV0", {2, 5, 1, 2, 10, 4, 2, 0}},      //
    {"2.2-IV1", {2, 5, 1, 2, 10, 5, 2, 0}},      //
    {"2.3-IV1", {2, 5, 1, 2, 11, 5, 3, 0}},      //
    {"2.4-IV0", {3, 5, 1, 2, 11, 5, 3, 0}},      //
    {"2.4-IV1", {4, 6, 2, 3, 11, 5, 3, 0}},      //
    {"2.6-IV0", {4, 6, 3, 3, 11, 5, 3, 0}},      //
    {"2.7-IV1", {4, 6, 3, 3, 12, 5, 3, 0}},      //
    {"2.8-IV0", {4, 6, 3, 3, 12, 6, 4, 1}},      //
    {"2.8-IV1", {5, 7, 3, 3, 12, 6, 4, 1}},      //
    {"3.0-IV1", {5, 7, 3, 3, 12, 7, 4, 1}},      //
    {"3.1-IV0", {5, 7, 3, 3, 13, 7, 4, 1}},      //
    {"3.2-IV0", {6, 7, 3, 3, 13, 7, 4, 1}},      //
    {"3.4-IV0", {7, 8, 4, 3, 13, 7, 4, 1}},      //
    {"3.5-IV0", {7, 8, 4, 3, 14, 8, 4, 1}},      //
    {"3.5-IV1", {7, 8, 4, 3, 15, 8, 4, 1}},      //
    {"3.7-IV4", {7, 8, 4, 3, 16, 8, 4, 1}},      //
    {"3.9-IV0", {7, 8, 4, 3, 17, 9, 4, 1}},      //
};

constexpr std::int16_t kLastFetchByName = 12;
constexpr std::int16_t kLastAlterPartitionByName = 1;

}  // namespace

PeerVersions PeerVersions::of(config::ProtocolVersion release) {
  PeerVersions versions = kRows[0].versions;
  for (const auto& row : kRows) {
    const auto since = config::find_protocol_version(row.since);
    base::invariant(since.has_value(), "a release named in the program is in the list of releases");
    if (*since <= release) versions = row.versions;
  }
  return versions;
}

std::int16_t fetch_version(const PeerVersions& versions, bool all_topics_have_ids) {
  return all_topics_have_ids ? versions.fetch : std::min(versions.fetch, kLastFetchByName);
}

protocol::VersionRange alter_partition_versions(config::ProtocolVersion release, bool all_topics_have_ids) {
  const auto all = protocol::kAlterPartition.versions;
  const bool by_id = all_topics_have_ids && release >= *config::find_protocol_version("2.8-IV0");
  return {all.min, by_id ? all.max : kLastAlterPartitionByName};
}

}  // namespace replication
