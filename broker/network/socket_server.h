// The server side of all sockets: listeners, connections, their limits.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/loop.h"
#include "broker/dispatch/api_table.h"
#include "broker/dispatch/router.h"
#include "broker/network/connection_limits.h"
#include "broker/network/connection_rate.h"
#include "broker/network/connection_set.h"
#include "broker/network/disk_reads.h"
#include "broker/network/listener.h"
#include "broker/network/network_counters.h"
#include "broker/network/network_settings.h"

namespace broker {

// Accepts on the first loop and spreads connections over all of them in turn. Outlived by: the loops, the reads, the
// table; the loops run from before start() until after stop(). Its methods are called by one thread, totals() and
// port() by any.
class SocketServer {
 public:
  struct Parts {
    const ApiTable& table;
    base::LoopSet& loops;
    DiskReads* reads = nullptr;  // for cold file ranges; null: they are sent as they are
    const base::Clock& clock;
  };
  SocketServer(NetworkSettings settings, Parts parts);
  ~SocketServer();

  // Takes the addresses. Clients may queue up from here on; nothing is accepted before start().
  base::Status bind();
  void start();
  // Accepts and reads nothing more, lets what is outstanding be answered for `at_most`, then closes everything.
  void stop(base::Duration at_most);

  // The real port of a listener, after bind(); names are unique.
  std::uint16_t port(std::string_view listener) const;
  NetworkTotals totals() const;
  const MemoryBudget& request_memory() const { return *budget_; }

 private:
  void accepted(std::size_t listener, AcceptedSocket socket);
  void make_room(std::size_t listener, std::size_t next_loop, std::size_t loops_left);
  void on_every_loop(const std::function<void(ConnectionSet&)>& work);

  const NetworkSettings settings_;
  base::LoopSet& loops_;
  const base::Clock& clock_;
  DiagnosisLog diagnosis_;
  const std::shared_ptr<MemoryBudget> budget_;
  const Router router_;
  const ConnectionServices services_;
  std::unique_ptr<ConnectionLimits> limits_;
  ConnectionRate rate_;  // on the first loop
  std::vector<std::unique_ptr<ConnectionSet>> sets_;
  std::vector<std::unique_ptr<Listener>> listeners_;  // on the first loop once started
  std::size_t next_loop_ = 0;                         // on the first loop
  std::atomic<std::uint64_t> refused_{0};
  bool started_ = false;
};

}  // namespace broker
