// Where clients and brokers reach a broker on one of its listeners.
#pragma once

#include <cstdint>
#include <string>

namespace replication {

struct Endpoint {
  std::string listener{};           // "PLAINTEXT", "EXTERNAL"
  std::string security_protocol{};  // "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"
  std::string host{};
  std::int32_t port = -1;

  bool operator==(const Endpoint&) const = default;
};

}  // namespace replication
