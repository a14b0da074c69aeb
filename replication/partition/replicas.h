// The replicas of this broker: made, led, followed and stopped as the controller says.
//
// Every call waits for the disk and none may run beside another: they are made on one thread of a pool of one, which
// spreads the partitions of a request over a second pool. Logs come from LogSet when a partition is first mentioned and
// go back there when it is stopped.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/logging.h"
#include "base/loop.h"
#include "config/dynamic.h"
#include "replication/cluster/announcements.h"
#include "replication/partition/partition_table.h"
#include "storage/dirs/log_set.h"

namespace replication {

class Replicas {
 public:
  // Reads the stored configuration of topics, one result each; it may wait for the store.
  using LoadOverrides = std::function<std::vector<base::Result<config::Texts>>(const std::vector<std::string>& topics)>;

  Replicas(base::BrokerId self, storage::LogSet& logs, PartitionTable& table, config::DynamicSettings& settings,
           base::BlockingPool& pool, LoadOverrides load_overrides)
      : self_(self),
        logs_(logs),
        table_(table),
        settings_(settings),
        pool_(pool),
        load_overrides_(std::move(load_overrides)) {}

  AnnouncementReply lead_or_follow(const LeaderAndIsr& request);
  AnnouncementReply stop(const StopReplica& request);

  // Settings changed: told to the partitions they concern. Any thread.
  void settings_changed(const config::SettingsChange& change, const config::Snapshot& now);

  // Periodic work: forgets producers that have said nothing for so long. Any thread.
  void remove_expired_producers(base::Timestamp now, std::chrono::milliseconds silence);

  // Orderly stop, two steps: nobody gets in any more, everybody waiting is told; then the logs are handed back, also of
  // replicas made in between.
  void stop_all();
  std::vector<std::unique_ptr<storage::Log>> release_all();

 private:
  bool is_stale(std::int32_t controller_epoch);
  // Topics whose configuration could not be read, and why.
  using Unread = std::map<std::string, base::Error, std::less<>>;
  Unread learn_overrides(const LeaderAndIsr& request);
  base::Status lead_or_follow(const PartitionState& state, const Unread& unread);
  base::Result<std::shared_ptr<Partition>> find_or_make(const PartitionState& state, const Unread& unread);

  const base::BrokerId self_;
  storage::LogSet& logs_;
  PartitionTable& table_;
  config::DynamicSettings& settings_;
  base::BlockingPool& pool_;
  const LoadOverrides load_overrides_;
  const base::Logger log_{"weir.Replicas"};
  std::int32_t controller_epoch_ = 0;  // the highest heard of
};

}  // namespace replication
