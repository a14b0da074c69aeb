#include "replication/peers/addresses.h"

#include <netdb.h>

#include <cstring>
#include <memory>

namespace replication {
namespace {

struct LookUp {
  int error = 0;
  std::vector<SocketAddress> found;
};

LookUp look_up(const std::string& host, std::int32_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  LookUp out;
  out.error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
  if (out.error != 0) return out;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  for (const auto* at = list; at != nullptr; at = at->ai_next) {
    if (at->ai_addrlen > sizeof(sockaddr_storage)) continue;
    SocketAddress address;
    std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    address.size = at->ai_addrlen;
    out.found.push_back(address);
  }
  return out;
}

}  // namespace

std::vector<SocketAddress> parse_address(const std::string& host, std::int32_t port) {
  return look_up(host, port, AI_NUMERICHOST).found;
}

base::Result<std::vector<SocketAddress>> look_up_addresses(const std::string& host, std::int32_t port) {
  auto result = look_up(host, port, AI_ADDRCONFIG);
  if (result.error == 0 && !result.found.empty()) return std::move(result.found);
  return base::fail(base::ErrorCode::network_exception, "the name {} cannot be looked up: {}", host,
                    result.error == 0 ? "no address" : ::gai_strerror(result.error));
}

}  // namespace replication
