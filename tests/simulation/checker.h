// Looks into all brokers at once, between two events, and compares what only an observer outside of time can compare.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "base/ids.h"
#include "replication/partition/partition_table.h"
#include "tests/simulation/ledger.h"

namespace simulation {

// A broker as it runs now.
struct Observed {
  base::BrokerId id{};
  std::uint64_t life = 0;  // counts over all brokers
  const replication::PartitionTable* partitions = nullptr;
};

class Checker {
 public:
  explicit Checker(Ledger& ledger) : ledger_(ledger) {}

  // At most one leader per epoch; a leader's high watermark never goes back; below their high watermarks all replicas
  // hold the same, now and for ever.
  void look(const std::vector<Observed>& brokers);
  // When all is quiet: the logs of these replicas are the same, all of them is committed, and every acknowledged record
  // is there once, where it was said to be, and each producer's in order.
  void check_final(const base::TopicPartition& name, const std::vector<Observed>& replicas);
  // The last of these alone, of the replica that leads.
  void check_promises(const base::TopicPartition& name, const Observed& leader);

 private:
  // A topic made anew under an old name is another one.
  using Key = std::pair<base::TopicPartition, std::string>;
  struct Entry {
    base::Offset next;
    std::uint64_t hash;
  };
  struct Committed {
    std::map<base::Offset, Entry> entries;  // by base offset
  };
  struct Checked {
    std::weak_ptr<const replication::Partition> replica{};  // one that was removed and made again begins anew
    base::Offset to{-1};                                    // compared below here; -1: nothing yet
    base::LeaderEpoch epoch = base::kNoLeaderEpoch;
    base::Offset high_watermark{};
  };
  void check_promises(const base::TopicPartition& name, const std::string& log);
  void look_at(const Observed& broker, replication::Partition& partition);
  void compare(const Key& key, const Observed& broker, storage::Log& log, Checked& checked);

  Ledger& ledger_;
  std::map<std::pair<Key, base::LeaderEpoch>, base::BrokerId> leaders_;
  std::map<Key, Committed> committed_;
  std::map<std::tuple<base::BrokerId, std::uint64_t, Key>, Checked> checked_;
};

}  // namespace simulation
