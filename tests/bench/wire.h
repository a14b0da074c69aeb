// A blocking socket that speaks to a broker: what the measuring programs share. Failures end the program.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>

#include "base/buffer.h"
#include "base/bytes.h"
#include "protocol/codec.h"

namespace bench {

template <class... Args>
[[noreturn]] void die(fmt::format_string<Args...> format, Args&&... args) {
  fmt::print(stderr, "{}\n", fmt::format(format, std::forward<Args>(args)...));
  std::exit(1);
}

// -1 when nobody listens.
inline int try_connect(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return ::close(fd), -1;
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

inline void receive_all(int fd, std::span<std::byte> into) {
  while (!into.empty()) {
    const auto n = ::recv(fd, into.data(), into.size(), 0);
    if (n <= 0) die("the server closed the connection");
    into = into.subspan(static_cast<std::size_t>(n));
  }
}

inline void send_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) die("the server closed the connection");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

inline base::Buffer receive_frame(int fd) {
  std::byte prefix[4];
  receive_all(fd, prefix);
  base::Buffer payload(static_cast<std::size_t>(base::load_big_endian<std::int32_t>(prefix)));
  receive_all(fd, payload.bytes());
  return payload;
}

template <class Request>
base::Buffer encode(const Request& request, std::int16_t version, std::int32_t correlation_id = 0) {
  auto frame = base::flatten(protocol::encode_request(
      {.api_key = Request::api.key, .api_version = version, .correlation_id = correlation_id, .client_id = "bench"},
      request));
  return std::move(*frame);
}

// `payload` without its size prefix.
template <class Response>
Response decode(const base::Buffer& payload, std::int16_t version) {
  const std::size_t header = protocol::response_header_version(Response::api, version) > 0 ? 5 : 4;
  Response out;
  if (auto s = protocol::decode(payload.bytes().subspan(header), version, out); !s.ok())
    die("{} cannot be read: {}", Response::api.name, s.error().text());
  return out;
}

template <class Response, class Request>
Response call(int fd, const Request& request, std::int16_t version) {
  send_all(fd, encode(request, version).bytes());
  return decode<Response>(receive_frame(fd), version);
}

// CPU of all threads of a process so far, in seconds, from the scheduler's own nanoseconds.
double cpu_seconds_of(int pid);
// "VmRSS" or "VmHWM" in MiB.
double memory_mib_of(int pid, const std::string& field);

}  // namespace bench
