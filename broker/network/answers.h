// Answers: who owes one, and how it finds its way back to the connection.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/buffer.h"

namespace broker {

struct Answer {
  enum class Kind {
    frame,  // bytes to send, size prefix and header included
    none,   // the request has no answer (acks=0)
    close,  // earlier answers leave, then the connection is closed
  };
  Kind kind = Kind::none;
  base::BufferChain frame;
  std::string reason;  // for `close`: what the operator should know

  static Answer of(base::BufferChain frame) { return {Kind::frame, std::move(frame), {}}; }
  static Answer nothing() { return {Kind::none, {}, {}}; }
  static Answer closing(std::string reason) { return {Kind::close, {}, std::move(reason)}; }
};

// Where answers go: a connection's queue, or a caller inside this process. Any thread may call.
class AnswerReceiver {
 public:
  virtual ~AnswerReceiver() = default;
  // `self` is this receiver, handed over so that an answer on its way needs no second reference.
  virtual void answered(std::shared_ptr<AnswerReceiver> self, std::uint64_t number, Answer answer) = 0;
  // A slot died without an answer: somebody forgot a request.
  virtual void forgotten(std::shared_ptr<AnswerReceiver> self, std::uint64_t number) = 0;
  // False once nobody will read the answer; a hint that work for it may be dropped.
  virtual bool wanted() const = 0;
};

// The answer to one request, owed by whoever holds the slot. Exactly one of fill, skip and close_connection is called,
// once, from any thread; the slot is empty afterwards. Answers leave in the order of their requests whatever the order
// of filling. Outlives its connection safely: the answer then goes nowhere. Dropping a slot that still owes an answer
// closes the connection with a line at ERROR, because a client would wait for ever.
class AnswerSlot {
 public:
  AnswerSlot() = default;
  AnswerSlot(std::shared_ptr<AnswerReceiver> receiver, std::uint64_t number)
      : receiver_(std::move(receiver)), number_(number) {}
  AnswerSlot(AnswerSlot&&) noexcept = default;
  AnswerSlot& operator=(AnswerSlot&& other) noexcept;
  ~AnswerSlot() { drop(); }

  // `frame` is whole: size, response header, body (protocol::encode_response makes one).
  void fill(base::BufferChain frame) { settle(Answer::of(std::move(frame))); }
  void skip() { settle(Answer::nothing()); }
  void close_connection(std::string reason) { settle(Answer::closing(std::move(reason))); }
  void settle(Answer answer);

  explicit operator bool() const { return receiver_ != nullptr; }
  bool wanted() const { return receiver_ && receiver_->wanted(); }

 private:
  void drop();

  std::shared_ptr<AnswerReceiver> receiver_;
  std::uint64_t number_ = 0;
};

// A slot that is not a connection's: requests the broker sends to itself, and handlers under test. `then` runs once, on
// the thread that answers; a forgotten slot counts as close_connection.
AnswerSlot answer_to(std::function<void(Answer)> then);

}  // namespace broker
