// Who is speaking on a connection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace broker {

enum class SecurityProtocol { plaintext, ssl, sasl_plaintext, sasl_ssl };

constexpr std::string_view security_protocol_name(SecurityProtocol protocol) {
  switch (protocol) {
    case SecurityProtocol::plaintext:
      return "PLAINTEXT";
    case SecurityProtocol::ssl:
      return "SSL";
    case SecurityProtocol::sasl_plaintext:
      return "SASL_PLAINTEXT";
    case SecurityProtocol::sasl_ssl:
      return "SASL_SSL";
  }
  return "PLAINTEXT";
}

// Lives on its connection's loop and dies with the connection. Handlers run on that loop and may read and change it
// while they are called; whoever parks an answer copies what it needs.
struct Session {
  std::string listener;  // its name, e.g. "PLAINTEXT"; clients are told the endpoints of the listener they came by
  SecurityProtocol security_protocol = SecurityProtocol::plaintext;
  std::string principal = "User:ANONYMOUS";
  std::string peer_address;  // without port; an IPv4 address on an IPv6 socket in its IPv4 form
  std::uint16_t peer_port = 0;
  std::uint16_t local_port = 0;

  std::string client_id;  // as the latest request said; empty when null
  // As ApiVersions v3+ told.
  std::string client_software_name = "unknown";
  std::string client_software_version = "unknown";

  std::string peer() const { return peer_address + ":" + std::to_string(peer_port); }
};

}  // namespace broker
