#include "replication/partition/partition.h"

#include <algorithm>

namespace replication {

using base::ErrorCode;
using base::fail;
using base::invariant;
using base::Offset;

Partition::Partition(base::BrokerId self, std::unique_ptr<storage::Log> log, PartitionSettings settings,
                     const LeaderServices& leading)
    : self_(self),
      name_(log->partition()),
      text_(name_.text()),
      leading_(leading),
      log_(std::move(log)),
      settings_(std::make_shared<const PartitionSettings>(std::move(settings))) {}

std::shared_ptr<const PartitionSettings> Partition::settings() const {
  absl::MutexLock lock(&mutex_);
  return settings_;
}

void Partition::change_settings(PartitionSettings settings) {
  Concerned concerned;
  {
    absl::MutexLock lock(&mutex_);
    settings_ = std::make_shared<const PartitionSettings>(std::move(settings));
    if (log_) log_->set_settings(settings_->log);
    if (log_ && role_ == Role::leader) {
      advance_high_watermark();  // min.insync.replicas may be lower now
      concerned = reached();
    }
    concerned.watches = watches_.list();
  }
  tell(std::move(concerned));
}

base::Status Partition::lead_or_follow(const PartitionState& state) {
  Concerned concerned;
  {
    absl::MutexLock lock(&mutex_);
    if (role_ == Role::stopped) return fail(ErrorCode::unknown_topic_or_partition, "{} is being removed", name_);
    if (auto s = log_->health().check(); !s) return s;
    const bool first_id = !state.topic_id.is_zero() && !log_->topic_id();
    if (!state.topic_id.is_zero())
      if (auto s = log_->set_topic_id(state.topic_id); !s) return s;
    if (role_ != Role::none && state.leader_epoch == state_.leader_epoch && first_id) {
      state_.topic_id = state.topic_id;
      return {};
    }
    if (role_ != Role::none && state.leader_epoch <= state_.leader_epoch)
      return fail(ErrorCode::stale_controller_epoch, "{} has leader epoch {}, told {}", name_, state_.leader_epoch,
                  state.leader_epoch);
    const bool leads = state.leader == self_;
    if (leads)
      if (auto s = log_->begin_leader_epoch(state.leader_epoch); !s) return s;
    state_ = state;
    flush_wanted_ = Offset{0};
    if (leads) {
      if (role_ != Role::leader) led_since_ = state.leader_epoch;
      begin_leading();
    }
    role_ = leads ? Role::leader : Role::follower;
    concerned = everybody();  // whoever waited for the old role must look again
  }
  tell(std::move(concerned));
  return {};
}

void Partition::look_at_disk() {
  Concerned concerned;
  {
    absl::MutexLock lock(&mutex_);
    if (!log_ || log_->health().online()) return;
    concerned = everybody();
  }
  tell(std::move(concerned));
}

void Partition::stop() {
  Concerned concerned;
  {
    absl::MutexLock lock(&mutex_);
    role_ = Role::stopped;
    concerned = everybody();
  }
  tell(std::move(concerned));
}

std::unique_ptr<storage::Log> Partition::release_log() {
  absl::MutexLock lock(&mutex_);
  invariant(role_ == Role::stopped, "a log is released after its partition was stopped");
  return std::move(log_);
}

base::Status Partition::check_reader(base::LeaderEpoch current, bool also_from_follower) const {
  if (role_ == Role::stopped) return fail(ErrorCode::not_leader_or_follower, "{} is being removed", name_);
  if (auto s = log_->health().check(); !s) return s;
  if (current != base::kNoLeaderEpoch && current < state_.leader_epoch)
    return fail(ErrorCode::fenced_leader_epoch, "{} has leader epoch {}, not {}", name_, state_.leader_epoch, current);
  if (current > state_.leader_epoch && role_ != Role::none)
    return fail(ErrorCode::unknown_leader_epoch, "{} has leader epoch {}, not yet {}", name_, state_.leader_epoch,
                current);
  if (role_ == Role::leader || (also_from_follower && role_ == Role::follower)) return {};
  return fail(ErrorCode::not_leader_or_follower, "{} is not led here", name_);
}

base::Status Partition::check_append(Acks acks) const {
  if (auto s = check_leader(base::kNoLeaderEpoch); !s) return s;
  if (acks == Acks::all && in_sync_count() < needed_in_sync())
    return fail(ErrorCode::not_enough_replicas, "{} has {} in-sync replicas, min.insync.replicas is {}", name_,
                in_sync_count(), settings_->min_insync_replicas);
  return {};
}

base::Result<std::shared_ptr<const PartitionSettings>> Partition::ready_to_append(Acks acks) const {
  absl::MutexLock lock(&mutex_);
  if (auto s = check_append(acks); !s) return s.error();
  // Here, not in append(): what coordinators write for themselves is small, and reading depends on it.
  if (!log_->health().has_room())
    return fail(ErrorCode::kafka_storage_error, "{} lies on {}, which is nearly full", name_, log_->health().path());
  return settings_;
}

base::Result<storage::AppendInfo> Partition::write(storage::Admitted& admitted, storage::AppendOrigin origin) {
  return log_->append_as_leader({&admitted.batch, 1}, state_.leader_epoch, origin);
}

base::Result<storage::AppendInfo> Partition::write(storage::MessageSet& messages, storage::AppendOrigin) {
  return log_->append_as_leader(messages);
}

template <class Records>
base::Result<AppendOutcome> Partition::append_admitted(Records& records, Acks acks, AppendAs as) {
  AppendOutcome outcome;
  Concerned concerned;
  {
    absl::MutexLock lock(&mutex_);
    if (auto s = check_append(acks); !s) return s.error();
    if (leads_under_another(as.leader_epoch))
      return fail(ErrorCode::not_leader_or_follower, "{} has leader epoch {}, not {}", name_, state_.leader_epoch,
                  as.leader_epoch);
    if (as.markers && *as.markers != log_->producers().markers())
      return fail(ErrorCode::concurrent_transactions, "{} has seen another transaction end", name_);
    note_sessions();
    auto appended = write(records, as.origin);
    if (!appended) return appended.error();
    outcome.info = *appended;
    outcome.led_since = led_since_;
    const auto committed_before = log_->high_watermark();
    note_unflushed();
    outcome.flushed = !awaits_flush(appended->next_offset());
    advance_high_watermark();
    concerned = reached();
    concerned.what = log_->high_watermark() > committed_before ? Watch::Of::anything : Watch::Of::log_end;
    outcome.replicated = log_->high_watermark() >= appended->next_offset();
  }
  tell(std::move(concerned));
  return outcome;
}

base::Result<AppendOutcome> Partition::append(storage::Admitted& admitted, Acks acks, AppendAs as) {
  return append_admitted(admitted, acks, as);
}

base::Result<AppendOutcome> Partition::append(storage::MessageSet& messages, Acks acks, AppendAs as) {
  return append_admitted(messages, acks, as);
}

TransactionCheck Partition::check_transaction(base::ProducerId id, base::ProducerEpoch epoch) const {
  absl::MutexLock lock(&mutex_);
  if (!log_) return {};
  const auto* known = log_->producers().find(id);
  return {.open = known && known->epoch() == epoch && known->open_transaction(),
          .markers = log_->producers().markers()};
}

std::optional<base::ErrorCode> Partition::acknowledged(Offset next_offset, Acks acks, base::LeaderEpoch leader_epoch,
                                                       base::LeaderEpoch led_since) const {
  absl::MutexLock lock(&mutex_);
  if (role_ != Role::leader || leads_under_another(leader_epoch)) return ErrorCode::not_leader_or_follower;
  if (led_since != base::kNoLeaderEpoch && led_since != led_since_) return ErrorCode::not_leader_or_follower;
  if (auto s = log_->health().check(); !s) return s.error().code;
  if (awaits_flush(next_offset)) return std::nullopt;
  if (acks != Acks::all) return ErrorCode::none;
  return verdict_on_append(next_offset, log_->high_watermark(), isr_, needed_in_sync());
}

void Partition::note_unflushed() {
  const auto limit = settings_->log.flush_messages;
  if (limit == storage::kNeverFlush) return;
  const auto end = log_->log_end_offset();
  const auto safe = std::max(log_->recovery_point(), flushing_to_.value_or(Offset{0}));
  if (end - safe < limit) return;
  flush_wanted_ = end;
  begin_flush();
}

void Partition::begin_flush() {
  if (flushing_to_) return;  // who ends it looks again
  auto flush = log_->prepare_flush();
  if (!flush) return;  // the directory is retired, and whoever waits is told so
  flushing_to_ = flush->to;
  log_->in_background([weak = weak_from_this(), flush = std::move(*flush)] {
    (void)flush.run();  // a failure retires the directory
    if (const auto self = weak.lock()) self->flush_ended();
  });
}

void Partition::flush_ended() {
  WaiterList woken;
  {
    absl::MutexLock lock(&mutex_);
    flushing_to_.reset();
    if (!log_ || !log_->health().online()) {
      woken = waiting_for_flush_.take_all();
    } else {
      woken = waiting_for_flush_.take_reached(log_->recovery_point());
      if (role_ == Role::leader && flush_wanted_ > log_->recovery_point()) begin_flush();
    }
  }
  wake_all(std::move(woken));
}

void Partition::flush_if_overdue() {
  absl::MutexLock lock(&mutex_);
  if (log_ && log_->is_flush_overdue()) begin_flush();
}

Partition::Concerned Partition::reached() {
  auto waiters = waiting_for_commit_.take_reached(log_->high_watermark());
  for (auto& waiter : waiting_for_records_.take_reached(log_->log_end_offset())) waiters.push_back(std::move(waiter));
  return {std::move(waiters), watches_.list()};
}

Partition::Concerned Partition::everybody() {
  auto waiters = waiting_for_commit_.take_all();
  for (auto& waiter : waiting_for_records_.take_all()) waiters.push_back(std::move(waiter));
  for (auto& waiter : waiting_for_flush_.take_all()) waiters.push_back(std::move(waiter));
  for (auto& waiter : waiting_for_deletion_.take_all()) waiters.push_back(std::move(waiter));
  return {std::move(waiters), watches_.list()};
}

void Partition::tell(Concerned concerned) {
  wake_all(std::move(concerned.waiters));
  replication::tell(concerned.watches, concerned.what, concerned.except);
}

Offset Partition::bound_of(Isolation isolation) const {
  switch (isolation) {
    case Isolation::log_end:
      return log_->log_end_offset();
    case Isolation::high_watermark:
      return log_->high_watermark();
    case Isolation::last_stable:
      return log_->last_stable_offset();
  }
  return log_->high_watermark();
}

Offset Partition::segment_end_of(Offset offset) const {
  const auto& segments = log_->segments();
  return segments.upper_bound(segments.find(offset), log_->log_end_offset());
}

base::Result<ReadOutcome> Partition::read(const ReadRequest& request) {
  Concerned concerned;
  auto outcome = [&] {
    absl::MutexLock lock(&mutex_);
    return read(request, concerned);
  }();
  tell(std::move(concerned));
  return outcome;
}

base::Result<ReadOutcome> Partition::read(const ReadRequest& request, Concerned& concerned) {
  if (auto s = check_reader(request.current_leader_epoch, request.also_from_follower); !s) return s.error();
  const auto follower = check_follower(request);
  if (!follower) return follower.error();
  ReadOutcome out;
  out.high_watermark = log_->high_watermark();
  out.last_stable = log_->last_stable_offset();
  out.log_start = log_->log_start_offset();
  out.bound = bound_of(request.isolation);
  if (request.from < out.log_start || request.from > log_->log_end_offset())
    return fail(ErrorCode::offset_out_of_range, "{} holds {} to {}, asked for {}", name_, out.log_start,
                log_->log_end_offset(), request.from);
  if (request.last_fetched_epoch != base::kNoLeaderEpoch) {
    const auto end = log_->end_offset_for_epoch(request.last_fetched_epoch);
    if (end.epoch == base::kNoLeaderEpoch)
      return fail(ErrorCode::offset_out_of_range, "{} does not know leader epoch {}", name_,
                  request.last_fetched_epoch);
    if (end.epoch < request.last_fetched_epoch || end.end < request.from) {
      out.diverging_epoch = end;
      return out;
    }
  }
  if (*follower) {
    concerned = follower_fetched(**follower, request);
    out.high_watermark = log_->high_watermark();
    out.last_stable = log_->last_stable_offset();
  }
  if (*follower) {
    out.throttled = settings_->throttled_leaders.contains(name_.partition, self_);
    out.held_back = out.throttled && request.follower->over_limit && !isr_.in_committed((*follower)->id);
  }
  if (request.from >= out.bound || out.held_back) return out;
  auto slice = log_->read(request.from, out.bound, request.limits);
  if (!slice) return slice.error();
  out.bring_in = std::move(slice->bring_in);
  if (out.bring_in) return out;
  out.slice = std::move(*slice);
  out.catching_up = log_->segment_base_of(request.from) != log_->segment_base_of(out.bound);
  if (request.isolation == Isolation::last_stable) {
    // A read ends with its segment, so nobody needs to hear of what was aborted behind that.
    const auto to = std::min(out.bound, segment_end_of(request.from));
    if (!request.limits.may_wait) out.bring_in = log_->bring_in_aborted_transactions(request.from, to);
    if (out.bring_in) return out.slice = {}, out;
    auto aborted = log_->aborted_transactions(request.from, to);
    if (!aborted) return aborted.error();
    out.aborted = std::move(*aborted);
  }
  return out;
}

base::Result<OffsetAnswer> Partition::known(Offset offset, base::Timestamp timestamp) const {
  return OffsetAnswer{offset, timestamp, state_.leader_epoch};
}

base::Result<OffsetAnswer> Partition::latest(const TimestampQuery& query) {
  absl::MutexLock lock(&mutex_);
  if (auto s = check_reader(query.current_leader_epoch, query.also_from_follower); !s) return s.error();
  // A new leader does not know yet how far its predecessor had committed.
  if (query.isolation != Isolation::log_end && log_->high_watermark() < epoch_start_)
    return fail(ErrorCode::offset_not_available, "{} has not caught up with its own epoch", name_);
  return known(bound_of(query.isolation), base::kNoTimestamp);
}

base::Result<OffsetAnswer> Partition::earliest(const TimestampQuery& query) {
  absl::MutexLock lock(&mutex_);
  if (auto s = check_reader(query.current_leader_epoch, query.also_from_follower); !s) return s.error();
  const auto start = log_->log_start_offset();
  // The epoch under which the first record was written, so that a consumer can validate its position later.
  const auto epoch = log_->epochs().epoch_at(start);
  const auto otherwise = settings_->log.record_version < 2 ? base::kNoLeaderEpoch : state_.leader_epoch;
  return OffsetAnswer{start, base::kNoTimestamp, epoch.value_or(otherwise)};
}

base::Result<OffsetAnswer> Partition::offset_for_time(const TimestampQuery& query) {
  absl::MutexLock lock(&mutex_);
  if (auto s = check_reader(query.current_leader_epoch, query.also_from_follower); !s) return s.error();
  if (settings_->log.record_version == 0)
    return fail(ErrorCode::unsupported_for_message_format,
                "the records of {} have no timestamps (message.format.version)", name_);
  auto found = log_->offset_for_timestamp(query.at, bound_of(query.isolation));
  if (!found) return found.error();
  if (*found)
    return OffsetAnswer{(*found)->offset, (*found)->timestamp,
                        log_->epochs().epoch_at((*found)->offset).value_or(base::kNoLeaderEpoch)};
  if (query.isolation != Isolation::log_end && log_->high_watermark() < epoch_start_)
    return fail(ErrorCode::offset_not_available, "{} has not caught up with its own epoch", name_);
  return OffsetAnswer{};
}

base::Result<OffsetAnswer> Partition::offset_of_largest_timestamp(const TimestampQuery& query) {
  absl::MutexLock lock(&mutex_);
  if (auto s = check_reader(query.current_leader_epoch, query.also_from_follower); !s) return s.error();
  auto found = log_->offset_of_largest_timestamp(bound_of(query.isolation));
  if (!found) return found.error();
  if (!*found) return OffsetAnswer{};
  return OffsetAnswer{(*found)->offset, (*found)->timestamp,
                      log_->epochs().epoch_at((*found)->offset).value_or(base::kNoLeaderEpoch)};
}

base::Result<std::vector<Offset>> Partition::segment_offsets(base::Timestamp at, std::int32_t limit) {
  constexpr auto kLatest = base::timestamp_from_ms(-1);
  constexpr auto kEarliest = base::timestamp_from_ms(-2);
  absl::MutexLock lock(&mutex_);
  if (auto s = check_leader(base::kNoLeaderEpoch); !s) return s.error();
  std::vector<Offset> out;
  if (limit <= 0) return out;
  if (at == kEarliest) return std::vector<Offset>{log_->log_start_offset()};
  auto segments = log_->segment_times();
  if (!segments) return segments.error();
  const auto high_watermark = log_->high_watermark();
  if (at == kLatest) out.push_back(high_watermark);
  for (const auto& segment : *segments)
    if (at == kLatest ? segment.base < high_watermark : segment.modified <= at)
      out.push_back(std::max(segment.base, log_->log_start_offset()));
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (out.size() > static_cast<std::size_t>(limit)) out.resize(static_cast<std::size_t>(limit));
  return out;
}

base::Result<storage::EpochEnd> Partition::end_offset_for_epoch(base::LeaderEpoch epoch, base::LeaderEpoch current) {
  absl::MutexLock lock(&mutex_);
  if (auto s = check_leader(current); !s) return s.error();
  return log_->end_offset_for_epoch(epoch);
}

std::optional<Partition::Parked> Partition::park(Isolation isolation, Offset seen, std::shared_ptr<Waiter> waiter) {
  absl::MutexLock lock(&mutex_);
  if ((role_ != Role::leader && role_ != Role::follower) || bound_of(isolation) > seen) return std::nullopt;
  if (isolation == Isolation::log_end)
    return Parked{Parked::For::records, waiting_for_records_.add(seen + 1, std::move(waiter))};
  // Below an open transaction the high watermark has passed `seen` long ago. What ends the transaction moves it again.
  const auto reach = std::max(seen, log_->high_watermark()) + 1;
  return Parked{Parked::For::commit, waiting_for_commit_.add(reach, std::move(waiter))};
}

std::optional<Partition::Parked> Partition::park_append(Offset next_offset, Acks acks, std::shared_ptr<Waiter> waiter) {
  absl::MutexLock lock(&mutex_);
  if (role_ != Role::leader || !log_->health().online()) return std::nullopt;
  if (awaits_flush(next_offset))
    return Parked{Parked::For::flush, waiting_for_flush_.add(next_offset, std::move(waiter))};
  if (acks != Acks::all || log_->high_watermark() >= next_offset) return std::nullopt;
  return Parked{Parked::For::commit, waiting_for_commit_.add(next_offset, std::move(waiter))};
}

Waiters& Partition::waiters(Parked::For what) {
  switch (what) {
    case Parked::For::commit:
      break;
    case Parked::For::records:
      return waiting_for_records_;
    case Parked::For::flush:
      return waiting_for_flush_;
    case Parked::For::deletion:
      return waiting_for_deletion_;
  }
  return waiting_for_commit_;
}

void Partition::unpark(const Parked& parked) {
  absl::MutexLock lock(&mutex_);
  waiters(parked.what).remove(parked.place);
}

void Partition::watch(std::shared_ptr<Watch> watch) {
  absl::MutexLock lock(&mutex_);
  watches_.add(std::move(watch));
}

void Partition::unwatch(const Watch& watch) {
  absl::MutexLock lock(&mutex_);
  for (auto& follower : followers_)
    if (follower.session == &watch) {
      if (log_) note_session(follower);
      follower.session = nullptr;
    }
  watches_.remove(watch);
}

std::size_t Partition::waiting() const {
  absl::MutexLock lock(&mutex_);
  return waiting_for_commit_.size() + waiting_for_records_.size() + waiting_for_flush_.size() +
         waiting_for_deletion_.size();
}

bool Partition::with_log(const std::function<void(storage::Log&)>& call) {
  absl::MutexLock lock(&mutex_);
  if (!log_) return false;
  call(*log_);
  return true;
}

std::size_t Partition::remove_expired_producers(base::Timestamp now, std::chrono::milliseconds silence) {
  absl::MutexLock lock(&mutex_);
  return log_ ? log_->remove_expired_producers(now, silence) : 0;
}

base::Result<bool> Partition::exchange_log(const MakeLog& make) {
  std::unique_ptr<storage::Log> old;  // closes its files without the lock
  absl::MutexLock lock(&mutex_);
  if (!log_ || role_ == Role::stopped) return fail(ErrorCode::not_leader_or_follower, "{} is being removed", name_);
  auto fresh = make(*log_);
  if (!fresh) return fresh.error();
  if (!*fresh) return false;
  (*fresh)->set_settings(settings_->log);
  old = std::exchange(log_, std::move(*fresh));
  return true;
}

base::Result<RecordDeletion> Partition::delete_records(Offset to) {
  Watches::List watches;
  auto deletion = [&] {
    absl::MutexLock lock(&mutex_);
    watches = watches_.list();
    return move_log_start(to);
  }();
  if (deletion) replication::tell(watches);
  return deletion;
}

base::Result<RecordDeletion> Partition::move_log_start(Offset to) {
  constexpr Offset kHighWatermark{-1};
  if (auto s = check_leader(base::kNoLeaderEpoch); !s) return s.error();
  if (!log_->settings().retention.deletes)
    return fail(ErrorCode::policy_violation, "Records of partition {} can not be deleted due to the configured policy",
                name_);
  if (to == kHighWatermark) to = log_->high_watermark();
  if (to < Offset{0})
    return fail(ErrorCode::offset_out_of_range, "The offset {} for partition {} is not valid", to, name_);
  if (auto s = log_->advance_log_start(to); !s) return s.error();
  return RecordDeletion{.requested = to, .low_watermark = lowest_log_start()};
}

base::Result<std::optional<storage::Log::Deleted>> Partition::apply_retention(base::Timestamp now) {
  constexpr std::size_t kSegmentsPerHold = 16;  // each takes about ten small system calls
  Watches::List watches;
  auto deleted = [&]() -> base::Result<std::optional<storage::Log::Deleted>> {
    absl::MutexLock lock(&mutex_);
    watches = watches_.list();
    if (!log_ || !log_->health().online()) return std::optional<storage::Log::Deleted>{};
    return log_->apply_retention(now, kSegmentsPerHold);
  }();
  if (deleted && *deleted) replication::tell(watches);
  return deleted;
}

std::optional<LogPlace> Partition::describe_log() const {
  absl::MutexLock lock(&mutex_);
  if (!log_) return std::nullopt;
  return LogPlace{log_->health().path(), log_->size_bytes(), log_->high_watermark() - log_->log_end_offset()};
}

Offset Partition::log_start_offset() const {
  absl::MutexLock lock(&mutex_);
  return log_ ? log_->log_start_offset() : base::kNoOffset;
}

base::LeaderEpoch Partition::leader_epoch() const {
  absl::MutexLock lock(&mutex_);
  return state_.leader_epoch;
}

bool Partition::is_leader() const {
  absl::MutexLock lock(&mutex_);
  return role_ == Role::leader;
}

}  // namespace replication
