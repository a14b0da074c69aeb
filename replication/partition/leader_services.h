// What leaders need besides their own log: the time, who is alive, and whom to ask for another in-sync set. One for all
// partitions of a broker, and outlives them. Any thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/metrics.h"
#include "replication/cluster/metadata.h"
#include "replication/partition/isr_changes.h"
#include "replication/partition/isr_rules.h"

namespace replication {

class LeaderServices {
 public:
  // What is passed outlives it. `max_lag`: replica.lag.time.max.ms.
  LeaderServices(base::Clock& clock, const MetadataCache& metadata, IsrChanges& isr_changes,
                 base::Duration max_lag = std::chrono::seconds(30));

  // Of a broker that never has another beside it: nobody is alive, nothing is asked for.
  static const LeaderServices& alone();

  bool is_alive(base::BrokerId broker) const { return metadata.snapshot()->find_broker(broker) != nullptr; }

  const MetadataCache& metadata;
  IsrChanges& isr_changes;
  const base::Duration max_lag;
  // For LeaderView.
  const std::function<base::Instant()> now;
  const std::function<bool(const Follower&)> may_be_in_sync;

  // What became of the changes asked for.
  base::Counter& expands() const { return counters_->expands; }
  base::Counter& shrinks() const { return counters_->shrinks; }
  base::Counter& failures() const { return counters_->failures; }

 private:
  struct Counters {
    base::Counter expands, shrinks, failures;
  };
  const std::unique_ptr<Counters> counters_ = std::make_unique<Counters>();
};

}  // namespace replication
