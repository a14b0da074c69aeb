// The fan-out at the end of a transaction: a marker into each of its partitions, until every one has it.
//
// Lives on the coordinators' loop.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/logging.h"
#include "base/loop.h"
#include "broker/internal_topics/led_partition.h"
#include "broker/transaction/marker_writer.h"
#include "broker/transaction/remote_markers.h"
#include "replication/cluster/metadata.h"

namespace broker {

class Markers {
 public:
  Markers(base::BrokerId self, MarkerWriter& writer, RemoteMarkers& remote, const replication::MetadataCache& metadata,
          base::Loop& loop)
      : self_(self), writer_(writer), remote_(remote), metadata_(metadata), loop_(loop) {}

  struct Job {
    std::string transactional_id;
    TransactionEnd end;
    std::set<base::TopicPartition> left;   // without a marker yet
    std::shared_ptr<LedPartition> led;     // of the coordinator; once resigned, nobody cares any more
    std::chrono::milliseconds timeout{0};  // of one append
    std::function<void()> done;            // every partition has its marker, or is gone
  };
  void send(Job job);
  // Runs it after a while, unless the coordinator was resigned.
  void try_later(std::shared_ptr<LedPartition> led, std::function<void()> again);

  std::size_t waiting() const { return later_.size(); }

 private:
  struct Sending {
    Job job;
    std::size_t in_flight = 0;
    bool given_up = false;
  };
  // Nothing: the partition is gone. No broker: nobody knows who leads it.
  using Leader = std::optional<base::BrokerId>;

  void attempt(const std::shared_ptr<Sending>& sending);
  Leader leader_of(const base::TopicPartition& partition, const LedPartition& led) const;
  void settled(const std::shared_ptr<Sending>& sending, const base::TopicPartition& partition, base::ErrorCode code);
  void look(const std::shared_ptr<Sending>& sending);
  void run_later();

  const base::BrokerId self_;
  MarkerWriter& writer_;
  RemoteMarkers& remote_;
  const replication::MetadataCache& metadata_;
  base::Loop& loop_;
  const base::Logger log_{"weir.TransactionMarkers"};

  struct Later {
    std::shared_ptr<LedPartition> led;
    std::function<void()> again;
  };
  std::vector<Later> later_;
  std::unique_ptr<base::Timer> timer_;  // armed while somebody waits
};

}  // namespace broker
