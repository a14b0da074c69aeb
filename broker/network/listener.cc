#include "broker/network/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/clock.h"

namespace broker {
namespace {

namespace asio = boost::asio;

// Clients accepted per readiness, before the loop's connections get their turn.
constexpr int kAcceptsPerTurn = 64;
constexpr auto kBackOff = std::chrono::milliseconds(100);

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

base::Result<AddressList> look_up(const std::string& host, std::uint16_t port, int flags) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = flags;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found);
  if (error != 0)
    return base::fail(base::ErrorCode::unknown_server_error, "cannot resolve host '{}': {}", host,
                      error == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(error));
  return AddressList(found, &::freeaddrinfo);
}

AcceptedSocket::Address text_of(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return {text, ntohs(v4.sin_port)};
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
    ::inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof text);
  else
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  return {text, ntohs(v6.sin6_port)};
}

bool set_option(int descriptor, int level, int option, int value) {
  return ::setsockopt(descriptor, level, option, &value, sizeof value) == 0;
}

}  // namespace

struct Listener::Socket {
  Socket(asio::io_context& context, int socket) : descriptor(context.get_executor(), socket) {}
  asio::posix::basic_stream_descriptor<asio::io_context::executor_type> descriptor;
};

AcceptedSocket::~AcceptedSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Listener::Listener(const ListenerSettings& settings, const NetworkSettings& network, base::Loop& loop, Hooks hooks)
    : settings_(settings), network_(network), loop_(loop), hooks_(std::move(hooks)) {}

Listener::~Listener() {
  if (descriptor_ >= 0 && !socket_) ::close(descriptor_);
}

base::Status Listener::bind() {
  // The wildcard is both families where the host has both, as a JVM binds it; but with another listener on the same
  // port in IPv4, "::" is IPv6 alone (listeners of one port may differ by family).
  const bool wildcard = settings_.host.empty() || settings_.host == "::";
  const bool shares_port = std::any_of(network_.listeners.begin(), network_.listeners.end(), [&](const auto& other) {
    return other.name != settings_.name && other.port == settings_.port && settings_.port != 0;
  });
  auto addresses = look_up(wildcard ? "::" : settings_.host, settings_.port, wildcard ? AI_NUMERICHOST : 0);
  if (!addresses) return addresses.error();

  std::vector<const addrinfo*> candidates;
  for (const addrinfo* a = addresses->get(); a != nullptr; a = a->ai_next) candidates.push_back(a);
  std::stable_partition(candidates.begin(), candidates.end(), [](auto* a) { return a->ai_family == AF_INET; });
  base::invariant(!candidates.empty(), "a resolved name has an address");

  auto listening = listen_on(*candidates.front(), !wildcard || shares_port);
  if (listening || !settings_.host.empty()) return listening;
  // An empty host on a machine without IPv6.
  auto ipv4 = look_up("0.0.0.0", settings_.port, AI_NUMERICHOST);
  if (!ipv4) return ipv4.error();
  return listen_on(**ipv4, false);
}

base::Status Listener::listen_on(const addrinfo& address, bool ipv6_only) {
  const auto refused = [&](std::string_view what) {
    const int error = errno;
    auto why = base::fail(base::ErrorCode::unknown_server_error, "listener {}://{}:{}: cannot {}: {}", settings_.name,
                          settings_.host, settings_.port, what, std::strerror(error));
    if (error == EADDRINUSE) why.detail += " (another process, perhaps a broker, has this port)";
    return why;
  };
  const int descriptor = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (descriptor < 0) return refused("open a socket");
  AcceptedSocket guard(descriptor, {});

  // Accepted sockets inherit all of these on Linux, which saves four system calls per client.
  bool ok = set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) &&
            set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1) && set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  if (network_.receive_buffer_bytes > 0)
    ok = ok && set_option(descriptor, SOL_SOCKET, SO_RCVBUF, network_.receive_buffer_bytes);
  if (network_.send_buffer_bytes > 0)
    ok = ok && set_option(descriptor, SOL_SOCKET, SO_SNDBUF, network_.send_buffer_bytes);
  if (address.ai_family == AF_INET6) ok = ok && set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, ipv6_only ? 1 : 0);
  if (!ok) return refused("set socket options");
  if (::bind(descriptor, address.ai_addr, address.ai_addrlen) != 0) return refused("bind");
  if (::listen(descriptor, network_.listen_backlog) != 0) return refused("listen");

  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &length) != 0) return refused("read its address");
  port_ = text_of(bound).port;
  descriptor_ = guard.release();
  return {};
}

void Listener::start() {
  base::invariant(descriptor_ >= 0 && !socket_, "a listener starts once, after bind()");
  socket_ = std::make_unique<Socket>(loop_.context(), descriptor_);
  retry_ = loop_.make_timer();
  await_clients();
}

void Listener::await_clients() {
  if (!socket_ || std::exchange(waiting_, true)) return;
  socket_->descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                                 [this](const boost::system::error_code& error) {
                                   // Cancelled: the listener may be gone.
                                   if (error) return;
                                   waiting_ = false;
                                   accept_clients();
                                 });
}

void Listener::try_again() { await_clients(); }

void Listener::accept_clients() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (!socket_) return;
    if (!hooks_.has_room()) return;
    if (const auto delay = hooks_.delay(); delay > base::Duration::zero()) {
      retry_->arm(delay, [this] { await_clients(); });
      return;
    }
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    const int client =
        ::accept4(descriptor_, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      // The client gave up while it was queued (accept(2) names the network's errors among these): on to the next.
      if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO || errno == ENETDOWN || errno == EHOSTUNREACH ||
          errno == ENETUNREACH || errno == EHOSTDOWN || errno == ENOPROTOOPT || errno == ENONET || errno == EPERM)
        continue;
      return back_off(errno);
    }
    hooks_.accepted(AcceptedSocket(client, text_of(peer)));
  }
  await_clients();
}

// Out of descriptors or memory: the client stays in the backlog, and so would the readiness; asking again at once
// would spin.
void Listener::back_off(int error) {
  if (error_lines_.take(base::SystemClock().now()))
    logger_.error("Listener {} cannot accept: {}{}; trying again every {} ms", settings_.name, std::strerror(error),
                  error == EMFILE ? " (raise the limit of open files, ulimit -n or LimitNOFILE)" : "",
                  kBackOff.count());
  retry_->arm(kBackOff, [this] { await_clients(); });
}

void Listener::close() {
  retry_.reset();
  socket_.reset();
  descriptor_ = -1;
}

base::Result<std::vector<std::string>> resolve_addresses(const std::string& host) {
  auto found = look_up(host, 0, 0);
  if (!found) return found.error();
  std::vector<std::string> out;
  for (const addrinfo* a = found->get(); a != nullptr; a = a->ai_next) {
    sockaddr_storage address{};
    std::memcpy(&address, a->ai_addr, a->ai_addrlen);
    out.push_back(text_of(address).host);
  }
  return out;
}

}  // namespace broker
