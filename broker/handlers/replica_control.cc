#include "broker/handlers/replica_control.h"

#include <memory>
#include <utility>

#include "broker/dispatch/owed.h"
#include "broker/dispatch/reply.h"
#include "replication/cluster/announcement_messages.h"

namespace broker {

using base::ErrorCode;
using replication::AnnouncementReply;

bool ReplicaControl::is_stale(const Request& request, const replication::FromController& from) const {
  const auto own = broker_epoch_();
  if (from.broker_epoch == -1 || from.broker_epoch >= own) return false;
  log_.warn(
      "Refused a request (api key {}) of controller {} epoch {} from {}: it is meant for broker epoch {}, which ended; "
      "now it is {}",
      request.header.api_key, from.controller, from.controller_epoch, request.session.peer(), from.broker_epoch, own);
  return true;
}

void ReplicaControl::leader_and_isr(Request& request, AnswerSlot answer) const {
  protocol::LeaderAndIsrRequest in;
  if (!read_body(request, answer, in)) return;
  auto asked = std::make_shared<const replication::LeaderAndIsr>(replication::from_message(in));
  if (is_stale(request, asked->from)) {
    AnnouncementReply refused{.code = ErrorCode::stale_broker_epoch};
    for (const auto& state : asked->partitions)
      refused.partitions.push_back({{state.topic, state.partition}, ErrorCode::stale_broker_epoch});
    return reply(answer, request, to_message(refused, *asked, request.version()));
  }
  take_.leader_and_isr(*asked, [asked, owed = owe(request, std::move(answer))](const AnnouncementReply& outcome) {
    owed->reply(to_message(outcome, *asked, owed->version));
  });
}

void ReplicaControl::stop_replica(Request& request, AnswerSlot answer) const {
  protocol::StopReplicaRequest in;
  if (!read_body(request, answer, in)) return;
  auto asked = std::make_shared<const replication::StopReplica>(replication::from_message(in, request.version()));
  if (is_stale(request, asked->from))
    return reply(answer, request, to_message(AnnouncementReply{.code = ErrorCode::stale_broker_epoch}, *asked));
  take_.stop_replica(*asked, [asked, owed = owe(request, std::move(answer))](const AnnouncementReply& outcome) {
    owed->reply(to_message(outcome, *asked));
  });
}

void ReplicaControl::update_metadata(Request& request, AnswerSlot answer) const {
  protocol::UpdateMetadataRequest in;
  if (!read_body(request, answer, in)) return;
  auto update = replication::from_message(in, request.version());
  if (is_stale(request, update.from))
    return reply(answer, request, replication::to_message(AnnouncementReply{.code = ErrorCode::stale_broker_epoch}));
  take_.update_metadata(std::move(update), [owed = owe(request, std::move(answer))](const AnnouncementReply& outcome) {
    owed->reply(replication::to_message(outcome));
  });
}

}  // namespace broker
