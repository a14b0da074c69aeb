// What happened on the sockets, counted per loop by its thread, readable by any.
#pragma once

#include <atomic>
#include <cstdint>

namespace broker {

// One writer each; `add` is a load and a store, not a locked instruction.
class Count {
 public:
  void add(std::uint64_t n) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct NetworkCounters {
  Count connections_opened;
  Count connections_closed;
  Count connections_closed_idle;
  Count requests;
  Count bytes_received;
  Count bytes_sent;
  Count reads_paused;  // times a connection stopped reading: read-ahead, unsent answers or memory at their bound
  Count cold_reads;    // file ranges read ahead on the pool
};

// A sum over all loops at some moment.
struct NetworkTotals {
  std::uint64_t connections_open = 0;
  std::uint64_t connections_opened = 0;
  std::uint64_t connections_closed_idle = 0;
  std::uint64_t connections_refused = 0;
  std::uint64_t requests = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t reads_paused = 0;
  std::uint64_t cold_reads = 0;
};

}  // namespace broker
