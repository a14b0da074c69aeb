#include "tests/support/replication/loopback_peer.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"

namespace test_support {
namespace {

void limit_waiting(int socket) {
  const timeval ten_seconds{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &ten_seconds, sizeof ten_seconds);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &ten_seconds, sizeof ten_seconds);
}

std::string number(std::int32_t x) {
  std::string out(4, '\0');
  base::store_big_endian(reinterpret_cast<std::byte*>(out.data()), x);
  return out;
}

template <class T>
T number_at(const std::string& text, std::size_t at) {
  return base::load_big_endian<T>(base::as_bytes(text).data() + at);
}

}  // namespace

LoopbackPeer::LoopbackPeer() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  base::invariant(
      ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && ::listen(listener_, 8) == 0,
      "a free port is there");
  limit_waiting(listener_);
  socklen_t size = sizeof address;
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
}

LoopbackPeer::~LoopbackPeer() { close_listener(); }

void LoopbackPeer::close_listener() {
  if (const int open = std::exchange(listener_, -1); open >= 0) ::close(open);
}

LoopbackPeer::Stream LoopbackPeer::accept() {
  const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  base::invariant(socket >= 0, "the broker connects");
  limit_waiting(socket);
  return Stream(socket);
}

LoopbackPeer::Stream::~Stream() {
  if (socket_ >= 0) ::close(socket_);
}

std::optional<std::string> LoopbackPeer::Stream::receive(std::size_t bytes) {
  std::string out(bytes, '\0');
  std::size_t done = 0;
  while (done < bytes) {
    const auto n = ::recv(socket_, out.data() + done, bytes - done, 0);
    if (n <= 0) return std::nullopt;
    done += static_cast<std::size_t>(n);
  }
  return out;
}

std::optional<LoopbackPeer::Stream::Request> LoopbackPeer::Stream::request() {
  const auto size = receive(4);
  if (!size) return std::nullopt;
  auto payload = receive(static_cast<std::size_t>(number_at<std::int32_t>(*size, 0)));
  if (!payload) return std::nullopt;
  return Request{.key = number_at<std::int16_t>(*payload, 0),
                 .version = number_at<std::int16_t>(*payload, 2),
                 .correlation_id = number_at<std::int32_t>(*payload, 4),
                 .payload = std::move(*payload)};
}

bool LoopbackPeer::Stream::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool LoopbackPeer::Stream::answer(std::int32_t correlation_id, std::string_view body) {
  return send(number(static_cast<std::int32_t>(4 + body.size())) + number(correlation_id) + std::string(body));
}

bool LoopbackPeer::Stream::closed_by_broker() {
  char byte = 0;
  return ::recv(socket_, &byte, 1, 0) == 0;
}

}  // namespace test_support
