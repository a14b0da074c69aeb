#include "broker/network/connection_set.h"

#include <algorithm>
#include <vector>

#include "broker/network/connection.h"

namespace broker {

ConnectionSet::ConnectionSet(base::Loop& its_loop, const ConnectionServices& its_services)
    : loop(its_loop), services(its_services), mailbox(std::make_shared<LoopMailbox>(its_loop)) {}

void ConnectionSet::add(std::shared_ptr<Connection> connection) {
  all_.push_back(std::move(connection));
  all_.back()->in_set = std::prev(all_.end());
  counters.connections_opened.add(1);
  if (!timer_) watch_idle();
}

void ConnectionSet::remove(Connection& connection) {
  counters.connections_closed.add(1);
  all_.erase(connection.in_set);
}

// One timer for all: a connection closes at most an eighth late, and at most five seconds.
void ConnectionSet::watch_idle() {
  if (!timer_) timer_ = loop.make_timer();
  const auto tick =
      std::clamp<base::Duration>(services.settings.max_idle / 8, std::chrono::milliseconds(5), std::chrono::seconds(5));
  timer_->arm(tick, [this] {
    close_idle();
    watch_idle();
  });
}

void ConnectionSet::close_idle() {
  const auto limit = services.settings.max_idle;
  if (limit.count() < 0) return;
  const auto now = services.clock.now();
  std::vector<std::shared_ptr<Connection>> idle;
  for (const auto& connection : all_) {
    // Who waits for us is not idle: a member of a slow rebalance says nothing for minutes.
    if (now - connection->last_active >= limit && !connection->awaits_answer()) idle.push_back(connection);
  }
  for (const auto& connection : idle) {
    counters.connections_closed_idle.add(1);
    connection->close("idle for connections.max.idle.ms");
  }
}

bool ConnectionSet::close_idlest_but(std::size_t listener) {
  std::shared_ptr<Connection> idlest;
  for (const auto& connection : all_) {
    if (connection->listener() == listener || connection->awaits_answer()) continue;
    if (!idlest || connection->last_active < idlest->last_active) idlest = connection;
  }
  if (idlest) idlest->close("made room for a broker");
  return idlest != nullptr;
}

void ConnectionSet::wind_up() {
  const std::vector<std::shared_ptr<Connection>> all(all_.begin(), all_.end());
  for (const auto& connection : all) connection->wind_up();
}

void ConnectionSet::close_all() {
  timer_.reset();
  while (!all_.empty()) {
    const auto connection = all_.front();
    connection->close("the broker stops");
  }
}

}  // namespace broker
