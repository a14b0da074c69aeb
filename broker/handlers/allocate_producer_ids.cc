#include "broker/handlers/allocate_producer_ids.h"

#include "broker/dispatch/owed.h"
#include "broker/dispatch/reply.h"
#include "protocol/messages/allocate_producer_ids.h"

namespace broker {

using base::ErrorCode;

// The metadata of the controller's own broker tells the epochs of all that are alive.
ErrorCode AllocateProducerIdsHandler::check(base::BrokerId broker, std::int64_t epoch) const {
  if (!controller_.is_active()) return ErrorCode::not_controller;
  const auto cluster = metadata_.snapshot();
  const auto* alive = cluster->find_broker(broker);
  if (!alive) return ErrorCode::broker_id_not_registered;
  return alive->epoch == epoch ? ErrorCode::none : ErrorCode::stale_broker_epoch;
}

void AllocateProducerIdsHandler::operator()(Request& request, AnswerSlot answer) const {
  protocol::AllocateProducerIdsRequest in;
  if (!read_body(request, answer, in)) return;
  if (const auto code = check(in.broker_id, in.broker_epoch); code != ErrorCode::none) {
    protocol::AllocateProducerIdsResponse refused;
    refused.error_code = code;
    return reply(answer, request, refused);
  }
  take_block_(in.broker_id)([owed = owe(request, std::move(answer))](const auto& block) {
    protocol::AllocateProducerIdsResponse out;
    if (block) {
      out.producer_id_start = block->first;
      out.producer_id_len = static_cast<std::int32_t>(block->last - block->first + 1);
    } else {
      out.error_code = block.error().code;
    }
    owed->reply(out);
  });
}

}  // namespace broker
