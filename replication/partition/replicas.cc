#include "replication/partition/replicas.h"

#include <absl/synchronization/blocking_counter.h>

#include <algorithm>

#include "storage/segment/names.h"

namespace replication {

using base::ErrorCode;

bool Replicas::is_stale(std::int32_t controller_epoch) {
  if (controller_epoch < controller_epoch_) {
    log_.warn("Ignoring a request of controller epoch {}, the latest is {}", controller_epoch, controller_epoch_);
    return true;
  }
  controller_epoch_ = controller_epoch;
  return false;
}

AnnouncementReply Replicas::lead_or_follow(const LeaderAndIsr& request) {
  AnnouncementReply reply;
  if (is_stale(request.from.controller_epoch)) {
    reply.code = ErrorCode::stale_controller_epoch;
    for (const auto& state : request.partitions)
      reply.partitions.push_back({{state.topic, state.partition}, ErrorCode::stale_controller_epoch});
    return reply;
  }
  const auto unread = learn_overrides(request);
  const auto outcomes = lead_or_follow_each(request.partitions, unread);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].ok()) continue;
    const auto& state = request.partitions[i];
    reply.partitions.push_back({{state.topic, state.partition}, outcomes[i].error().code});
  }
  return reply;
}

namespace {
bool has_replica(const PartitionState& state, base::BrokerId self) {
  return std::find(state.replicas.begin(), state.replicas.end(), self) != state.replicas.end();
}
}  // namespace

// The configuration of a new topic is announced to nobody. Read here, for all topics at once, so that nothing on the
// pool, which also reads for fetches, waits for a store that is away.
Replicas::Unread Replicas::learn_overrides(const LeaderAndIsr& request) {
  std::vector<std::string> topics;
  for (const auto& state : request.partitions)
    if (has_replica(state, self_) && !table_.find(state.topic, state.partition)) topics.push_back(state.topic);
  std::sort(topics.begin(), topics.end());
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
  Unread unread;
  if (topics.empty()) return unread;
  auto loaded = load_overrides_(topics);
  for (std::size_t i = 0; i < topics.size(); ++i) {
    if (!loaded[i])
      unread.emplace(topics[i], loaded[i].error());
    else if (*loaded[i] != settings_.snapshot()->topic_overrides(topics[i]))
      settings_.set_topic_overrides(topics[i], std::move(*loaded[i]));
  }
  return unread;
}

// What a new controller, or one that tries again, says is often known; who says what is over has lost his way.
bool Replicas::said_twice(const PartitionState& state) const {
  const auto known = table_.find(state.topic, state.partition);
  return known && known->leader_epoch() == state.leader_epoch;
}

// Each waits for the disk to take in its leader epoch; side by side they share the disk's writes.
Replicas::Outcomes Replicas::lead_or_follow_each(const std::vector<PartitionState>& partitions, const Unread& unread) {
  Outcomes outcomes(partitions.size());
  absl::BlockingCounter left(static_cast<int>(outcomes.size()));
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    pool_.submit([&, i] {
      outcomes[i] = lead_or_follow(partitions[i], unread);
      left.DecrementCount();
    });
  left.Wait();
  std::size_t lost = 0;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i]) {
      tell_leadership(partitions[i]);
      continue;
    }
    if (outcomes[i].error().code == ErrorCode::stale_controller_epoch && said_twice(partitions[i])) continue;
    // With a directory go thousands: one of them tells the story.
    if (outcomes[i].error().code == ErrorCode::kafka_storage_error && lost++ > 0) continue;
    log_.warn("{}-{}: {}", partitions[i].topic, partitions[i].partition, outcomes[i].error().text());
  }
  if (lost > 1) log_.warn("The same holds for {} more partitions", lost - 1);
  follow_each(partitions, outcomes);
  return outcomes;
}

// All at once, so that a fetcher asks its leader for all of them with its next request.
void Replicas::follow_each(const std::vector<PartitionState>& partitions, const Outcomes& outcomes) const {
  if (!following_) return;
  std::vector<Follow> follow;
  std::vector<base::TopicPartition> lead;
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    const auto& state = partitions[i];
    if (!outcomes[i]) continue;
    if (state.leader == self_)
      lead.push_back({state.topic, state.partition});
    else if (auto partition = table_.find(state.topic, state.partition))  // none: put off until its log is open
      follow.push_back({std::move(partition), state.leader, state.leader_epoch, state.topic_id});
  }
  if (!lead.empty()) following_->unfollow(std::move(lead));
  if (!follow.empty()) following_->follow(std::move(follow));
}

void Replicas::tell_leadership(const PartitionState& state) const {
  if (!tell_leadership_) return;
  auto partition = table_.find(state.topic, state.partition);  // none: put off until its log is open
  if (partition) tell_leadership_({std::move(partition), state.leader_epoch, state.leader == self_});
}

base::Status Replicas::lead_or_follow(const PartitionState& state, const Unread& unread) {
  if (!has_replica(state, self_))
    return base::fail(ErrorCode::unknown_topic_or_partition, "{}-{} has no replica here", state.topic, state.partition);
  if (!storage::is_topic_name(state.topic) || state.partition < 0)  // names directories
    return base::fail(ErrorCode::invalid_topic_exception, "'{}'-{} is no partition", state.topic, state.partition);
  if (const auto why = unread.find(state.topic); why != unread.end()) return why->second;
  if (put_off(state)) return {};
  auto partition = find_or_make(state);
  if (partition) return (*partition)->lead_or_follow(state);
  const base::TopicPartition name{state.topic, state.partition};
  if (partition.error().code == ErrorCode::kafka_storage_error)
    table_.put_absent(name, PartitionTable::Absence::offline);
  else
    table_.remove(name);  // it may have been expected
  return partition.error();
}

bool Replicas::put_off(const PartitionState& state) {
  if (table_.find(state.topic, state.partition)) return false;
  const base::TopicPartition name{state.topic, state.partition};
  absl::MutexLock lock(&mutex_);
  const bool loading = logs_.when_loaded(name, [this, name] { log_loaded(name); });
  if (!loading) return false;
  const auto [waiting, first] = put_off_.emplace(name, state);
  if (!first && state.leader_epoch >= waiting->second.leader_epoch) waiting->second = state;
  table_.put_absent(name, PartitionTable::Absence::loading);
  return true;
}

void Replicas::log_loaded(const base::TopicPartition& name) {
  {
    absl::MutexLock lock(&mutex_);
    loaded_.push_back(name);
    if (loaded_.size() > 1) return;  // whoever takes up the first takes up this one
  }
  run_in_turn_([this] { take_up_loaded(); });
}

void Replicas::take_up_loaded() {
  std::vector<PartitionState> states;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& name : std::exchange(loaded_, {}))
      if (const auto state = put_off_.extract(name)) states.push_back(std::move(state.mapped()));
  }
  lead_or_follow_each(states, {});  // their configuration was read when they were put off
}

base::Result<std::shared_ptr<Partition>> Replicas::find_or_make(const PartitionState& state) {
  if (auto known = table_.find(state.topic, state.partition)) return known;
  const base::TopicPartition name{state.topic, state.partition};
  const auto settings = PartitionSettings::of(*settings_.snapshot()->topic(state.topic));

  auto log = logs_.take(name);
  if (!log && !state.is_new && logs_.has_offline_directory())
    return base::fail(ErrorCode::kafka_storage_error, "{} is not on the directories that are left", name);
  if (!log) {
    const auto id = state.topic_id.is_zero() ? std::nullopt : std::optional(state.topic_id);
    auto created = logs_.create(name, id, settings.log);
    if (!created) return created.error();
    log = std::move(*created);
    log_.info("Created log for partition {} in {} with settings of topic {}", name, log->directory(), state.topic);
  } else {
    log->set_settings(settings.log);
  }
  auto partition = std::make_shared<Partition>(self_, std::move(log), settings, *leading_);
  table_.put(partition);
  // Once more: a change between the look above and the table went past it.
  partition->change_settings(PartitionSettings::of(*settings_.snapshot()->topic(state.topic)));
  if (moves_) moves_->resume(partition);
  return partition;
}

AnnouncementReply Replicas::stop(const StopReplica& request) {
  if (is_stale(request.from.controller_epoch)) return {.code = ErrorCode::stale_controller_epoch};
  AnnouncementReply reply;
  for (const auto& stopped : request.partitions) {
    const auto known = table_.find(stopped.partition.topic, stopped.partition.partition);
    if (known && stopped.leader_epoch.raw >= 0 && stopped.leader_epoch < known->leader_epoch()) {
      reply.partitions.push_back({stopped.partition, ErrorCode::fenced_leader_epoch});
      continue;
    }
    if (following_) following_->unfollow({stopped.partition});
    if (!stopped.remove) continue;  // a leader goes on serving
    const auto removed = remove_log(stopped.partition);
    if (!removed) {
      log_.error("Cannot delete {}: {}", stopped.partition, removed.error().text());
      reply.partitions.push_back({stopped.partition, removed.error().code});
    } else if (*removed) {
      log_.info("Deleted log for partition {}", stopped.partition);
    }
  }
  return reply;
}

base::Result<bool> Replicas::remove_log(const base::TopicPartition& name) {
  std::unique_ptr<storage::Log> log;
  if (auto partition = table_.remove(name)) {
    partition->stop();
    if (tell_leadership_) tell_leadership_({partition, partition->leader_epoch(), false});
    if (moves_) moves_->cancel(name);
    log = partition->release_log();
  } else {
    {
      absl::MutexLock lock(&mutex_);
      put_off_.erase(name);
    }
    auto unopened = logs_.remove_unopened(name);
    if (!unopened || *unopened) return unopened;
    log = logs_.take(name);
  }
  if (!log) return false;
  if (auto s = logs_.remove(std::move(log)); !s) return s.error();
  return true;
}

void Replicas::settings_changed(const config::SettingsChange& change, const config::Snapshot& now) {
  for (const auto& partition : table_.all()) {
    const auto& topic = partition->name().topic;
    const bool concerned =
        change.broker || std::find(change.topics.begin(), change.topics.end(), topic) != change.topics.end();
    if (concerned) partition->change_settings(PartitionSettings::of(*now.topic(topic)));
  }
  if (following_) following_->settings_changed();
}

void Replicas::look_at_followers() {
  for (const auto& partition : table_.all()) partition->look_at_followers();
}

void Replicas::flush_overdue() {
  for (const auto& partition : table_.all()) partition->flush_if_overdue();
}

void Replicas::directory_failed() {
  for (const auto& partition : table_.all()) partition->look_at_disk();
  if (following_) following_->directory_failed();
}

void Replicas::remove_expired_producers(base::Timestamp now, std::chrono::milliseconds silence) {
  std::size_t removed = 0;
  for (const auto& partition : table_.all()) removed += partition->remove_expired_producers(now, silence);
  if (removed > 0) log_.debug("Forgot {} producers that were silent for {}ms", removed, silence.count());
}

void Replicas::apply_retention(base::Timestamp now) {
  for (const auto& partition : table_.all()) apply_retention(*partition, now);
}

void Replicas::apply_retention(Partition& partition, base::Timestamp now) {
  for (;;) {
    const auto deleted = partition.apply_retention(now);
    if (!deleted) return log_.error("{}: retention failed: {}", partition.name(), deleted.error().text());
    if (!*deleted) return;
    deleted_segments_.add((*deleted)->segments);
    deleted_bytes_.add((*deleted)->size_bytes);
    const auto& rules = partition.settings()->log.retention;
    const auto why = [&]() -> std::string {
      switch ((*deleted)->why) {
        case storage::RetentionReason::time:
          return fmt::format("retention time {}ms breach",
                             rules.max_age.value_or(std::chrono::milliseconds{0}).count());
        case storage::RetentionReason::size:
          return fmt::format("retention size {} breach", rules.max_bytes.value_or(0));
        case storage::RetentionReason::log_start:
          break;
      }
      return "log start offset breach";
    }();
    segment_log_.info(
        "[Log partition={}] Deleting {} segments from base offset {} on, {} bytes, due to {}; the log now "
        "starts at offset {}",
        partition.name(), (*deleted)->segments, (*deleted)->first_base, (*deleted)->size_bytes, why,
        partition.log_start_offset());
  }
}

void Replicas::stop_all() {
  for (const auto& partition : table_.all()) partition->stop();
}

std::vector<std::unique_ptr<storage::Log>> Replicas::release_all() {
  stop_all();
  std::vector<std::unique_ptr<storage::Log>> logs;
  for (const auto& partition : table_.all()) {
    partition->stop();  // those made since stop_all()
    if (auto log = partition->release_log()) logs.push_back(std::move(log));
  }
  return logs;
}

}  // namespace replication
