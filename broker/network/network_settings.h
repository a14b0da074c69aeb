// What the server side of sockets wants to know. Plain values; who reads the configuration fills them in.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "broker/dispatch/session.h"

namespace broker {

inline constexpr int kUnlimitedConnections = std::numeric_limits<int>::max();

struct ListenerSettings {
  std::string name = "PLAINTEXT";
  SecurityProtocol security_protocol = SecurityProtocol::plaintext;
  std::string host;  // empty or "::": all addresses; "0.0.0.0": all of IPv4; a name: its first address, IPv4 preferred
  std::uint16_t port = 9092;                        // 0: the system chooses
  int max_connections = kUnlimitedConnections;      // listener.name.<name>.max.connections
  int max_connection_rate = kUnlimitedConnections;  // listener.name.<name>.max.connection.creation.rate, a second
  // With a second listener, brokers still get in when clients have used up max.connections or its rate.
  bool inter_broker = false;
};

struct NetworkSettings {
  std::vector<ListenerSettings> listeners;

  std::size_t request_max_bytes = 104857600;             // socket.request.max.bytes
  int receive_buffer_bytes = 102400;                     // socket.receive.buffer.bytes; -1: the system's
  int send_buffer_bytes = 102400;                        // socket.send.buffer.bytes; -1: the system's
  int listen_backlog = 50;                               // socket.listen.backlog.size
  std::chrono::milliseconds max_idle{600000};            // connections.max.idle.ms
  int max_connections = kUnlimitedConnections;           // max.connections
  int max_connection_rate = kUnlimitedConnections;       // max.connection.creation.rate, a second
  int max_connections_per_ip = kUnlimitedConnections;    // max.connections.per.ip
  std::map<std::string, int> max_connections_overrides;  // max.connections.per.ip.overrides: address or name -> limit
  std::int64_t queued_max_request_bytes = -1;            // queued.max.request.bytes

  // Read-ahead of one connection: requests executed while earlier ones wait for their answer. Kafka executes one at a
  // time; librdkafka and the Java producer keep 5 in flight, others up to a few dozen.
  std::size_t max_unanswered_requests = 64;
  std::size_t max_unanswered_bytes = 8 << 20;
  // Answers a slow reader may hold before its connection executes nothing more.
  std::size_t max_unsent_bytes = 1 << 20;
};

}  // namespace broker
