// An answer to be filled when somebody else is done, possibly after the connection is gone. The request is gone by
// then; what its answer needs of it is kept here.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "protocol/codec.h"

namespace broker {

struct Owed {
  AnswerSlot slot;
  std::int32_t correlation_id;
  std::int16_t version;

  template <class M>
  void reply(const M& message) {
    slot.fill(protocol::encode_response(correlation_id, version, message));
  }
};

inline std::shared_ptr<Owed> owe(const Request& request, AnswerSlot slot) {
  return std::make_shared<Owed>(Owed{std::move(slot), request.correlation_id(), request.version()});
}

}  // namespace broker
