// Configuration changed by others: whoever changes a node under /config announces it by a sequential node under
// /config/changes, and every broker reads the entity named there again.
//
// Announcements older than 15 minutes are removed, as every Kafka broker does. Lives on the coordination loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/logging.h"
#include "replication/coordination/async_store.h"
#include "replication/coordination/znodes.h"

namespace replication {

class ConfigChanges {
 public:
  // `type` "topics", "brokers", "users", ...; `name` as it stands in the path; no entries: the node is gone or empty.
  using Changed = std::function<void(const std::string& type, const std::string& name, const ConfigEntries& entries)>;

  // Outlived by its parts.
  ConfigChanges(MetadataStore& store, const base::Clock& clock, Changed changed);

  // Takes part from now on. What was announced before is in the nodes the caller reads after this.
  // On the loop, before the store's stop(), which ends the work.
  void start();

 private:
  Task<void> look();
  Task<void> look_until_done();
  Task<void> apply(std::string change);
  Task<void> remove_old(std::string path, base::Timestamp created);

  AsyncStore store_;
  const base::Clock& clock_;
  const Changed changed_;
  const base::Logger log_{"weir.ConfigChanges"};
  WatchHandle watch_;
  std::int64_t last_ = -1;  // the newest announcement acted upon
  bool first_look_ = true;
  bool looking_ = false;
  bool look_again_ = false;
};

}  // namespace replication
