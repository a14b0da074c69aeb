// Offsets: committed, fetched, deleted, expired.
#include <algorithm>

#include "broker/group/coordinator.h"
#include "broker/group/coordinator_parts.h"
#include "broker/internal_topics/append_errors.h"

namespace broker {
namespace {

using base::ErrorCode;
using base::TopicPartition;

// One batch of tombstones stays far below any limit of a batch's size.
constexpr std::size_t kTombstonesPerBatch = 1000;

ErrorCode told_of_failed_commit(ErrorCode code) {
  switch (code) {
    case ErrorCode::message_too_large:
    case ErrorCode::record_list_too_large:
    case ErrorCode::invalid_fetch_size:
      return ErrorCode::invalid_commit_offset_size;
    default:
      return coordinator_code(code);
  }
}

FetchedOffsets::Partition fetched(base::PartitionIndex partition, const CommittedOffset* known, bool unstable) {
  FetchedOffsets::Partition out;
  out.partition = partition;
  if (unstable) {
    out.error = ErrorCode::unstable_offset_commit;
  } else if (known) {
    out.offset = known->offset;
    out.leader_epoch = known->leader_epoch;
    out.metadata = known->metadata;
  }
  return out;
}

}  // namespace

void GroupCoordinator::commit(std::string_view group, CommitRequest request, CommitDone done) {
  std::vector<ErrorCode> codes(request.offsets.size(), ErrorCode::none);
  const auto refuse = [&](ErrorCode code) {
    codes.assign(codes.size(), code);
    done(codes);
  };
  auto found = find(group, request.by.transactional ? EmptyId::refused : EmptyId::allowed);
  if (found.error != ErrorCode::none) return refuse(found.error);
  if (!found.entry) {
    // Whoever does without membership may store offsets all the same.
    if (request.by.from.generation >= 0 && !request.by.transactional) return refuse(ErrorCode::illegal_generation);
    found.entry = find_or_make(found.shard, group);
    if (!found.entry) return refuse(ErrorCode::not_coordinator);
  }
  ErrorCode refused = ErrorCode::none;
  with(found.entry, [&](Entry& entry, Effects&) {
    entry.mutex.AssertHeld();
    refused = entry.group.may_commit(request.by, moment());
    if (refused == ErrorCode::none) write_commit(found.entry, request, codes, done);
    retire_if_unused(entry);
  });
  if (refused != ErrorCode::none) return refuse(refused);
  if (done) done(codes);
}

// Takes `done` when something was written.
void GroupCoordinator::write_commit(const EntryPtr& entry, CommitRequest& request, std::vector<ErrorCode>& codes,
                                    CommitDone& done) {
  entry->mutex.AssertHeld();
  std::vector<PartitionOffset> offsets;
  for (std::size_t i = 0; i < request.offsets.size(); ++i) {
    if (request.offsets[i].second.metadata.size() > settings_.max_metadata_bytes)
      codes[i] = ErrorCode::offset_metadata_too_large;
    else
      offsets.push_back(std::move(request.offsets[i]));
  }
  if (offsets.empty()) return;
  auto batch = records_.commits(entry->id, offsets, request.producer, parts_.clock.wall());
  if (!batch) {
    for (auto& code : codes)
      if (code == ErrorCode::none) code = told_of_failed_commit(batch.error().code);
    return;
  }
  const bool transactional = request.producer.id != base::kNoProducerId;
  if (transactional) {
    absl::MutexLock lock(&entry->shard->mutex);
    entry->shard->open_transactions[request.producer.id].insert(entry->id);
  }
  for (const auto& [partition, offset] : offsets)
    transactional ? entry->offsets.begin(request.producer.id, partition) : entry->offsets.begin(partition);
  entry->shard->led->append(
      std::move(*batch), settings_.commit_timeout,
      [this, entry, producer = request.producer, offsets = std::move(offsets), codes = std::move(codes),
       answer = std::exchange(done, nullptr)](const base::Result<base::Offset>& outcome) mutable {
        commit_ended(entry, offsets, producer, outcome);
        if (!outcome)
          for (auto& code : codes)
            if (code == ErrorCode::none) code = told_of_failed_commit(outcome.error().code);
        answer(codes);
      },
      settings_.acks);
}

void GroupCoordinator::commit_ended(const EntryPtr& entry, const std::vector<PartitionOffset>& offsets,
                                    const Producer& producer, const base::Result<base::Offset>& outcome) {
  absl::MutexLock lock(&entry->mutex);
  for (const auto& [partition, offset] : offsets) {
    if (!outcome) {
      producer.id == base::kNoProducerId ? entry->offsets.failed(partition)
                                         : entry->offsets.failed(producer.id, partition);
      continue;
    }
    auto stored = offset;
    stored.logged_at = *outcome;
    producer.id == base::kNoProducerId ? entry->offsets.succeeded(partition, std::move(stored))
                                       : entry->offsets.succeeded(producer.id, partition, std::move(stored));
  }
}

FetchedOffsets GroupCoordinator::fetch(std::string_view group, const std::optional<std::vector<WantedOffsets>>& wanted,
                                       bool stable) {
  FetchedOffsets out;
  const auto found = find(group, EmptyId::allowed);
  out.error = found.error;
  if (out.error != ErrorCode::none) return out;
  static const CommittedOffsets kNone;
  const auto read = [&](const CommittedOffsets& offsets) {
    if (wanted) {
      for (const auto& topic : *wanted) {
        auto& topic_out = out.topics.emplace_back();
        topic_out.name = topic.topic;
        for (const auto partition : topic.partitions)
          topic_out.partitions.push_back(fetched(partition, offsets.find(topic.topic, partition),
                                                 stable && offsets.is_unstable(topic.topic, partition)));
      }
      return;
    }
    offsets.for_each([&](const std::string& topic, base::PartitionIndex partition, const CommittedOffset& offset) {
      if (out.topics.empty() || out.topics.back().name != topic) out.topics.push_back({topic, {}});
      out.topics.back().partitions.push_back(
          fetched(partition, &offset, stable && offsets.is_unstable(topic, partition)));
    });
  };
  if (!found.entry) {
    read(kNone);
    return out;
  }
  absl::MutexLock lock(&found.entry->mutex);
  read(found.entry->group.state() == GroupState::dead ? kNone : found.entry->offsets);
  return out;
}

DeletedOffsets GroupCoordinator::delete_offsets(std::string_view group, const std::vector<TopicPartition>& offsets) {
  DeletedOffsets out;
  const auto found = find(group, EmptyId::refused);
  out.error = found.error;
  if (out.error != ErrorCode::none) return out;
  if (!found.entry) {
    out.error = ErrorCode::group_id_not_found;
    return out;
  }
  with(found.entry, [&](Entry& entry, Effects&) {
    entry.mutex.AssertHeld();
    if (entry.group.state() == GroupState::dead) {
      out.error = ErrorCode::group_id_not_found;
      return;
    }
    const bool empty = entry.group.state() == GroupState::empty;
    if (!empty && !entry.group.is_consumer_group()) {
      out.error = ErrorCode::non_empty_group;
      return;
    }
    std::vector<TopicPartition> gone;
    for (const auto& one : offsets) {
      const bool in_use = !empty && (!entry.group.topics() || entry.group.topics()->contains(one.topic));
      out.partitions.push_back(in_use ? ErrorCode::group_subscribed_to_topic : ErrorCode::none);
      if (!in_use) gone.push_back(one);
    }
    forget_offsets(entry, gone);
  });
  return out;
}

ErrorCode GroupCoordinator::delete_group(std::string_view group) {
  const auto found = find(group, EmptyId::allowed);
  if (found.error != ErrorCode::none) return found.error;
  if (!found.entry) return ErrorCode::group_id_not_found;
  ErrorCode code = ErrorCode::none;
  with(found.entry, [&](Entry& entry, Effects& effects) {
    entry.mutex.AssertHeld();
    if (entry.group.state() == GroupState::dead)
      code = ErrorCode::group_id_not_found;
    else if (entry.group.state() != GroupState::empty)
      code = ErrorCode::non_empty_group;
    if (code != ErrorCode::none) return;
    write_tombstones(entry, entry.offsets.all(), entry.group.generation() > 0);
    entry.group.kill(ErrorCode::coordinator_not_available, effects);
    retire(entry);
  });
  return code;
}

// How many there were. A group that is left with nothing goes too.
std::size_t GroupCoordinator::forget_offsets(Entry& entry, const std::vector<TopicPartition>& offsets) {
  entry.mutex.AssertHeld();
  std::vector<TopicPartition> gone;
  for (const auto& one : offsets)
    if (entry.offsets.remove(one.topic, one.partition)) gone.push_back(one);
  const bool over =
      entry.group.state() == GroupState::empty && entry.group.pending_count() == 0 && entry.offsets.empty();
  // One that only ever kept offsets has left no record of itself.
  write_tombstones(entry, gone, over && entry.group.generation() > 0);
  if (over) {
    Effects nobody;
    entry.group.kill(ErrorCode::coordinator_not_available, nobody);
    retire(entry);
  }
  return gone.size();
}

// Not waited for: what is lost of them is found expired, or deleted, again.
void GroupCoordinator::write_tombstones(Entry& entry, const std::vector<TopicPartition>& offsets, bool group) {
  for (std::size_t from = 0; from < offsets.size() || group; from += kTombstonesPerBatch) {
    const auto count = from < offsets.size() ? std::min(kTombstonesPerBatch, offsets.size() - from) : 0;
    const bool last = from + count >= offsets.size();
    auto batch = records_.tombstones(
        entry.id,
        {.offsets = std::span(offsets).subspan(std::min(from, offsets.size()), count), .group = group && last},
        parts_.clock.wall());
    if (batch)
      entry.shard->led->append(std::move(*batch), settings_.commit_timeout, [](const base::Result<base::Offset>&) {});
    if (last) return;
  }
}

GroupCoordinator::Swept GroupCoordinator::sweep(const Choose& choose) {
  Swept swept;
  for (const auto& entry : all_entries(nullptr))
    with(entry, [&](Entry& e, Effects&) {
      e.mutex.AssertHeld();
      if (e.group.state() == GroupState::dead) return;
      swept.offsets += forget_offsets(e, choose(e.group, e.offsets));
      swept.groups += e.group.state() == GroupState::dead;
    });
  return swept;
}

void GroupCoordinator::topics_deleted(std::vector<std::string> topics) {
  if (topics.empty()) return;
  parts_.loading.submit([this, topics = std::move(topics)] {
    const auto pass = gate_.enter();
    if (!pass) return;
    const auto swept = sweep([&](const Group&, const CommittedOffsets& offsets) {
      std::vector<TopicPartition> out;
      for (const auto& topic : topics)
        for (auto& one : offsets.of_topic(topic)) out.push_back(std::move(one));
      return out;
    });
    if (swept.offsets > 0) log_.info("Removed {} offsets of {} deleted topics", swept.offsets, topics.size());
  });
}

void GroupCoordinator::remove_expired() {
  const auto now = parts_.clock.wall();
  const auto swept = sweep([&](const Group& group, const CommittedOffsets& offsets) {
    CommittedOffsets::Retention retention{now, settings_.retention, std::nullopt};
    const auto nothing = [](std::string_view) { return false; };
    if (!group.protocol_type()) return offsets.expired(retention, nothing);
    if (group.state() == GroupState::empty) {
      retention.unused_since = group.state_since();
      return offsets.expired(retention, nothing);
    }
    // A living group keeps what it reads, and of the rest what is young.
    if (group.state() != GroupState::stable || !group.is_consumer_group() || !group.topics())
      return std::vector<TopicPartition>{};
    return offsets.expired(retention, [&](std::string_view topic) { return group.topics()->contains(topic); });
  });
  if (swept.offsets > 0 || swept.groups > 0)
    log_.info("Removed {} expired offsets and {} groups that were left with nothing", swept.offsets, swept.groups);
}

}  // namespace broker
