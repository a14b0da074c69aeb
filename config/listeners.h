// Where the broker listens, and which addresses it hands to clients (pure).
//
//   listeners=PLAINTEXT://:9092,INTERNAL://10.0.0.1:9093     what to bind; an empty host is every address
//   advertised.listeners=PLAINTEXT://kafka.example:9092      what to publish, by the same names
//   listener.security.protocol.map=PLAINTEXT:PLAINTEXT,...   how each name speaks
//   inter.broker.listener.name, control.plane.listener.name  which one brokers use among themselves
//   host.name, port, advertised.host.name, advertised.port   the same before there were listeners (up to Kafka 2.8)
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace config {

struct BrokerFields;

// Numbers as UpdateMetadata and the registration carry them.
enum class SecurityProtocol : std::int16_t { plaintext = 0, ssl = 1, sasl_plaintext = 2, sasl_ssl = 3 };
std::string_view name_of(SecurityProtocol protocol);
std::optional<SecurityProtocol> security_protocol_from(std::string_view name);  // capitals do not matter

struct Listener {
  std::string name;  // capitals
  SecurityProtocol protocol = SecurityProtocol::plaintext;
  std::string host;  // empty: every address
  std::uint16_t port = 0;

  bool operator==(const Listener&) const = default;
  // "PLAINTEXT://host:9092", brackets around IPv6.
  std::string text() const;
};

struct Listeners {
  std::vector<Listener> bound;
  // What clients are told, in the order of `advertised.listeners`; a subset of `bound` by name, every host filled in.
  std::vector<Listener> advertised;
  std::string inter_broker;                  // a name in `advertised`
  std::optional<std::string> control_plane;  // likewise

  const Listener* find_bound(std::string_view name) const;
  const Listener* find_advertised(std::string_view name) const;
  bool operator==(const Listeners&) const = default;
};

// This machine's own name as others can resolve it. Injected: asking it means asking the resolver.
using HostName = std::function<std::string()>;

struct ListenersOutcome {
  Listeners listeners;
  std::vector<std::string> notices;  // which listener advertises a name nobody wrote
};

// `inter_broker_protocol_given`: security.inter.broker.protocol was set, not merely at its default.
struct ListenerInput {
  const BrokerFields& settings;
  bool inter_broker_protocol_given = false;
};
base::Result<ListenersOutcome> work_out_listeners(const ListenerInput& input, const HostName& host_name);

}  // namespace config
