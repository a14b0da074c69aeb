// The two lines every handler begins and ends with.
#pragma once

#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "protocol/codec.h"

namespace broker {

// Reads the body; records in `message` borrow from it. False: the body is malformed, the connection is being closed
// (Kafka answers nothing to what it cannot parse).
template <class M>
bool read_body(Request& request, AnswerSlot& answer, M& message) {
  auto status = protocol::decode(std::span<const std::byte>(request.body()), request.version(), message);
  if (status.ok()) return true;
  answer.close_connection(status.error().detail);
  return false;
}

template <class M>
void reply(AnswerSlot& answer, const Request& request, const M& message) {
  answer.fill(protocol::encode_response(request.correlation_id(), request.version(), message));
}

}  // namespace broker
