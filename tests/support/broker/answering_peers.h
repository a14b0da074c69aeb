// Other brokers without sockets: what is asked of them is answered by functions of the test, on the loop of the
// connection. What no function answers fails as if the network were cut. Every broker serves every API and version.
#pragma once

#include <absl/synchronization/mutex.h>

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "protocol/codec.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/registry.h"
#include "replication/peers/peers.h"

namespace broker::test {

class AnsweringPeers final : public replication::PeerNetwork {
 public:
  // From now on; `answer` runs on the loop of the connection.
  template <class Request, class Response>
  void serve(base::BrokerId broker,
             std::function<std::optional<Response>(const Request&, std::int16_t version)> answer) {
    absl::MutexLock lock(&mutex_);
    services_[{broker, Request::api.key}] = [answer = std::move(answer)](
                                                std::span<const std::byte> payload, std::size_t body_at,
                                                const protocol::RequestHeader& header) -> std::optional<base::Buffer> {
      Request request;
      const auto read = protocol::decode(payload.subspan(body_at), header.api_version, request);
      base::invariant(read.ok(), "brokers send what can be read");
      const auto response = answer(request, header.api_version);
      if (!response) return std::nullopt;
      return payload_of(protocol::encode_response(header.correlation_id, header.api_version, *response));
    };
  }
  void cut(base::BrokerId broker) {
    absl::MutexLock lock(&mutex_);
    std::erase_if(services_, [&](const auto& one) { return one.first.first == broker; });
  }
  std::vector<replication::PeerAddress> connected() const {
    absl::MutexLock lock(&mutex_);
    return connected_;
  }

  std::unique_ptr<replication::PeerConnection> connect(replication::PeerAddress to, base::Loop& loop,
                                                       replication::PeerOptions options) override {
    absl::MutexLock lock(&mutex_);
    connected_.push_back(to);
    return std::make_unique<Connection>(*this, to.id, loop, std::move(options.client_id));
  }

 private:
  using Service = std::function<std::optional<base::Buffer>(std::span<const std::byte> payload, std::size_t body_at,
                                                            const protocol::RequestHeader& header)>;

  // Without the size in front.
  static base::Buffer payload_of(const base::BufferChain& frame) {
    const auto bytes = base::flatten(frame).value();
    base::Buffer payload(bytes.size() - 4);
    std::memcpy(payload.data(), bytes.data() + 4, payload.size());
    return payload;
  }
  static base::Buffer versions(const protocol::RequestHeader& header) {
    protocol::ApiVersionsResponse all;
    for (std::int16_t key = 0; key < 80; ++key)
      if (const auto* api = protocol::find_api(key))
        all.api_keys.push_back({.api_key = key, .min_version = api->versions.min, .max_version = api->versions.max});
    return payload_of(protocol::encode_response(header.correlation_id, header.api_version, all));
  }
  std::optional<base::Buffer> answer(base::BrokerId broker, const base::Buffer& payload) const {
    const auto parsed = protocol::parse_request(payload.bytes());
    base::invariant(parsed.ok(), "brokers send what can be read");
    Service service;
    {
      absl::MutexLock lock(&mutex_);
      const auto found = services_.find({broker, parsed->header.api_key});
      if (found != services_.end()) service = found->second;
    }
    if (service) return service(payload.bytes(), parsed->body_at, parsed->header);
    if (parsed->header.api_key == protocol::kApiVersions.key) return versions(parsed->header);
    return std::nullopt;
  }

  class Connection final : public replication::PeerConnection {
   public:
    Connection(AnsweringPeers& peers, base::BrokerId to, base::Loop& loop, std::string client_id)
        : PeerConnection(std::move(client_id)), peers_(peers), to_(to), loop_(loop) {}
    void send(std::int32_t, base::BufferChain frame, base::Duration, Done done) override {
      auto payload = std::make_shared<base::Buffer>(payload_of(frame));
      loop_.post([this, alive = std::weak_ptr(alive_), payload, done = std::move(done)] {
        if (alive.expired()) return;
        auto answer = peers_.answer(to_, *payload);
        if (answer) return done(std::move(*answer));
        done(base::fail(base::ErrorCode::network_exception, "broker {} is cut off", to_));
      });
    }
    void disconnect() override {}

   private:
    AnsweringPeers& peers_;
    const base::BrokerId to_;
    base::Loop& loop_;
    const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
  };

  mutable absl::Mutex mutex_;
  std::map<std::pair<base::BrokerId, std::int16_t>, Service> services_ ABSL_GUARDED_BY(mutex_);
  std::vector<replication::PeerAddress> connected_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace broker::test
