// One TCP connection to one broker, blocking, one request at a time: all that a command-line program needs. Every call
// carries its own deadline.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"

namespace tools {

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
  bool operator==(const HostPort&) const = default;
};

// "host:port", "[::1]:9092", "PLAINTEXT://host:port"; the port is mandatory.
std::optional<HostPort> parse_host_port(std::string_view text);
// Java's way to print an address: "/127.0.0.1:9092", "localhost/127.0.0.1:9092".
std::string java_address(const HostPort& address);
bool can_resolve(const std::string& host);

class Connection {
 public:
  Connection() = default;
  ~Connection() { close(); }
  Connection(Connection&& other) noexcept : socket_(other.socket_) { other.socket_ = -1; }
  Connection& operator=(Connection&& other) noexcept { return std::swap(socket_, other.socket_), *this; }

  static base::Result<Connection> open(const HostPort& address, base::Instant deadline, const base::Clock& clock);

  // Sends one frame and returns the payload of the next one. REQUEST_TIMED_OUT at the deadline, NETWORK_EXCEPTION when
  // the broker hangs up; the connection is of no use after either.
  base::Result<base::Buffer> exchange(const base::BufferChain& frame, base::Instant deadline, const base::Clock& clock);

  bool is_open() const { return socket_ >= 0; }
  void close();

 private:
  explicit Connection(int socket) : socket_(socket) {}
  base::Status wait_for(short events, base::Instant deadline, const base::Clock& clock) const;
  base::Status send_all(std::span<const std::byte> bytes, base::Instant deadline, const base::Clock& clock) const;
  base::Status receive_all(std::span<std::byte> bytes, base::Instant deadline, const base::Clock& clock) const;

  int socket_ = -1;
};

}  // namespace tools
