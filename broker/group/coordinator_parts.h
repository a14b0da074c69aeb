// What the files of the coordinator share and nobody else sees.
#pragma once

#include "broker/group/coordinator.h"

namespace broker {

// One partition of __consumer_offsets while it is led here, and its groups.
struct GroupCoordinator::Shard {
  explicit Shard(std::shared_ptr<LedPartition> partition) : led(std::move(partition)) {}

  const std::shared_ptr<LedPartition> led;

  absl::Mutex mutex;  // within a group's, never the other way round
  bool loading ABSL_GUARDED_BY(mutex) = true;
  bool gone ABSL_GUARDED_BY(mutex) = false;  // no longer led here: no group begins any more
  base::StringMap<EntryPtr> groups ABSL_GUARDED_BY(mutex);
  // Producers with offsets that wait for a marker, and in which groups.
  absl::flat_hash_map<base::ProducerId, absl::flat_hash_set<std::string>> open_transactions ABSL_GUARDED_BY(mutex);
  // Came while loading: done once more after it, which does no harm.
  std::vector<std::pair<base::ProducerId, bool>> ended_transactions ABSL_GUARDED_BY(mutex);
};

struct GroupCoordinator::Entry {
  Entry(std::string name, ShardPtr in, Group state)
      : id(std::move(name)), shard(std::move(in)), group(std::move(state)) {}

  const std::string id;
  const ShardPtr shard;

  absl::Mutex mutex;
  Group group ABSL_GUARDED_BY(mutex);
  CommittedOffsets offsets ABSL_GUARDED_BY(mutex);
  Ticket last_ticket ABSL_GUARDED_BY(mutex) = 0;
  absl::flat_hash_map<Ticket, JoinDone> joins ABSL_GUARDED_BY(mutex);
  absl::flat_hash_map<Ticket, SyncDone> syncs ABSL_GUARDED_BY(mutex);
  std::optional<base::Instant> scheduled ABSL_GUARDED_BY(mutex);  // the earliest look at it that is planned
};

// Gathered under a group's lock, done after it.
struct GroupCoordinator::Outbox {
  std::vector<std::pair<JoinDone, JoinAnswer>> joins;
  std::vector<std::pair<SyncDone, SyncAnswer>> syncs;
  std::vector<GenerationNews> generations;
  std::vector<MemberGoneNews> gone;
};

template <class Act>
void GroupCoordinator::with(const EntryPtr& entry, const Act& act) {
  Outbox out;
  {
    absl::MutexLock lock(&entry->mutex);
    Effects effects;
    act(*entry, effects);
    take(entry, effects, out);
  }
  send(entry, out);
}

}  // namespace broker
