// Partitions of __consumer_offsets coming and going.
#include "broker/group/coordinator.h"
#include "broker/group/coordinator_parts.h"

namespace broker {

using base::ErrorCode;

CoordinatorCalls GroupCoordinator::calls() {
  CoordinatorCalls calls;
  calls.became_leader = [this](std::shared_ptr<LedPartition> led) { became_leader(std::move(led)); };
  calls.resigned = [this](const std::shared_ptr<LedPartition>& led) { resigned(led); };
  calls.transaction_ended = [this](base::PartitionIndex partition, base::ProducerId producer, bool commit) {
    transaction_ended(partition, producer, commit);
  };
  return calls;
}

void GroupCoordinator::became_leader(std::shared_ptr<LedPartition> led) {
  const auto shard = std::make_shared<Shard>(std::move(led));
  {
    absl::MutexLock lock(&shards_mutex_);
    shards_[shard->led->index()] = shard;
  }
  parts_.loading.submit([this, shard] {
    if (const auto pass = gate_.enter()) load(shard);
  });
}

void GroupCoordinator::load(const ShardPtr& shard) {
  OffsetReplay replay;
  const LoadVisitor visitor{
      .record = [&](const LoadedBatch& batch, const LoadedRecord& record) { replay.record(batch, record); },
      .marker = [&](const LoadedMarker& marker) { replay.marker(marker); }};
  const LoadOptions options{.chunk_bytes = settings_.load_buffer_bytes};
  const auto loaded = broker::load(*shard->led, visitor, options, parts_.clock);
  if (!loaded) {
    if (shard->led->resigned()) return;
    log_.error("The groups of {} cannot be coordinated, since it cannot be read: {}", shard->led->name(),
               loaded.error().text());
    absl::MutexLock lock(&shards_mutex_);
    const auto known = shards_.find(shard->led->index());
    if (known != shards_.end() && known->second == shard) shards_.erase(known);
    return;
  }
  if (replay.unreadable() > 0)
    log_.warn("{} records of {} cannot be read and were skipped", replay.unreadable(), shard->led->name());
  auto groups = std::move(replay).take();
  const auto count = groups.size();
  install(shard, std::move(groups));
  if (loaded->records > 0)
    log_.info("Loaded {} groups from {} records of {} in {} ms", count, loaded->records, shard->led->name(),
              loaded->took.count());
}

void GroupCoordinator::install(const ShardPtr& shard, base::StringMap<LoadedGroup> groups) {
  base::StringMap<EntryPtr> entries;
  absl::flat_hash_map<base::ProducerId, absl::flat_hash_set<std::string>> open;
  const auto at = moment();
  for (auto& [id, loaded] : groups) {
    Effects effects;
    auto entry = std::make_shared<Entry>(
        id, shard,
        loaded.state ? Group::from_record(*loaded.state, settings_.limits, at, effects) : Group(settings_.limits, at));
    for (const auto producer : loaded.offsets.open_transactions()) open[producer].insert(id);
    absl::MutexLock lock(&entry->mutex);
    entry->offsets = std::move(loaded.offsets);
    Outbox nothing_to_send;
    take(entry, effects, nothing_to_send);
    entries.emplace(id, entry);
  }
  std::vector<std::pair<base::ProducerId, bool>> ended;
  {
    absl::MutexLock lock(&shard->mutex);
    if (shard->led->resigned()) return;
    shard->groups = std::move(entries);
    shard->open_transactions = std::move(open);
    shard->loading = false;
    ended = std::move(shard->ended_transactions);
  }
  for (const auto& [producer, commit] : ended) end_transaction(shard, producer, commit);
}

void GroupCoordinator::resigned(const std::shared_ptr<LedPartition>& led) {
  ShardPtr shard;
  {
    absl::MutexLock lock(&shards_mutex_);
    const auto known = shards_.find(led->index());
    if (known == shards_.end() || known->second->led != led) return;
    shard = known->second;
    shards_.erase(known);
  }
  base::StringMap<EntryPtr> groups;
  {
    absl::MutexLock lock(&shard->mutex);
    shard->gone = true;
    groups.swap(shard->groups);
  }
  for (const auto& [id, entry] : groups)
    with(entry, [](Entry& e, Effects& effects) {
      e.mutex.AssertHeld();
      e.group.kill(ErrorCode::not_coordinator, effects);
    });
  if (!groups.empty()) log_.info("{} groups of {} are no longer coordinated here", groups.size(), led->name());
}

void GroupCoordinator::transaction_ended(base::PartitionIndex partition, base::ProducerId producer, bool commit) {
  ShardPtr shard;
  {
    absl::ReaderMutexLock lock(&shards_mutex_);
    const auto known = shards_.find(partition);
    if (known == shards_.end()) return;
    shard = known->second;
  }
  {
    absl::MutexLock lock(&shard->mutex);
    if (shard->loading) {
      shard->ended_transactions.emplace_back(producer, commit);
      return;
    }
  }
  end_transaction(shard, producer, commit);
}

void GroupCoordinator::end_transaction(const ShardPtr& shard, base::ProducerId producer, bool commit) {
  std::vector<EntryPtr> entries;
  {
    absl::MutexLock lock(&shard->mutex);
    const auto open = shard->open_transactions.extract(producer);
    if (open.empty()) return;
    for (const auto& id : open.mapped())
      if (const auto entry = shard->groups.find(id); entry != shard->groups.end()) entries.push_back(entry->second);
  }
  for (const auto& entry : entries) {
    absl::MutexLock lock(&entry->mutex);
    entry->offsets.end_transaction(producer, commit);
  }
}

}  // namespace broker
