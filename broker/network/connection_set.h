// The connections of one loop and what they share.
#pragma once

#include <chrono>
#include <list>
#include <memory>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/loop.h"
#include "broker/dispatch/router.h"
#include "broker/network/disk_reads.h"
#include "broker/network/loop_mailbox.h"
#include "broker/network/memory_budget.h"
#include "broker/network/network_counters.h"
#include "broker/network/network_settings.h"

namespace broker {

class Connection;

// What every connection uses; outlives them all.
struct ConnectionServices {
  const NetworkSettings& settings;
  const Router& router;
  DiagnosisLog& diagnosis;
  std::shared_ptr<MemoryBudget> budget;
  DiskReads* reads = nullptr;  // null: cold file ranges are sent as they are
  const base::Clock& clock;
};

// Lives on its loop, `counters` and `mailbox` apart.
class ConnectionSet {
 public:
  ConnectionSet(base::Loop& loop, const ConnectionServices& services);

  void add(std::shared_ptr<Connection> connection);
  void remove(Connection& connection);
  bool close_idlest_but(std::size_t listener);  // one that nobody waits for; false: there is none

  // Reads nothing more; each connection closes when its answers have left.
  void wind_up();
  void close_all();

  base::Loop& loop;
  const ConnectionServices& services;
  const std::shared_ptr<LoopMailbox> mailbox;
  NetworkCounters counters;

  // Memory that only one connection at a time needs: what a read brings, and the buffer of the last large frame.
  // 64 KiB: stays in the L2 cache between the receive and the CRC of a batch.
  static constexpr std::size_t kReceiveBytes = 64 << 10;
  base::Buffer receive{kReceiveBytes};
  static constexpr std::size_t kSpareBytes = 2 << 20;
  base::Buffer spare;

 private:
  void watch_idle();
  void close_idle();

  // In no order: keeping the idlest first would touch two neighbours per read, and only a rare sweep wants to know.
  std::list<std::shared_ptr<Connection>> all_;
  std::unique_ptr<base::Timer> timer_;
};

}  // namespace broker
