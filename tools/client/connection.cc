#include "tools/client/connection.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/bytes.h"

namespace tools {
namespace {

using base::ErrorCode;
using base::fail;

// No broker sends more in one answer than it could hold itself; a larger size is another protocol's bytes.
constexpr std::int32_t kMaxAnswerBytes = 512 << 20;

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

AddressList resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = AF_UNSPEC;
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list) != 0) list = nullptr;
  return {list, &freeaddrinfo};
}

std::string numeric_host(const addrinfo& address) {
  char text[NI_MAXHOST];
  if (getnameinfo(address.ai_addr, address.ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) return "?";
  return text;
}

}  // namespace

std::optional<HostPort> parse_host_port(std::string_view text) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == text.size()) return std::nullopt;
  std::string_view port_text = text.substr(colon + 1);
  std::string_view host = text.substr(0, colon);
  if (std::size_t scheme = host.find("://"); scheme != std::string_view::npos) host.remove_prefix(scheme + 3);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  std::uint16_t port = 0;
  auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc() || end != port_text.data() + port_text.size()) return std::nullopt;
  auto allowed = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("-%._:", c); };
  if (host.empty() || !std::all_of(host.begin(), host.end(), allowed)) return std::nullopt;
  return HostPort{std::string(host), port};
}

bool can_resolve(const std::string& host) { return resolve(host, 0) != nullptr; }

std::string java_address(const HostPort& address) {
  auto list = resolve(address.host, address.port);
  std::string number = list ? numeric_host(*list) : "<unresolved>";
  return fmt::format("{}/{}:{}", number == address.host ? "" : address.host, number, address.port);
}

base::Result<Connection> Connection::open(const HostPort& address, base::Instant deadline, const base::Clock& clock) {
  auto list = resolve(address.host, address.port);
  std::string reason = "the name does not resolve";
  for (const addrinfo* each = list.get(); each; each = each->ai_next) {
    Connection made(::socket(each->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!made.is_open()) continue;
    int one = 1;
    ::setsockopt(made.socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int error = 0;
    if (::connect(made.socket_, each->ai_addr, each->ai_addrlen) != 0) {
      error = errno;
      if (error == EINPROGRESS) {
        if (auto ready = made.wait_for(POLLOUT, deadline, clock); !ready) {
          reason = ready.error().detail;
          continue;
        }
        socklen_t size = sizeof error;
        ::getsockopt(made.socket_, SOL_SOCKET, SO_ERROR, &error, &size);
      }
    }
    if (error == 0) return made;
    reason = std::strerror(error);
  }
  return fail(ErrorCode::network_exception, "{}:{}: {}", address.host, address.port, reason);
}

void Connection::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

base::Status Connection::wait_for(short events, base::Instant deadline, const base::Clock& clock) const {
  while (true) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.now()).count();
    if (left <= 0) return fail(ErrorCode::request_timed_out, "no answer in time");
    pollfd ready{socket_, events, 0};
    int count = ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (count > 0) return {};
    if (count < 0 && errno != EINTR) return fail(ErrorCode::network_exception, "{}", std::strerror(errno));
  }
}

base::Status Connection::send_all(std::span<const std::byte> bytes, base::Instant deadline,
                                  const base::Clock& clock) const {
  while (!bytes.empty()) {
    ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (auto ready = wait_for(POLLOUT, deadline, clock); !ready) return ready;
    } else if (errno != EINTR) {
      return fail(ErrorCode::network_exception, "{}", std::strerror(errno));
    }
  }
  return {};
}

base::Status Connection::receive_all(std::span<std::byte> bytes, base::Instant deadline,
                                     const base::Clock& clock) const {
  while (!bytes.empty()) {
    ssize_t got = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (got > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    } else if (got == 0) {
      return fail(ErrorCode::network_exception, "the broker closed the connection");
    } else if (errno == EAGAIN) {
      if (auto ready = wait_for(POLLIN, deadline, clock); !ready) return ready;
    } else if (errno != EINTR) {
      return fail(ErrorCode::network_exception, "{}", std::strerror(errno));
    }
  }
  return {};
}

base::Result<base::Buffer> Connection::exchange(const base::BufferChain& frame, base::Instant deadline,
                                                const base::Clock& clock) {
  auto flat = base::flatten(frame);
  if (!flat) return flat.error();
  if (auto sent = send_all(flat->bytes(), deadline, clock); !sent) return sent.error();
  std::byte prefix[4];
  if (auto got = receive_all(prefix, deadline, clock); !got) return got.error();
  auto size = base::load_big_endian<std::int32_t>(prefix);
  if (size < 0 || size > kMaxAnswerBytes)
    return fail(ErrorCode::network_exception, "an answer of {} bytes: is this a Kafka listener without TLS?", size);
  // Grown as the bytes arrive, so that a lying size costs no memory.
  constexpr std::size_t kStep = 1 << 20;
  base::Buffer payload;
  while (payload.size() < static_cast<std::size_t>(size)) {
    std::size_t had = payload.size();
    payload.resize(std::min(had + kStep, static_cast<std::size_t>(size)));
    if (auto got = receive_all(payload.bytes().subspan(had), deadline, clock); !got) return got.error();
  }
  return payload;
}

}  // namespace tools
