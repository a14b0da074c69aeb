// A network of which the test is the other side: it sees every request and decides every answer. One thread, with
// HandLoop.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "protocol/codec.h"
#include "replication/peers/peers.h"

namespace test_support {

class HandNetwork final : public replication::PeerNetwork {
 public:
  struct Question {
    base::BrokerId to;
    std::uint64_t connection = 0;
    protocol::RequestHeader header;
    std::shared_ptr<base::Buffer> frame;
    std::size_t body_at = 0;
    replication::PeerConnection::Done done;

    template <class Request>
    Request as() const {
      base::invariant(header.api_key == Request::api.key, "the test knows what is asked");
      Request request;
      base::invariant(
          protocol::decode(std::span<const std::byte>(frame->bytes()).subspan(body_at), header.api_version, request)
              .ok(),
          "what is asked can be read");
      return request;
    }
    template <class Response>
    void answer(const Response& response) const {
      auto bytes =
          base::flatten(protocol::encode_response(header.correlation_id, header.api_version, response)).value();
      base::Buffer payload(bytes.size() - 4);
      std::memcpy(payload.data(), bytes.data() + 4, payload.size());
      done(std::move(payload));
    }
    void fail() const { done(base::fail(base::ErrorCode::network_exception, "cut by the test")); }
  };

  std::unique_ptr<replication::PeerConnection> connect(replication::PeerAddress to, base::Loop& loop,
                                                       replication::PeerOptions options) override {
    return std::make_unique<Connection>(*this, std::move(to), loop, std::move(options));
  }

  // The oldest question that is open; nothing: there is none.
  std::optional<Question> take() { return take_any(0); }
  // The n-th of them, counted in circles.
  std::optional<Question> take_any(std::size_t n) {
    if (questions_.empty()) return std::nullopt;
    const auto at = questions_.begin() + static_cast<std::ptrdiff_t>(n % questions_.size());
    auto out = std::move(*at);
    questions_.erase(at);
    return out;
  }
  std::size_t open() const { return questions_.size(); }
  std::size_t connections() const { return alive_.size(); }
  bool is_connected(const Question& question) const { return alive_.contains(question.connection); }
  std::vector<replication::PeerAddress> connected_to;  // all there were

 private:
  struct Connection final : replication::PeerConnection {
    Connection(HandNetwork& of, replication::PeerAddress address, base::Loop& home, replication::PeerOptions options)
        : PeerConnection(options.client_id), network(of), to(std::move(address)), loop(home), id(++of.made_) {
      network.alive_.insert(id);
      network.connected_to.push_back(to);
    }
    ~Connection() override {
      network.alive_.erase(id);
      std::erase_if(network.questions_, [this](const Question& question) { return question.connection == id; });
    }
    void send(std::int32_t, base::BufferChain frame, base::Duration, Done done) override {
      auto bytes = std::make_shared<base::Buffer>(base::flatten(frame).value());
      const auto parsed = protocol::parse_request(bytes->bytes().subspan(4)).value();
      network.questions_.push_back({to.id, id, parsed.header, bytes, 4 + parsed.body_at, std::move(done)});
    }
    void disconnect() override {
      for (const auto& question : network.questions_)
        if (question.connection == id)
          loop.post([&of = network, number = id, done = question.done] {
            if (of.alive_.contains(number)) done(base::fail(base::ErrorCode::network_exception, "closed by this side"));
          });
      std::erase_if(network.questions_, [this](const Question& question) { return question.connection == id; });
    }

    HandNetwork& network;
    const replication::PeerAddress to;
    base::Loop& loop;
    const std::uint64_t id;
  };

  std::deque<Question> questions_;
  std::set<std::uint64_t> alive_;
  std::uint64_t made_ = 0;
};

}  // namespace test_support
