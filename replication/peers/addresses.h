// Host names to socket addresses.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace replication {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

// Of an address written in digits; empty for a name. Without I/O.
std::vector<SocketAddress> parse_address(const std::string& host, std::int32_t port);
// Waits for the name service. Never empty.
base::Result<std::vector<SocketAddress>> look_up_addresses(const std::string& host, std::int32_t port);

}  // namespace replication
