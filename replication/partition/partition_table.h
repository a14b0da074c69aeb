// Topic and number -> Partition, for every loop. Looked at once per partition of every request, changed only when the
// controller says so.
#pragma once

#include <absl/synchronization/mutex.h>

#include <memory>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/string_map.h"
#include "replication/partition/partition.h"

namespace replication {

// Any thread may call.
class PartitionTable {
 public:
  // Null when this broker has no such replica.
  std::shared_ptr<Partition> find(std::string_view topic, base::PartitionIndex partition) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  void put(std::shared_ptr<Partition> partition) ABSL_LOCKS_EXCLUDED(mutex_);
  // What was removed, or null.
  std::shared_ptr<Partition> remove(const base::TopicPartition& name) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::shared_ptr<Partition>> all() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using OfTopic = std::vector<std::shared_ptr<Partition>>;  // by index, with gaps

  mutable absl::Mutex mutex_;
  base::StringMap<OfTopic> topics_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace replication
