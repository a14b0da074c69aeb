// One listening socket.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/logging.h"
#include "base/loop.h"
#include "base/token_bucket.h"
#include "broker/network/network_settings.h"

struct addrinfo;

namespace broker {

// An accepted socket that has not found its connection yet; closes it if it never does.
class AcceptedSocket {
 public:
  struct Address {
    std::string host;  // an IPv4 address even if it came through an IPv6 socket
    std::uint16_t port = 0;
  };
  AcceptedSocket(int descriptor, Address from) : peer(std::move(from)), descriptor_(descriptor) {}
  AcceptedSocket(AcceptedSocket&& other) noexcept
      : peer(std::move(other.peer)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  AcceptedSocket& operator=(AcceptedSocket&&) = delete;
  ~AcceptedSocket();

  int release() { return std::exchange(descriptor_, -1); }

  const Address peer;

 private:
  int descriptor_;
};

// bind() from any thread, before the rest; then lives on its loop.
class Listener {
 public:
  struct Hooks {
    std::function<bool()> has_room;         // asked before each accept; false: try_again() will be called
    std::function<base::Duration()> delay;  // asked before each accept: not before that; zero: now
    std::function<void(AcceptedSocket)> accepted;
  };
  Listener(const ListenerSettings& settings, const NetworkSettings& network, base::Loop& loop, Hooks hooks);
  ~Listener();

  // Resolves, binds, listens; clients may already queue up.
  base::Status bind();
  std::uint16_t port() const { return port_; }  // the real one, after bind()
  const ListenerSettings& settings() const { return settings_; }

  void start();
  void try_again();
  void close();

 private:
  struct Socket;  // keeps Asio out of this header

  base::Status listen_on(const addrinfo& address, bool ipv6_only);
  void await_clients();
  void accept_clients();
  void back_off(int error);

  const ListenerSettings settings_;
  const NetworkSettings& network_;
  base::Loop& loop_;
  const Hooks hooks_;
  const base::Logger logger_{"kafka.network.Acceptor"};
  int descriptor_ = -1;
  std::uint16_t port_ = 0;
  std::unique_ptr<Socket> socket_;
  std::unique_ptr<base::Timer> retry_;
  base::TokenBucket error_lines_{{.per_second = 0.1, .burst = 1}};
  bool waiting_ = false;
};

// Every address a name stands for, as text; the text itself if it is one. For max.connections.per.ip.overrides.
base::Result<std::vector<std::string>> resolve_addresses(const std::string& host);

}  // namespace broker
