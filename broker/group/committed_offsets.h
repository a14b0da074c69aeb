// The offsets one group has committed: stored ones, those on their way into the log, and those of transactions that
// have not ended. Pure.
//
// Which of two commits for a partition counts is decided by their places in the log, not by who is acknowledged first:
// a transaction that ends late does not overwrite what was committed behind it. Loading a partition and serving it
// follow the same rules, here.
#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/string_map.h"

namespace broker {

struct CommittedOffset {
  base::Offset offset;
  base::LeaderEpoch leader_epoch = base::kNoLeaderEpoch;
  std::string metadata;
  base::Timestamp committed{};
  std::optional<base::Timestamp> expires;    // nothing: as long as the broker keeps offsets
  base::Offset logged_at = base::kNoOffset;  // where its record, or its batch, lies in __consumer_offsets
};

class CommittedOffsets {
 public:
  const CommittedOffset* find(std::string_view topic, base::PartitionIndex partition) const;
  // A commit for it is on its way, or waits for a transaction to end.
  bool is_unstable(std::string_view topic, base::PartitionIndex partition) const;
  bool empty() const { return stored_.empty() && in_flight_.empty() && pending_.empty(); }
  std::size_t size() const;  // of what is stored
  using Visit = std::function<void(const std::string& topic, base::PartitionIndex, const CommittedOffset&)>;
  void for_each(const Visit& visit) const;  // topics in no order, partitions rising
  std::vector<base::ProducerId> open_transactions() const;

  // ---- serving: begin, then succeeded or failed
  void begin(const base::TopicPartition& partition);
  void succeeded(const base::TopicPartition& partition, CommittedOffset what);
  void failed(const base::TopicPartition& partition);
  void begin(base::ProducerId producer, const base::TopicPartition& partition);
  void succeeded(base::ProducerId producer, const base::TopicPartition& partition, CommittedOffset what);
  void failed(base::ProducerId producer, const base::TopicPartition& partition);

  // ---- what the log says
  void put(std::string_view topic, base::PartitionIndex partition, CommittedOffset what);
  void pend(base::ProducerId producer, std::string_view topic, base::PartitionIndex partition, CommittedOffset what);
  void drop_pending(base::ProducerId producer, std::string_view topic, base::PartitionIndex partition);
  void end_transaction(base::ProducerId producer, bool commit);
  bool remove(std::string_view topic, base::PartitionIndex partition);

  // ---- which may go
  struct Retention {
    base::Timestamp now;
    std::chrono::milliseconds keep;
    // Age counts from then, as for groups nobody is in; nothing: from each commit.
    std::optional<base::Timestamp> unused_since;
  };
  // `wanted`: topics that are read, whose offsets stay.
  std::vector<base::TopicPartition> expired(const Retention& retention,
                                            const std::function<bool(std::string_view topic)>& wanted) const;
  std::vector<base::TopicPartition> of_topic(std::string_view topic) const;
  std::vector<base::TopicPartition> all() const;

 private:
  using Partitions = absl::btree_map<base::PartitionIndex, CommittedOffset>;
  using Topics = base::StringMap<Partitions>;
  static const CommittedOffset* find_in(const Topics& topics, std::string_view topic, base::PartitionIndex partition);
  static bool erase_from(Topics& topics, std::string_view topic, base::PartitionIndex partition);

  Topics stored_;
  absl::flat_hash_map<base::TopicPartition, int> in_flight_;
  // Not yet logged ones have no place in the log.
  absl::flat_hash_map<base::ProducerId, Topics> pending_;
};

}  // namespace broker
