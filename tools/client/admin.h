// The client all administrative programs share: finds brokers, agrees on versions, asks the right broker, and asks
// again while that can help.
//
// One thread. Blocking; no call outlasts `api_timeout`. Unreachable brokers are reported on standard error, as the Java
// client does, each time an attempt fails.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/logging.h"
#include "config/value.h"
#include "protocol/codec.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/metadata.h"
#include "tools/client/connection.h"
#include "tools/client/failure.h"

namespace tools {

struct AdminSettings {
  std::vector<HostPort> bootstrap;
  std::string client_id = "adminclient-1";
  std::chrono::milliseconds api_timeout{60'000};
  std::chrono::milliseconds request_timeout{30'000};
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds retry_backoff{100};
  std::chrono::milliseconds reconnect_backoff{50};
  std::chrono::milliseconds reconnect_backoff_max{1'000};
};

// From --bootstrap-server and the contents of the --command-config file. The failures are those of the Java client's
// constructor.
std::variant<AdminSettings, Failure> admin_settings(const std::string& bootstrap_servers, const config::Texts& given);

struct AnyBroker {};
struct Controller {};
// The broker that coordinates a group, or a transactional id.
struct Coordinator {
  enum class Kind : std::int8_t { group = 0, transaction = 1 };  // FindCoordinator's key types
  Kind kind = Kind::group;
  std::string key;
  auto operator<=>(const Coordinator&) const = default;
};
using Target = std::variant<AnyBroker, Controller, Coordinator, base::BrokerId>;

struct Node {
  base::BrokerId id;
  HostPort address;
};

class Admin {
 public:
  Admin(AdminSettings settings, const base::Clock& clock);

  // `name` is the Java client's name of the call; it is part of the message when time runs out. `outcome_of` shows
  // the answer's decisive code: one that says "not here" or "not yet" leads to the right broker, or to another question
  // a little later.
  template <class Response, class Request>
  base::Result<Response> call(
      Target target, std::string_view name, const Request& request,
      std::function<base::ErrorCode(const Response&)> outcome_of = [](const Response&) {
        return base::ErrorCode::none;
      });

  // The same for answers that carry records, which borrow from `frame`. `api` may leave out versions of the request.
  template <class Response, class Request>
  base::Result<Response> call_borrowing(Target target, std::string_view name, const Request& request,
                                        const protocol::Api& api, base::Buffer& frame);

  // All topics when `topics` is empty. Never creates one. A topic's own error is left in the answer.
  base::Result<protocol::MetadataResponse> metadata(std::string_view name,
                                                    const std::optional<std::vector<std::string>>& topics);

  // Known already when a call went there before.
  base::Result<Node> coordinator(const Coordinator& wanted);

  // The highest version both sides know, or nothing when the broker does not serve the API.
  std::optional<std::int16_t> version_on(Target target, const protocol::Api& api);

  // For questions of several calls: when they must be answered, and the pause before they are asked again. False, and
  // no more waiting than that, when the deadline comes first.
  base::Instant deadline() const { return clock_.now() + settings_.api_timeout; }
  bool pause_until_retry(base::Instant deadline) const;

  const AdminSettings& settings() const { return settings_; }
  const base::Clock& clock() const { return clock_; }

 private:
  struct Broker {
    HostPort address;
    base::BrokerId id;  // -1, -2, ... for bootstrap addresses
    Connection connection;
    std::map<std::int16_t, protocol::VersionRange> apis;
    int failures = 0;
    base::Instant try_again_at{};
  };
  struct Call {
    std::string_view name;
    base::Timestamp wall_deadline;
    base::Instant deadline;
    int tries = 0;
  };
  struct Reply {
    base::Buffer payload;
    std::size_t body_at = 0;
    std::int16_t version = 0;
  };
  using Encode = std::function<base::BufferChain(const protocol::RequestHeader&)>;

  Call begin(std::string_view name) const;
  base::Result<Reply> exchange(Target target, const protocol::Api& api, const Encode& encode, Call& call);
  base::Result<Reply> exchange_with(Broker& broker, const protocol::Api& api, const Encode& encode, const Call& call);
  base::Result<Broker*> reach(Target target, Call& call);
  bool connect(Broker& broker, const Call& call);
  base::Status agree_on_versions(Broker& broker, const Call& call);
  base::Status learn_brokers(Call& call);
  base::Result<base::BrokerId> find_coordinator(const Coordinator& wanted, Call& call);
  // True when `code` sends the question to another broker or to a later moment; what was believed is forgotten.
  bool asks_again(base::ErrorCode code, const Target& target);
  Broker* broker_with(base::BrokerId id);
  std::optional<std::int16_t> common_version(const Broker& broker, const protocol::Api& api) const;
  void drop(Broker& broker);
  // False, and no waiting, when the deadline comes first.
  bool pause(std::chrono::nanoseconds time, const Call& call) const;
  base::Error timed_out(const Call& call) const;

  AdminSettings settings_;
  const base::Clock& clock_;
  base::Logger log_{"org.apache.kafka.clients.NetworkClient"};
  std::vector<Broker> bootstrap_;
  std::vector<Broker> known_;  // as the last metadata had them
  base::BrokerId controller_{-1};
  std::map<Coordinator, base::BrokerId> coordinators_;
  std::int32_t next_correlation_id_ = 0;
};

template <class Response, class Request>
base::Result<Response> Admin::call(Target target, std::string_view name, const Request& request,
                                   std::function<base::ErrorCode(const Response&)> outcome_of) {
  Call call = begin(name);
  while (true) {
    auto encode = [&](const protocol::RequestHeader& header) { return protocol::encode_request(header, request); };
    auto reply = exchange(target, Request::api, encode, call);
    if (!reply) return reply.error();
    Response response;
    auto body = std::as_const(reply->payload).bytes().subspan(reply->body_at);
    if (auto read = protocol::decode(body, reply->version, response); !read) return read.error();
    if (!asks_again(outcome_of(response), target)) return response;
    if (!pause(settings_.retry_backoff, call)) return timed_out(call);
  }
}

template <class Response, class Request>
base::Result<Response> Admin::call_borrowing(Target target, std::string_view name, const Request& request,
                                             const protocol::Api& api, base::Buffer& frame) {
  Call call = begin(name);
  auto encode = [&](const protocol::RequestHeader& header) { return protocol::encode_request(header, request); };
  auto reply = exchange(target, api, encode, call);
  if (!reply) return reply.error();
  frame = std::move(reply->payload);
  Response response;
  auto body = std::as_const(frame).bytes().subspan(reply->body_at);
  if (auto read = protocol::decode(body, reply->version, response); !read) return read.error();
  return response;
}

}  // namespace tools
