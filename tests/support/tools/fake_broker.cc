#include "tests/support/tools/fake_broker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tuple>

#include "base/bytes.h"
#include "base/check.h"

namespace test {
namespace {

std::pair<int, std::uint16_t> bound_socket() {
  int made = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  base::invariant(::bind(made, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "a free port is there");
  socklen_t size = sizeof address;
  ::getsockname(made, reinterpret_cast<sockaddr*>(&address), &size);
  return {made, ntohs(address.sin_port)};
}

}  // namespace

std::uint16_t closed_port() {
  auto [made, port] = bound_socket();
  ::close(made);
  return port;
}

FakeBroker::FakeBroker(Answer answer) : answer_(std::move(answer)) {
  std::tie(listener_, port_) = bound_socket();
  ::listen(listener_, 8);
  thread_ = std::thread([this] { serve(); });
}

FakeBroker::~FakeBroker() {
  stopping_ = true;
  thread_.join();
  ::close(listener_);
}

void FakeBroker::serve() {
  std::vector<Peer> peers;
  while (!stopping_) {
    std::vector<pollfd> ready = {{listener_, POLLIN, 0}};
    for (const Peer& peer : peers) ready.push_back({peer.socket, POLLIN, 0});
    if (::poll(ready.data(), ready.size(), 20) <= 0) continue;
    for (std::size_t i = peers.size(); i > 0; --i) {
      if (ready[i].revents == 0 || converse(peers[i - 1])) continue;
      ::close(peers[i - 1].socket);
      peers.erase(peers.begin() + static_cast<std::ptrdiff_t>(i - 1));
    }
    if (ready[0].revents != 0) peers.push_back({::accept(listener_, nullptr, nullptr), ""});
  }
  for (const Peer& peer : peers) ::close(peer.socket);
}

bool FakeBroker::converse(Peer& peer) {
  char chunk[4096];
  ssize_t got = ::recv(peer.socket, chunk, sizeof chunk, 0);
  if (got <= 0) return false;
  peer.pending.append(chunk, static_cast<std::size_t>(got));
  while (peer.pending.size() >= 4) {
    auto bytes = base::as_bytes(peer.pending);
    auto size = static_cast<std::size_t>(base::load_big_endian<std::int32_t>(bytes.data()));
    if (peer.pending.size() < 4 + size) break;
    std::string answer = answer_({base::load_big_endian<std::int16_t>(bytes.data() + 4),
                                  base::load_big_endian<std::int16_t>(bytes.data() + 6),
                                  base::load_big_endian<std::int32_t>(bytes.data() + 8)});
    peer.pending.erase(0, 4 + size);
    if (answer.empty()) return false;
    ::send(peer.socket, answer.data(), answer.size(), MSG_NOSIGNAL);
  }
  return true;
}

}  // namespace test
