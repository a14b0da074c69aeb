// What the cluster has finalized (KIP-584): the node /feature, read again whenever anybody changes it.
//
// Kafka's brokers support no feature while they use ZooKeeper, and neither do we: what clients are told of an enabled
// node is its version, the epoch of the (empty) features. With a feature in it the cluster speaks something this broker
// does not know, and Kafka's brokers stop themselves.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "base/logging.h"
#include "replication/coordination/metadata_store.h"

namespace replication {

class FinalizedFeatures {
 public:
  // `unsupported` is called on the coordination loop, after one line that says why, when a feature has been finalized.
  FinalizedFeatures(MetadataStore& store, std::function<void()> unsupported)
      : store_(store), unsupported_(std::move(unsupported)) {}

  // On the coordination loop, before the store's stop(), which ends the work.
  void start();

  // Any thread. -1 as long as the node is missing, disabled or unreadable.
  std::int64_t epoch() const { return epoch_; }

 private:
  void read();
  void arrived(const Reply<Node>& reply);

  MetadataStore& store_;
  const std::function<void()> unsupported_;
  const base::Logger log_{"weir.FinalizedFeatures"};
  WatchHandle watch_;
  std::atomic<std::int64_t> epoch_{-1};
};

}  // namespace replication
