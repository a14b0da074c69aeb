// Rules between broker settings (pure). The words are Kafka's: "requirement failed: ...".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/broker_settings.h"

namespace config {

struct Violation {
  std::string text;
  std::vector<std::string_view> keys;  // which settings clash, so that the operator is shown where they stand
};

// The first rule that does not hold. `settings.given` tells what was set and what is merely at its default.
std::optional<Violation> find_violation(const BrokerSettings& settings);

// "10.0.0.1:5,host:7" of max.connections.per.ip.overrides.
struct AddressLimit {
  std::string host;
  std::int32_t connections = 0;
};
base::Result<std::vector<AddressLimit>> parse_address_limits(std::string_view text);

// "127.0.0.1:9644", "[::1]:9644", ":9644" of metrics.listener.
struct HostAndPort {
  std::string host;  // empty: every address
  std::uint16_t port = 0;
};
base::Result<HostAndPort> parse_metrics_listener(std::string_view text);

}  // namespace config
