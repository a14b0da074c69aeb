#include "broker/handlers/producer_ids.h"

#include "broker/dispatch/reply.h"
#include "protocol/messages/init_producer_id.h"

namespace broker {

using base::ErrorCode;

void InitProducerIdHandler::operator()(Request& request, AnswerSlot answer) const {
  protocol::InitProducerIdRequest in;
  if (!read_body(request, answer, in)) return;
  protocol::InitProducerIdResponse out;
  if (in.transactional_id) {
    // Transactions are coordinated by the leader of a partition of __transaction_state; none is led here.
    out.error_code = in.transactional_id->empty() ? ErrorCode::invalid_request : ErrorCode::not_coordinator;
    return reply(answer, request, out);
  }
  auto slot = std::make_shared<AnswerSlot>(std::move(answer));
  ids_.next([slot, version = request.version(),
             correlation_id = request.correlation_id()](const base::Result<base::ProducerId>& id) {
    protocol::InitProducerIdResponse made;
    if (id) {
      made.producer_id = *id;
      made.producer_epoch = base::ProducerEpoch{0};
    } else {
      made.error_code = id.error().code;
    }
    slot->fill(protocol::encode_response(correlation_id, version, made));
  });
}

}  // namespace broker
