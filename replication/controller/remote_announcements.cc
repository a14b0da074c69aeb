#include "replication/controller/remote_announcements.h"

#include <memory>
#include <utility>
#include <vector>

#include "replication/cluster/announcement_messages.h"

namespace replication {

namespace {

// Below version 3 there are two messages, for what is removed and for what is not: one behind the other.
struct Stops {
  std::vector<protocol::StopReplicaRequest> messages;
  std::size_t next = 0;
  AnnouncementReply reply{};
};

void send_stops(PeerConnection& peer, const RemoteAnnouncements& how, const std::shared_ptr<Stops>& stops,
                const Announcements::Done& done) {
  if (stops->next == stops->messages.size()) return done(stops->reply);
  const auto& message = stops->messages[stops->next++];
  ask<protocol::StopReplicaResponse>(
      peer, message, how.versions.stop_replica, how.timeout,
      [&peer, how, stops, done](const base::Result<PeerAnswer<protocol::StopReplicaResponse>>& answer) {
        if (!answer) return done({.code = answer.error().code});
        auto reply = from_message(answer->message);
        if (reply.code != base::ErrorCode::none) return done(std::move(reply));
        for (auto& error : reply.partitions) stops->reply.partitions.push_back(std::move(error));
        send_stops(peer, how, stops, done);
      });
}

}  // namespace

Announcements announce_over(PeerConnection& peer, const RemoteAnnouncements& how) {
  Announcements calls;
  calls.leader_and_isr = [&peer, how](LeaderAndIsr request, Announcements::Done done) {
    const auto message = to_message(request, how.versions.leader_and_isr, how.listener);
    ask<protocol::LeaderAndIsrResponse>(
        peer, message, how.versions.leader_and_isr, how.timeout,
        [request = std::move(request),
         done = std::move(done)](const base::Result<PeerAnswer<protocol::LeaderAndIsrResponse>>& answer) {
          done(answer ? from_message(answer->message, request) : AnnouncementReply{.code = answer.error().code});
        });
  };
  calls.update_metadata = [&peer, how](const UpdateMetadata& request, Announcements::Done done) {
    ask<protocol::UpdateMetadataResponse>(
        peer, to_message(request, how.versions.update_metadata), how.versions.update_metadata, how.timeout,
        [done = std::move(done)](const base::Result<PeerAnswer<protocol::UpdateMetadataResponse>>& answer) {
          done(answer ? from_message(answer->message) : AnnouncementReply{.code = answer.error().code});
        });
  };
  calls.stop_replica = [&peer, how](const StopReplica& request, const Announcements::Done& done) {
    auto stops = std::make_shared<Stops>(Stops{.messages = to_messages(request, how.versions.stop_replica)});
    send_stops(peer, how, stops, done);
  };
  return calls;
}

}  // namespace replication
