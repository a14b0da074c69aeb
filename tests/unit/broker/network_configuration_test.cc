#include "broker/network_configuration.h"

#include <catch2/catch.hpp>

#include "config/load.h"

using namespace broker;

namespace {

NetworkSettings network_of(const std::string& text) {
  auto loaded = config::load_broker_settings(text, {}, {.host_name = [] { return std::string("kafka.example"); }});
  INFO((loaded ? std::string() : loaded.error().detail));
  REQUIRE(loaded.ok());
  return network_settings(loaded->settings);
}

}  // namespace

TEST_CASE("without a word about it one plain listener takes connections on port 9092") {
  const auto network = network_of("");
  REQUIRE(network.listeners.size() == 1);
  CHECK(network.listeners[0].name == "PLAINTEXT");
  CHECK(network.listeners[0].host.empty());
  CHECK(network.listeners[0].port == 9092);
  CHECK(network.listeners[0].inter_broker);
  CHECK(network.request_max_bytes == 104857600);
  CHECK(network.max_idle == std::chrono::minutes(10));
  CHECK(network.max_connections == kUnlimitedConnections);
  CHECK(network.max_connections_per_ip == kUnlimitedConnections);
  CHECK(network.queued_max_request_bytes == -1);
}

TEST_CASE("listeners keep their names, addresses, protocols and limits") {
  const auto network = network_of(
      "listeners=CLIENTS://:9092,INTERNAL://127.0.0.1:9093\n"
      "listener.security.protocol.map=CLIENTS:PLAINTEXT,INTERNAL:SASL_SSL\n"
      "inter.broker.listener.name=INTERNAL\n"
      "max.connections=100\n"
      "listener.name.clients.max.connections=7\n"
      "max.connection.creation.rate=50\n"
      "listener.name.clients.max.connection.creation.rate=5\n");
  REQUIRE(network.listeners.size() == 2);
  const auto& clients = network.listeners[0];
  const auto& internal = network.listeners[1];
  CHECK(clients.name == "CLIENTS");
  CHECK(clients.max_connections == 7);
  CHECK(clients.max_connection_rate == 5);
  CHECK(network.max_connection_rate == 50);
  CHECK_FALSE(clients.inter_broker);
  CHECK(internal.host == "127.0.0.1");
  CHECK(internal.port == 9093);
  CHECK(internal.security_protocol == SecurityProtocol::sasl_ssl);
  CHECK(internal.max_connections == kUnlimitedConnections);
  CHECK(internal.inter_broker);
  CHECK(network.max_connections == 100);
}

TEST_CASE("sockets are set as server.properties says") {
  const auto network = network_of(
      "socket.request.max.bytes=1048576000\nsocket.receive.buffer.bytes=10240000\nsocket.send.buffer.bytes=-1\n"
      "socket.listen.backlog.size=9\nconnections.max.idle.ms=1234\nmax.connections.per.ip=5\n"
      "queued.max.request.bytes=2000000000\n");
  CHECK(network.request_max_bytes == 1048576000);
  CHECK(network.receive_buffer_bytes == 10240000);
  CHECK(network.send_buffer_bytes == -1);
  CHECK(network.listen_backlog == 9);
  CHECK(network.max_idle == std::chrono::milliseconds(1234));
  CHECK(network.max_connections_per_ip == 5);
  CHECK(network.queued_max_request_bytes == 2000000000);
}

TEST_CASE("limits per address are read from their list, IPv6 ones too") {
  const auto network = network_of("max.connections.per.ip.overrides=10.0.0.1:5, host:10,::1:3\n");
  CHECK(network.max_connections_overrides == std::map<std::string, int>{{"10.0.0.1", 5}, {"host", 10}, {"::1", 3}});
}
