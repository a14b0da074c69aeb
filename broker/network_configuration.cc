#include "broker/network_configuration.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>

namespace broker {
namespace {

// "10.0.0.1:5,host:10"
std::map<std::string, int> overrides_of(const std::string& text) {
  std::map<std::string, int> out;
  for (const auto& item : config::split_list(text)) {
    const auto colon = item.rfind(':');
    int limit = 0;
    if (colon == std::string::npos || !absl::SimpleAtoi(item.substr(colon + 1), &limit)) continue;
    out[std::string(absl::StripAsciiWhitespace(item.substr(0, colon)))] = limit;
  }
  return out;
}

SecurityProtocol protocol_of(config::SecurityProtocol protocol) {
  switch (protocol) {
    case config::SecurityProtocol::plaintext:
      return SecurityProtocol::plaintext;
    case config::SecurityProtocol::ssl:
      return SecurityProtocol::ssl;
    case config::SecurityProtocol::sasl_plaintext:
      return SecurityProtocol::sasl_plaintext;
    case config::SecurityProtocol::sasl_ssl:
      return SecurityProtocol::sasl_ssl;
  }
  return SecurityProtocol::plaintext;
}

}  // namespace

NetworkSettings network_settings(const config::BrokerSettings& settings) {
  NetworkSettings out;
  for (const auto& listener : settings.endpoints.bound) {
    auto& one = out.listeners.emplace_back();
    one.name = listener.name;
    one.security_protocol = protocol_of(listener.protocol);
    one.host = listener.host;
    one.port = listener.port;
    // Named for one listener it is that one's own limit; max.connections itself counts over all of them.
    const auto own = [&](const char* key, int& limit) {
      const auto given = settings.given.find("listener.name." + absl::AsciiStrToLower(listener.name) + key);
      if (int x = 0; given != settings.given.end() && absl::SimpleAtoi(given->second, &x)) limit = x;
    };
    own(".max.connections", one.max_connections);
    own(".max.connection.creation.rate", one.max_connection_rate);
    one.inter_broker = listener.name == settings.endpoints.inter_broker;
  }
  out.request_max_bytes = static_cast<std::size_t>(settings.socket_request_max_bytes);
  out.receive_buffer_bytes = settings.socket_receive_buffer_bytes;
  out.send_buffer_bytes = settings.socket_send_buffer_bytes;
  out.listen_backlog = settings.socket_listen_backlog_size;
  out.max_idle = std::chrono::milliseconds(settings.connections_max_idle_ms);
  out.max_connections = settings.max_connections;
  out.max_connection_rate = settings.max_connection_creation_rate;
  out.max_connections_per_ip = settings.max_connections_per_ip;
  out.max_connections_overrides = overrides_of(settings.max_connections_per_ip_overrides);
  out.queued_max_request_bytes = settings.queued_max_request_bytes;
  return out;
}

}  // namespace broker
