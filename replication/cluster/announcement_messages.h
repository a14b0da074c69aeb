// Announcements as the messages that carry them between brokers, in every version and both ways.
//
// What a version has no field for is left out when written and keeps its default when read: a request may say less at
// the other end, never something else. Pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "protocol/messages/leader_and_isr.h"
#include "protocol/messages/stop_replica.h"
#include "protocol/messages/update_metadata.h"
#include "replication/cluster/announcements.h"

namespace replication {

// `listener`: the one brokers use among themselves; a leader that does not listen there is not named.
protocol::LeaderAndIsrRequest to_message(const LeaderAndIsr& announcement, std::int16_t version,
                                         std::string_view listener);
LeaderAndIsr from_message(const protocol::LeaderAndIsrRequest& message);

// One message, or two below version 3: whether to delete is said once per message there. None without partitions.
std::vector<protocol::StopReplicaRequest> to_messages(const StopReplica& announcement, std::int16_t version);
StopReplica from_message(const protocol::StopReplicaRequest& message, std::int16_t version);

protocol::UpdateMetadataRequest to_message(const UpdateMetadata& announcement, std::int16_t version);
UpdateMetadata from_message(const protocol::UpdateMetadataRequest& message, std::int16_t version);

// Answers. A message names every partition that was asked for, an AnnouncementReply those that failed.
protocol::LeaderAndIsrResponse to_message(const AnnouncementReply& reply, const LeaderAndIsr& asked,
                                          std::int16_t version);
// Topics have no names from version 5 on: ids that were not asked for are passed over.
AnnouncementReply from_message(const protocol::LeaderAndIsrResponse& message, const LeaderAndIsr& asked);

// A request refused as a whole is answered without partitions.
protocol::StopReplicaResponse to_message(const AnnouncementReply& reply, const StopReplica& asked);
AnnouncementReply from_message(const protocol::StopReplicaResponse& message);

protocol::UpdateMetadataResponse to_message(const AnnouncementReply& reply);
AnnouncementReply from_message(const protocol::UpdateMetadataResponse& message);

}  // namespace replication
