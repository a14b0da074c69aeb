// What a PeerConnection over TCP does: connecting, waiting before it tries again, requests out, answers in.
//
// Reads and writes are plain non-blocking calls; Asio only tells when a socket is ready. An answer is received into
// memory of exactly its size, apart from its first few KiB, which may come along with what was before it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/loop.h"
#include "replication/peers/addresses.h"
#include "replication/peers/peers.h"

namespace replication {

// Lives on its loop. Owned by its PeerConnection; what was posted, or waits for a socket, holds it weakly.
class SocketConnection : public std::enable_shared_from_this<SocketConnection> {
 public:
  struct Services {
    base::Loop& loop;
    base::Clock& clock;
    base::BlockingPool& names;
    std::size_t max_answer_bytes;
  };
  SocketConnection(PeerAddress to, PeerOptions options, Services services);
  ~SocketConnection();

  void send(std::int32_t correlation_id, base::BufferChain frame, base::Duration timeout, PeerConnection::Done done);
  void disconnect();
  // Nobody wants to know any more.
  void abandon();

 private:
  enum class State { idle, waiting, resolving, connecting, connected };
  struct Request {
    std::int32_t correlation_id;
    base::Instant deadline;
    PeerConnection::Done done;
  };
  struct Socket;

  void connect_soon();
  void resolve();
  void resolved(base::Result<std::vector<SocketAddress>> found);
  void connect_next(std::string why_not = "no address");
  base::Status begin_connect(const SocketAddress& address);
  void connect_ended();
  void await_readable();
  void await_writable();
  // Calls `then` when the socket is ready, unless the connection was closed meanwhile.
  enum class Ready { to_read, to_write };
  void await(Ready what, void (SocketConnection::*then)());

  void on_readable();
  bool receive();
  void take_in(std::span<const std::byte> input);
  void deliver(base::Buffer answer);
  void on_writable();
  void write();

  void arm_for(base::Instant deadline);
  void look_at_deadlines();
  void close_socket();
  enum class Fault { ours, theirs };  // after theirs we wait a while
  void fail_all(const base::Error& why, Fault fault);
  base::Error failure(std::string_view what) const;

  const PeerAddress to_;
  const PeerOptions options_;
  const Services services_;

  State state_ = State::idle;
  bool abandoned_ = false;
  std::uint64_t attempt_ = 0;  // which connection it is: what was begun for an earlier one is not meant
  std::unique_ptr<Socket> socket_;
  std::vector<SocketAddress> addresses_;  // yet to be tried
  std::unique_ptr<base::Timer> retry_timer_;
  base::Duration back_off_;
  base::Instant not_before_{};

  std::deque<Request> unanswered_;
  std::unique_ptr<base::Timer> deadline_timer_;
  std::optional<base::Instant> armed_for_;

  std::deque<base::Slice> outbox_;
  std::size_t sent_of_first_ = 0;
  bool awaits_writable_ = false;

  std::array<std::byte, 4096> head_;  // sizes, small answers, the beginnings of large ones
  std::size_t in_head_ = 0;
  base::Buffer answer_;  // being received; empty: none
  std::size_t received_ = 0;
};

}  // namespace replication
