// Topic and number -> Partition, for every loop. Looked at once per partition of every request, changed only when the
// controller says so.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
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
  // Null when this broker has no such replica that could serve; why_absent() tells why.
  std::shared_ptr<Partition> find(std::string_view topic, base::PartitionIndex partition) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  void put(std::shared_ptr<Partition> partition) ABSL_LOCKS_EXCLUDED(mutex_);

  // A replica this broker has but cannot serve: its log is still being opened, or lies on a directory that is offline.
  enum class Absence { loading, offline };
  // Until it is put or removed.
  void put_absent(const base::TopicPartition& name, Absence why) ABSL_LOCKS_EXCLUDED(mutex_);
  // What to answer where find() gave null. A replica whose log is being opened is `not_leader_or_follower`, as one that
  // is not led here yet: every client since 0.8 asks for metadata and tries again.
  base::ErrorCode why_absent(std::string_view topic, base::PartitionIndex partition) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Costs no lock when nothing is being opened.
  bool is_loading(std::string_view topic, base::PartitionIndex partition) const ABSL_LOCKS_EXCLUDED(mutex_);
  // What was removed, or null.
  std::shared_ptr<Partition> remove(const base::TopicPartition& name) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::shared_ptr<Partition>> all() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using OfTopic = std::vector<std::shared_ptr<Partition>>;  // by index, with gaps

  mutable absl::Mutex mutex_;
  base::StringMap<OfTopic> topics_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<base::TopicPartition, Absence> absent_ ABSL_GUARDED_BY(mutex_);
  std::atomic<std::size_t> loading_{0};  // how many of those

  void forget_absence(const base::TopicPartition& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
};

}  // namespace replication
