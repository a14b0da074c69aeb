#include "broker/network/socket_server.h"

#include <signal.h>

#include <absl/synchronization/blocking_counter.h>
#include <fmt/format.h>

#include "base/check.h"
#include "base/logging.h"
#include "broker/network/connection.h"

namespace broker {
namespace {

// After the connections were told to close only their cancelled waits have to run.
constexpr auto kClosingTime = std::chrono::seconds(5);

}  // namespace

SocketServer::SocketServer(NetworkSettings settings, Parts parts)
    : settings_(std::move(settings)),
      loops_(parts.loops),
      clock_(parts.clock),
      budget_(std::make_shared<MemoryBudget>(settings_.queued_max_request_bytes)),
      router_(parts.table, diagnosis_, budget_),
      services_{settings_, router_, diagnosis_, budget_, parts.reads, parts.clock},
      rate_(settings_) {
  for (std::size_t i = 0; i < loops_.size(); ++i)
    sets_.push_back(std::make_unique<ConnectionSet>(loops_.at(i), services_));
}

SocketServer::~SocketServer() { stop({}); }

base::Status SocketServer::bind() {
  ConnectionLimits::Limits limits;
  limits.total = settings_.max_connections;
  limits.per_address = settings_.max_connections_per_ip;
  for (const auto& [host, limit] : settings_.max_connections_overrides) {
    auto addresses = resolve_addresses(host);
    if (!addresses)
      return base::fail(addresses.error().code, "max.connections.per.ip.overrides: {}", addresses.error().detail);
    for (auto& address : *addresses) limits.per_address_overrides[address] = limit;
  }
  for (const auto& listener : settings_.listeners)
    limits.listeners.push_back(
        {.max = listener.max_connections, .above_total = listener.inter_broker && settings_.listeners.size() > 1});
  limits_ = std::make_unique<ConnectionLimits>(std::move(limits));
  limits_->on_room([this] {
    sets_.front()->mailbox->post([this] {
      for (auto& listener : listeners_) listener->try_again();
    });
  });
  for (std::size_t i = 0; i < settings_.listeners.size(); ++i) {
    Listener::Hooks hooks{.has_room = [this, i] { return limits_->has_room(i); },
                          .delay = [this, i] { return rate_.delay(i, clock_.now()); },
                          .accepted = [this, i](AcceptedSocket socket) { accepted(i, std::move(socket)); }};
    auto listener = std::make_unique<Listener>(settings_.listeners[i], settings_, loops_.at(0), std::move(hooks));
    if (auto bound = listener->bind(); !bound) {
      listeners_.clear();
      return bound.error();
    }
    listeners_.push_back(std::move(listener));
  }
  return {};
}

void SocketServer::start() {
  base::invariant(limits_ != nullptr && !started_, "a socket server starts once, after bind()");
  // sendfile has no MSG_NOSIGNAL.
  ::signal(SIGPIPE, SIG_IGN);
  started_ = true;
  sets_.front()->mailbox->post([this] {
    for (auto& listener : listeners_) listener->start();
  });
}

void SocketServer::accepted(std::size_t listener, AcceptedSocket socket) {
  rate_.accepted(listener, clock_.now());
  const auto& of = settings_.listeners[listener];
  Session session;
  session.listener = of.name;
  session.security_protocol = of.security_protocol;
  session.peer_address = socket.peer.host;
  session.peer_port = socket.peer.port;
  session.local_port = listeners_[listener]->port();

  auto place = limits_->admit(listener, socket.peer.host);
  if (!place) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    diagnosis_.report({Cause::connection_limit,
                       "its address has as many connections as max.connections.per.ip and its overrides allow"},
                      session, clock_.now());
    return;
  }
  const auto loop = next_loop_++ % sets_.size();
  if (limits_->above_total()) make_room(listener, loop, sets_.size());

  struct Arrival {
    AcceptedSocket socket;
    Session session;
    ConnectionLimits::Place place;
  };
  auto arrival = std::make_shared<Arrival>(Arrival{std::move(socket), std::move(session), std::move(place)});
  sets_[loop]->mailbox->post([&set = *sets_[loop], listener, arrival = std::move(arrival)] {
    auto connection = std::make_shared<Connection>(set, arrival->socket.release(), listener,
                                                   std::move(arrival->session), std::move(arrival->place));
    set.add(connection);
    connection->start();
  });
}

void SocketServer::make_room(std::size_t listener, std::size_t next_loop, std::size_t loops_left) {
  if (loops_left == 0) return;
  auto& set = *sets_[next_loop % sets_.size()];
  set.mailbox->post([this, &set, listener, next_loop, loops_left] {
    if (!set.close_idlest_but(listener)) make_room(listener, next_loop + 1, loops_left - 1);
  });
}

void SocketServer::on_every_loop(const std::function<void(ConnectionSet&)>& work) {
  absl::BlockingCounter done(static_cast<int>(sets_.size()));
  for (auto& set : sets_)
    set->mailbox->post([&work, &done, &set = *set] {
      work(set);
      done.DecrementCount();
    });
  done.Wait();
}

void SocketServer::stop(base::Duration at_most) {
  if (!std::exchange(started_, false)) return;
  const auto* first = sets_.front().get();
  on_every_loop([&](ConnectionSet& set) {
    if (&set != first) return;
    for (auto& listener : listeners_) listener->close();
  });
  on_every_loop([](ConnectionSet& set) { set.wind_up(); });
  if (!limits_->wait_until_empty(at_most))
    base::Logger("kafka.network.SocketServer").info("Closing {} connections that are still busy", limits_->open());
  on_every_loop([](ConnectionSet& set) { set.close_all(); });
  base::invariant(limits_->wait_until_empty(kClosingTime), "closed connections go away");
  // Whoever destroyed the last connection may not have returned yet.
  on_every_loop([](ConnectionSet&) {});
  for (auto& set : sets_) set->mailbox->close();
}

std::uint16_t SocketServer::port(std::string_view listener) const {
  for (const auto& one : listeners_)
    if (one->settings().name == listener) return one->port();
  base::invariant(false, "port() asks for a listener by its name");
  return 0;
}

NetworkTotals SocketServer::totals() const {
  NetworkTotals out;
  for (const auto& set : sets_) {
    const auto& c = set->counters;
    // Closed first: a connection that closes between the two counts must not make the difference negative.
    const auto closed = c.connections_closed.get();
    const auto opened = c.connections_opened.get();
    out.connections_open += opened - closed;
    out.connections_opened += opened;
    out.connections_closed_idle += c.connections_closed_idle.get();
    out.requests += c.requests.get();
    out.bytes_received += c.bytes_received.get();
    out.bytes_sent += c.bytes_sent.get();
    out.reads_paused += c.reads_paused.get();
    out.cold_reads += c.cold_reads.get();
  }
  out.connections_refused = refused_.load(std::memory_order_relaxed);
  return out;
}

}  // namespace broker
