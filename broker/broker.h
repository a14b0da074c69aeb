// The whole broker: builds every part in order and stops them in reverse. Nobody else does.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "config/broker_settings.h"

namespace broker {

// Used by one thread at a time, except for what says otherwise.
class Broker {
 public:
  // `cannot_go_on` is called, from any thread and after a line that says why, when no log directory is left or the
  // cluster asks for what we do not know: the process should stop.
  Broker(config::BrokerSettings settings, std::function<std::string()> host_name, std::function<void()> cannot_go_on);
  ~Broker();

  // Returns when clients are served, or why they cannot be; the parts already started are then stopped by stop().
  base::Status start();
  // From any other thread, while start() runs: what it waits for outside this process, it waits for no longer, and
  // fails. Does nothing before and after.
  void interrupt();
  // Orderly stop, once: parked answers are filled, logs are closed and checkpointed, the cluster is left.
  void stop();

  base::BrokerId id() const;
  std::uint16_t port(std::string_view listener) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace broker
