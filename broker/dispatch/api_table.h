// Which APIs this broker serves, in which versions, and by whom. What is not in here is not listed in ApiVersions and
// closes the connection.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/metrics.h"
#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "protocol/wire/field.h"

namespace broker {

// Answers now, or keeps the slot. Runs on the connection's loop and must not wait; `request` is gone when it returns.
using Handler = std::function<void(Request& request, AnswerSlot answer)>;

struct ApiEntry {
  protocol::Api api;                // key and name; flexibility
  protocol::VersionRange versions;  // served, a part of api.versions
  Handler handler;

  // The connection reads no further request before this one is answered: its effect must be seen by the next one.
  bool no_read_ahead = false;
  // Called also for versions not served, and told so by the header (ApiVersions, KIP-511). All other APIs close.
  bool any_version = false;

  // What was asked of it: requests, and their bytes. Made by ApiTable.
  struct Counts {
    base::Counter requests;
    base::Counter bytes;
  };
  std::shared_ptr<Counts> counts{};
};

// Filled once before the listeners start, then only read; any thread may.
class ApiTable {
 public:
  void add(ApiEntry entry);
  const ApiEntry* find(std::int16_t key) const {
    const auto i = static_cast<std::size_t>(key);
    return key >= 0 && i < by_key_.size() && by_key_[i] ? &*by_key_[i] : nullptr;
  }
  // Rising by key: what ApiVersions tells.
  std::vector<const ApiEntry*> entries() const;

 private:
  std::vector<std::optional<ApiEntry>> by_key_;
};

}  // namespace broker
