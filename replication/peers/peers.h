// Other brokers: connections to them, requests and answers.
//
// All that brokers ask of each other goes through here: followers fetching, the controller's announcements, leaders
// that ask for another in-sync set, coordinators that send markers. Sockets stand behind PeerNetwork; a simulation puts
// its own network there, and everything above is the same code.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/loop.h"
#include "protocol/codec.h"
#include "replication/cluster/endpoint.h"

namespace replication {

struct PeerAddress {
  base::BrokerId id = base::kNoBroker;
  Endpoint endpoint{};  // of the listener brokers use among themselves

  bool operator==(const PeerAddress&) const = default;
};

struct PeerOptions {
  std::string client_id{};                // for the other side's log
  std::int32_t receive_buffer_bytes = 0;  // SO_RCVBUF; 0: the system's
};

// One connection to one broker; lives on the loop it was made for. It connects with the first request and again with
// the next one after it broke, waiting a little longer each time. Requests are sent at once, one behind another, and
// answered in that order. Destroying it drops what is unanswered without a word.
class PeerConnection {
 public:
  virtual ~PeerConnection() = default;

  // The payload: header and body of the answer. `network_exception` when the connection could not be made or broke,
  // `request_timed_out` when the answer is not there in time, after which the connection is closed: what is behind it
  // fails too. Never called inside send().
  using Done = std::function<void(base::Result<base::Buffer>)>;
  virtual void send(std::int32_t correlation_id, base::BufferChain frame, base::Duration timeout, Done done) = 0;
  // Everything unanswered fails; the next request connects anew.
  virtual void disconnect() = 0;

  std::int32_t next_correlation_id() { return next_correlation_id_++; }
  const std::string& client_id() const { return client_id_; }

 protected:
  explicit PeerConnection(std::string client_id) : client_id_(std::move(client_id)) {}

 private:
  std::int32_t next_correlation_id_ = 0;
  const std::string client_id_;
};

class PeerNetwork {
 public:
  virtual ~PeerNetwork() = default;
  // Any thread; without I/O.
  virtual std::unique_ptr<PeerConnection> connect(PeerAddress to, base::Loop& loop, PeerOptions options) = 0;
};

// What an answer holds: the message, and the bytes its records borrow from.
template <class Response>
struct PeerAnswer {
  Response message{};
  std::shared_ptr<const base::Buffer> payload{};
};

// Asks and decodes. An answer that cannot be read is `corrupt_message`.
template <class Response, class Request>
void ask(PeerConnection& peer, const Request& request, std::int16_t version, base::Duration timeout,
         std::function<void(base::Result<PeerAnswer<Response>>)> done) {
  const protocol::RequestHeader header{Request::api.key, version, peer.next_correlation_id(), peer.client_id()};
  peer.send(
      header.correlation_id, protocol::encode_request(header, request), timeout,
      [version, correlation_id = header.correlation_id, done = std::move(done)](base::Result<base::Buffer> reply) {
        if (!reply) return done(reply.error());
        PeerAnswer<Response> answer;
        auto payload = std::make_shared<const base::Buffer>(std::move(*reply));
        const auto parsed = protocol::parse_response(payload->bytes(), Response::api, version);
        if (!parsed) return done(parsed.error());
        if (parsed->correlation_id != correlation_id)
          return done(base::fail(base::ErrorCode::corrupt_message, "an answer to another request"));
        if (auto read = protocol::decode(payload->bytes().subspan(parsed->body_at), version, answer.message); !read)
          return done(base::fail(base::ErrorCode::corrupt_message, "{}", read.error().detail));
        answer.payload = std::move(payload);
        done(std::move(answer));
      });
}

}  // namespace replication
