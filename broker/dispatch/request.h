// One request, as a handler sees it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/clock.h"
#include "broker/dispatch/session.h"
#include "broker/network/frame.h"
#include "protocol/wire/header.h"

namespace broker {

// Lives for the call of its handler, on the connection's loop. Whoever parks the answer copies out what it needs, and
// calls keep_frame() first if that includes bytes of the body.
class Request {
 public:
  Request(protocol::RequestHeader request_header, Session& speaker, base::Instant arrival, Frame& frame,
          std::size_t body_at, const std::shared_ptr<MemoryBudget>& budget)
      : header(std::move(request_header)),
        session(speaker),
        arrived(arrival),
        frame_(frame),
        body_at_(body_at),
        budget_(budget) {}

  const protocol::RequestHeader header;
  Session& session;
  const base::Instant arrived;  // when the read that brought its last byte began

  std::int16_t version() const { return header.api_version; }
  std::int32_t correlation_id() const { return header.correlation_id; }

  // Mutable: record batches are stamped in place. Decoded messages borrow their records from here.
  std::span<std::byte> body() { return frame_.bytes().subspan(body_at_); }
  // What quotas count: the payload with its header.
  std::size_t size_bytes() { return frame_.bytes().size(); }

  // The body stays where body() says AFTER this call for as long as the result lives. Before decoding, because small
  // frames move: they lay in the loop's receive buffer.
  std::shared_ptr<const void> keep_frame() { return frame_.keep(budget_); }

  // The connection reads no further request before this one is answered, as for an API of ApiEntry::no_read_ahead.
  void hold_the_next() { holds_the_next_ = true; }
  bool holds_the_next() const { return holds_the_next_; }

 private:
  Frame& frame_;
  std::size_t body_at_;
  bool holds_the_next_ = false;
  const std::shared_ptr<MemoryBudget>& budget_;
};

}  // namespace broker
