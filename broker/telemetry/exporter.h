// The page of metrics over HTTP, on a listener of its own (metrics.listener): GET /metrics and nothing else.
//
// Everything a stranger could use up is bounded: connections at a time, bytes of a request, and the time from accept to
// the last byte of the answer. One request per connection, and the page is made on this listener's own thread, so that
// no client of the broker waits for it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/metrics.h"

namespace broker {

struct ExporterSettings {
  std::string host{};  // empty: every address
  std::uint16_t port = 0;
  // Whoever comes when all are taken waits in the backlog.
  std::size_t max_connections = 16;
  std::size_t max_request_bytes = 8 << 10;
  std::chrono::milliseconds max_time{10'000};
};

// One thread calls; `metrics` outlives this.
class Exporter {
 public:
  Exporter(ExporterSettings settings, const base::Metrics& metrics);
  ~Exporter();

  // Binds and serves, or says why it cannot.
  base::Status start();
  // Cuts off whoever is being served.
  void stop();
  std::uint16_t port() const;  // the real one, after start()

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace broker
