// One client's socket: bytes in, frames to the router, answers out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/clock.h"
#include "broker/dispatch/session.h"
#include "broker/network/answer_queue.h"
#include "broker/network/answer_writer.h"
#include "broker/network/connection_limits.h"
#include "broker/network/connection_set.h"
#include "broker/network/frame.h"

namespace broker {

// Lives on one loop for life. Callbacks, not a coroutine: there is one thing to wait for in each direction, and this
// way an idle connection costs no frame and no buffer (measured: 5.7 against 6.2 us per request at 1,000 connections).
//
// A read takes what has arrived into the loop's receive buffer and handles every complete frame by a plain call; a
// frame that is not complete moves to a buffer of its own, exactly sized, and receives its rest there. The answers of
// one read leave by one gathered send.
//
// Reading less is the only back-pressure. A connection executes nothing more while too many of its requests are
// unanswered, while too many bytes of its answers are unsent, while a request that forbids read-ahead is unanswered,
// or while all memory for requests is taken.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ConnectionSet& set, int socket, std::size_t listener, Session session, ConnectionLimits::Place place);
  ~Connection();

  void start();
  // Sends what is ready. Called by the answer queue once per batch.
  void send_answers();
  // No more requests; close when the answers have left.
  void wind_up();
  // At once; what is unsent is lost. `why` is for the debug log.
  void close(std::string_view why);

  bool awaits_answer() const { return answers_->unanswered() > 0; }
  std::size_t listener() const { return listener_; }

  // The set's own notes.
  std::list<std::shared_ptr<Connection>>::iterator in_set;
  base::Instant last_active{};

 private:
  struct Socket;  // keeps Asio out of this header

  void await_readable();
  void await_writable();
  void on_readable();
  void on_writable();

  bool may_execute() const;
  bool receive();                                                   // false: nothing more to be had
  std::span<std::byte> execute_frames(std::span<std::byte> input);  // returns what it left
  void execute(Frame& frame);
  bool begin_large_frame(std::size_t frame_bytes);
  void finish_large_frame();
  void put_aside(std::span<const std::byte> input);
  void go_on();  // after anything that may let a stopped connection read again, or be done
  void refuse(const Diagnosis& diagnosis);
  void write();
  void warm_up();

  ConnectionSet& set_;
  const std::size_t listener_;
  std::unique_ptr<Socket> socket_;
  int descriptor_;
  Session session_;
  const ConnectionLimits::Place place_;
  std::shared_ptr<AnswerQueue> answers_;
  AnswerWriter writer_;

  // Received, not executed: the one to three bytes of a size cut in two, or what arrived before the connection paused.
  base::Buffer aside_;
  // The frame whose rest is still to come.
  base::Buffer large_;
  MemoryCharge large_charge_;
  std::size_t large_received_ = 0;

  std::uint64_t barrier_ = 0;  // 1 + number of the unanswered request that forbids read-ahead; 0: none
  bool first_frame_ = true;
  bool expects_large_ = false;  // the last frame was large: read the head of the next one alone
  bool ending_ = false;         // reads nothing more
  bool closed_ = false;
  bool waits_for_memory_ = false;
  bool paused_ = false;
  bool reading_ = false;  // a wait is armed
  bool writing_ = false;
  bool warming_ = false;
  base::Instant arrived_{};
};

}  // namespace broker
