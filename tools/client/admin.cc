#include "tools/client/admin.h"

#include <algorithm>
#include <charconv>
#include <thread>

#include "base/bytes.h"
#include "protocol/messages/find_coordinator.h"
#include "tools/client/version.h"

namespace tools {

using base::ErrorCode;
using base::fail;
using std::chrono::milliseconds;

namespace {

const base::Logger& client_log() {
  static const base::Logger log("org.apache.kafka.clients.ClientUtils");
  return log;
}

Failure construction_failure(std::string cause) {
  return {"org.apache.kafka.common.KafkaException", "Failed to create new KafkaAdminClient",
          "org.apache.kafka.common.config.ConfigException: " + std::move(cause)};
}

}  // namespace

std::variant<AdminSettings, Failure> admin_settings(const std::string& bootstrap_servers, const config::Texts& given) {
  AdminSettings settings;
  for (const std::string& each : config::split_list(bootstrap_servers)) {
    if (each.empty()) continue;
    auto address = parse_host_port(each);
    if (!address) return construction_failure("Invalid url in bootstrap.servers: " + each);
    if (can_resolve(address->host))
      settings.bootstrap.push_back(*address);
    else
      client_log().warn("Couldn't resolve server {} from bootstrap.servers as DNS resolution failed for {}", each,
                        address->host);
  }
  if (settings.bootstrap.empty())
    return construction_failure("No resolvable bootstrap urls given in bootstrap.servers");

  const std::map<std::string_view, milliseconds*> times = {
      {"default.api.timeout.ms", &settings.api_timeout},
      {"request.timeout.ms", &settings.request_timeout},
      {"socket.connection.setup.timeout.ms", &settings.connect_timeout},
      {"retry.backoff.ms", &settings.retry_backoff},
      {"reconnect.backoff.ms", &settings.reconnect_backoff},
      {"reconnect.backoff.max.ms", &settings.reconnect_backoff_max},
  };
  for (const auto& [key, text] : given) {
    if (auto time = times.find(key); time != times.end()) {
      auto value = config::parse_value(config::Type::long_integer, text);
      if (!value)
        return Failure{"org.apache.kafka.common.config.ConfigException",
                       config::value_error(key, text, value.error().detail).detail, ""};
      *time->second = milliseconds(std::get<std::int64_t>(*value));
    } else if (key == "client.id") {
      settings.client_id = text;
    } else if (key == "security.protocol" && config::upper_case(config::trim(text)) != "PLAINTEXT") {
      return construction_failure(
          fmt::format("security.protocol {} is not available in this tool; connect to a PLAINTEXT listener", text));
    }
  }
  return settings;
}

Admin::Admin(AdminSettings settings, const base::Clock& clock) : settings_(std::move(settings)), clock_(clock) {
  int next = -1;
  for (const HostPort& address : settings_.bootstrap) {
    bootstrap_.emplace_back();
    bootstrap_.back().address = address;
    bootstrap_.back().id = base::BrokerId{next--};
  }
}

Admin::Call Admin::begin(std::string_view name) const {
  return {name, clock_.wall() + settings_.api_timeout, clock_.now() + settings_.api_timeout, 0};
}

bool Admin::pause(std::chrono::nanoseconds time, const Call& call) const {
  if (clock_.now() + time >= call.deadline) {
    std::this_thread::sleep_until(call.deadline);
    return false;
  }
  std::this_thread::sleep_for(time);
  return true;
}

bool Admin::pause_until_retry(base::Instant deadline) const {
  return pause(settings_.retry_backoff, {.name = {}, .wall_deadline = {}, .deadline = deadline});
}

// The Java client's text; people search for it.
base::Error Admin::timed_out(const Call& call) const {
  auto now = base::to_ms(clock_.wall());
  return fail(ErrorCode::request_timed_out,
              "Call(callName={}, deadlineMs={}, tries=1, nextAllowedTryMs={}) timed out at {} after 1 attempt(s)",
              call.name, base::to_ms(call.wall_deadline), now + settings_.retry_backoff.count(), now);
}

Admin::Broker* Admin::broker_with(base::BrokerId id) {
  auto found = std::find_if(known_.begin(), known_.end(), [&](const Broker& each) { return each.id == id; });
  return found == known_.end() ? nullptr : &*found;
}

std::optional<std::int16_t> Admin::common_version(const Broker& broker, const protocol::Api& api) const {
  auto theirs = broker.apis.find(api.key);
  if (theirs == broker.apis.end()) return std::nullopt;
  std::int16_t low = std::max(api.versions.min, theirs->second.min);
  std::int16_t high = std::min(api.versions.max, theirs->second.max);
  return low <= high ? std::optional(high) : std::nullopt;
}

void Admin::drop(Broker& broker) {
  broker.connection.close();
  auto backoff = settings_.reconnect_backoff * (1 << std::min(broker.failures, 16));
  broker.try_again_at = clock_.now() + std::min<milliseconds>(backoff, settings_.reconnect_backoff_max);
  ++broker.failures;
}

bool Admin::connect(Broker& broker, const Call& call) {
  auto deadline = std::min(call.deadline, clock_.now() + settings_.connect_timeout);
  auto opened = Connection::open(broker.address, deadline, clock_);
  if (!opened) {
    drop(broker);
    log_.warn(
        "[AdminClient clientId={}] Connection to node {} ({}) could not be established. Broker may not be available.",
        settings_.client_id, broker.id, java_address(broker.address));
    return false;
  }
  broker.connection = std::move(*opened);
  if (auto agreed = agree_on_versions(broker, call); !agreed) {
    drop(broker);
    log_.warn("[AdminClient clientId={}] Node {} ({}) did not say which versions it speaks: {}", settings_.client_id,
              broker.id, java_address(broker.address), agreed.error().detail);
    return false;
  }
  broker.failures = 0;
  return true;
}

// Asks in the newest form; a broker that does not know it answers in the oldest and says what it knows (KIP-35).
base::Status Admin::agree_on_versions(Broker& broker, const Call& call) {
  using protocol::ApiVersionsResponse;
  const protocol::ApiVersionsRequest request{.client_software_name = kSoftwareName,
                                             .client_software_version = kSoftwareVersion};
  auto encode = [&](const protocol::RequestHeader& header) { return protocol::encode_request(header, request); };
  const protocol::Api& api = protocol::kApiVersions;
  broker.apis = {{api.key, api.versions}};
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto reply = exchange_with(broker, api, encode, call);
    if (!reply) return reply.error();
    auto body = std::as_const(reply->payload).bytes().subspan(reply->body_at);
    bool refused = body.size() >= 2 && base::load_big_endian<std::int16_t>(body.data()) ==
                                           static_cast<std::int16_t>(ErrorCode::unsupported_version);
    ApiVersionsResponse response;
    if (auto read = protocol::decode(body, refused ? std::int16_t{0} : reply->version, response); !read) return read;
    if (!refused && response.error_code != ErrorCode::none) return base::Error{response.error_code, ""};
    broker.apis.clear();
    for (const auto& each : response.api_keys)
      broker.apis[each.api_key] = {.min = each.min_version, .max = each.max_version};
    if (!refused) return {};
    if (!broker.apis.contains(api.key)) broker.apis[api.key] = {.min = 0, .max = 0};
  }
  return fail(ErrorCode::unsupported_version, "no common version of ApiVersions");
}

base::Result<Admin::Reply> Admin::exchange_with(Broker& broker, const protocol::Api& api, const Encode& encode,
                                                const Call& call) {
  auto version = common_version(broker, api);
  if (!version) return fail(ErrorCode::unsupported_version, "The broker does not support {}", api.name);
  protocol::RequestHeader header{api.key, *version, next_correlation_id_++, settings_.client_id};
  auto deadline = std::min(call.deadline, clock_.now() + settings_.request_timeout);
  auto payload = broker.connection.exchange(encode(header), deadline, clock_);
  if (!payload) return payload.error();
  auto bytes = std::as_const(*payload).bytes();
  if (bytes.size() < 4 || base::load_big_endian<std::int32_t>(bytes.data()) != header.correlation_id)
    return fail(ErrorCode::network_exception, "an answer to another request");
  std::size_t body_at = 4;
  if (protocol::response_header_version(api, *version) >= 1) {
    // Tags of a response header: no release defines any, so anything but an empty list is not Kafka's.
    if (bytes.size() < 5 || bytes[4] != std::byte{0}) return fail(ErrorCode::network_exception, "unknown header tags");
    body_at = 5;
  }
  return Reply{std::move(*payload), body_at, *version};
}

// Which brokers there are, and which of them is the controller.
base::Status Admin::learn_brokers(Call& call) {
  protocol::MetadataRequest request;
  request.topics.emplace();
  request.allow_auto_topic_creation = false;
  auto encode = [&](const protocol::RequestHeader& header) { return protocol::encode_request(header, request); };
  auto reply = exchange(AnyBroker{}, protocol::kMetadata, encode, call);
  if (!reply) return reply.error();
  protocol::MetadataResponse answer;
  auto body = std::as_const(reply->payload).bytes().subspan(reply->body_at);
  if (auto read = protocol::decode(body, reply->version, answer); !read) return read;
  std::vector<Broker> now;
  for (const auto& each : answer.brokers) {
    HostPort address{each.host, static_cast<std::uint16_t>(each.port)};
    Broker* before = broker_with(each.node_id);
    if (before && before->address == address) {
      now.push_back(std::move(*before));
    } else {
      now.emplace_back();
      now.back().address = std::move(address);
      now.back().id = each.node_id;
    }
  }
  known_ = std::move(now);
  controller_ = answer.controller_id;
  return {};
}

bool Admin::asks_again(ErrorCode code, const Target& target) {
  if (code == ErrorCode::not_controller) {
    controller_ = base::kNoBroker;
    return true;
  }
  if (code == ErrorCode::not_coordinator || code == ErrorCode::coordinator_not_available) {
    if (const auto* coordinator = std::get_if<Coordinator>(&target)) coordinators_.erase(*coordinator);
    return true;
  }
  return code == ErrorCode::coordinator_load_in_progress;
}

base::Result<base::BrokerId> Admin::find_coordinator(const Coordinator& wanted, Call& call) {
  if (auto found = coordinators_.find(wanted); found != coordinators_.end() && broker_with(found->second))
    return found->second;
  protocol::FindCoordinatorRequest request;
  request.key = wanted.key;
  request.key_type = static_cast<std::int8_t>(wanted.kind);
  request.coordinator_keys = {wanted.key};
  auto encode = [&](const protocol::RequestHeader& header) { return protocol::encode_request(header, request); };
  Call finding = call;
  finding.name = "findCoordinator";
  while (true) {
    auto reply = exchange(AnyBroker{}, protocol::kFindCoordinator, encode, finding);
    if (!reply) return reply.error();
    protocol::FindCoordinatorResponse answer;
    auto body = std::as_const(reply->payload).bytes().subspan(reply->body_at);
    if (auto read = protocol::decode(body, reply->version, answer); !read) return read.error();
    if (answer.coordinators.empty())  // before version 4 there is one, without a list around it
      answer.coordinators.push_back(
          {wanted.key, answer.node_id, answer.host, answer.port, answer.error_code, answer.error_message});
    const auto& found = answer.coordinators.front();
    if (found.error_code == ErrorCode::none) {
      if (!broker_with(found.node_id)) {
        known_.emplace_back();
        known_.back().address = {found.host, static_cast<std::uint16_t>(found.port)};
        known_.back().id = found.node_id;
      }
      coordinators_[wanted] = found.node_id;
      return found.node_id;
    }
    if (!asks_again(found.error_code, AnyBroker{})) return base::Error{found.error_code, ""};
    if (!pause(settings_.retry_backoff, finding)) return timed_out(finding);
  }
}

base::Result<Node> Admin::coordinator(const Coordinator& wanted) {
  Call call = begin("findCoordinator");
  auto id = find_coordinator(wanted, call);
  if (!id) return id.error();
  return Node{*id, broker_with(*id)->address};
}

// A connected broker for `target`. Tries again until the deadline; then the error says so.
base::Result<Admin::Broker*> Admin::reach(Target target, Call& call) {
  while (true) {
    std::vector<Broker*> candidates;
    if (std::holds_alternative<AnyBroker>(target)) {
      for (Broker& each : known_) candidates.push_back(&each);
      for (Broker& each : bootstrap_) candidates.push_back(&each);
    } else if (const auto* coordinator = std::get_if<Coordinator>(&target)) {
      auto id = find_coordinator(*coordinator, call);
      if (!id) return id.error();
      candidates.push_back(broker_with(*id));
    } else {
      auto wanted = [&] {
        return std::holds_alternative<Controller>(target) ? controller_ : std::get<base::BrokerId>(target);
      };
      if (!broker_with(wanted()))
        if (auto learned = learn_brokers(call); !learned) return learned.error();
      if (Broker* broker = broker_with(wanted())) candidates.push_back(broker);
    }
    for (Broker* each : candidates)
      if (each->connection.is_open()) return each;
    for (Broker* each : candidates)
      if (clock_.now() >= each->try_again_at && connect(*each, call)) return each;

    auto next = clock_.now() + settings_.retry_backoff;
    for (Broker* each : candidates)
      if (each->try_again_at > clock_.now()) next = std::min(next, each->try_again_at);
    if (!std::holds_alternative<AnyBroker>(target)) {
      known_.clear();  // the cluster may have changed: ask it again
      coordinators_.clear();
      controller_ = base::kNoBroker;
    }
    if (!pause(next - clock_.now(), call)) return timed_out(call);
  }
}

base::Result<Admin::Reply> Admin::exchange(Target target, const protocol::Api& api, const Encode& encode, Call& call) {
  while (true) {
    auto broker = reach(target, call);
    if (!broker) return broker.error();
    auto reply = exchange_with(**broker, api, encode, call);
    if (reply || reply.error().code == ErrorCode::unsupported_version) return reply;
    drop(**broker);
    if (!pause(settings_.retry_backoff, call)) return timed_out(call);
  }
}

base::Result<protocol::MetadataResponse> Admin::metadata(std::string_view name,
                                                         const std::optional<std::vector<std::string>>& topics) {
  protocol::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  if (topics) {
    request.topics.emplace();
    for (const std::string& topic : *topics) request.topics->push_back({.topic_id = {}, .name = topic});
  }
  return call<protocol::MetadataResponse>(AnyBroker{}, name, request);
}

std::optional<std::int16_t> Admin::version_on(Target target, const protocol::Api& api) {
  Call call = begin("apiVersions");
  auto broker = reach(target, call);
  return broker ? common_version(**broker, api) : std::nullopt;
}

}  // namespace tools
