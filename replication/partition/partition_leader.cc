// A leader and its followers: their progress, the in-sync set, the high watermark. The rules are in progress.h and
// isr_rules.h.
#include <algorithm>

#include "replication/partition/partition.h"

namespace replication {

using base::ErrorCode;
using base::fail;
using base::Offset;

void Partition::begin_leading() {
  epoch_start_ = log_->log_end_offset();
  isr_.committed = state_.isr;
  isr_.partition_epoch = state_.partition_epoch;
  isr_.change = Settled{};
  ++isr_.question;  // no answer to what was asked before counts
  followers_.clear();
  const auto now = leading_.now();
  for (const auto id : state_.replicas) {
    const bool known = std::any_of(followers_.begin(), followers_.end(), [id](const auto& f) { return f.id == id; });
    if (id != self_ && !known) followers_.push_back({id, progress_at_begin(isr_.in_committed(id), now)});
  }
  followers_.shrink_to_fit();
  advance_high_watermark();
}

LeaderView Partition::leader_view() const {
  return {.log_end = log_->log_end_offset(),
          .high_watermark = log_->high_watermark(),
          .epoch_start = epoch_start_,
          .max_lag = leading_.max_lag,
          .now = leading_.now,
          .may_be_in_sync = leading_.may_be_in_sync};
}

void Partition::advance_high_watermark() {
  const auto to = high_watermark_of(followers_, isr_, leader_view(), needed_in_sync());
  if (to > log_->high_watermark()) log_->set_high_watermark(to);
}

base::Result<Follower*> Partition::check_follower(const ReadRequest& request) {
  if (!request.follower) return nullptr;
  const auto& fetch = *request.follower;
  const auto found =
      std::find_if(followers_.begin(), followers_.end(), [&](const auto& f) { return f.id == fetch.replica; });
  if (found == followers_.end()) {
    // With an epoch: the follower may know of an assignment we have not heard of.
    const auto code = request.current_leader_epoch != base::kNoLeaderEpoch ? ErrorCode::unknown_leader_epoch
                                                                           : ErrorCode::not_leader_or_follower;
    return fail(code, "broker {} has no replica of {}", fetch.replica, name_);
  }
  if (is_of_earlier_life(fetch.broker_epoch, found->progress.broker_epoch))
    return fail(ErrorCode::not_leader_or_follower, "broker {} fetched {} in an earlier life", fetch.replica, name_);
  return &*found;
}

Partition::Concerned Partition::follower_fetched(Follower& follower, const ReadRequest& request) {
  const auto& fetch = *request.follower;
  const auto before = log_->high_watermark();
  follower.progress = after_fetch(follower.progress, {.from = request.from,
                                                      .log_start = fetch.log_start,
                                                      .leader_end = log_->log_end_offset(),
                                                      .at = leading_.now(),
                                                      .broker_epoch = fetch.broker_epoch});
  // A session that was closed meanwhile does not watch any more, and cannot be asked later.
  if (fetch.session != follower.session)
    follower.session = fetch.session && watches_.holds(*fetch.session) ? fetch.session : nullptr;
  if (should_join(follower, isr_, leader_view())) {
    propose(isr_, Expanding{follower.id});
    ask_for_isr();
  }
  advance_high_watermark();
  Concerned concerned;
  if (log_->high_watermark() > before) {
    concerned = reached();
    concerned.what = Watch::Of::high_watermark;
    concerned.except = fetch.session;
  }
  if (waiting_for_deletion_.size() > 0)
    for (auto& waiter : waiting_for_deletion_.take_reached(lowest_log_start()))
      concerned.waiters.push_back(std::move(waiter));
  return concerned;
}

std::vector<ReadableReplica> Partition::readable_replicas(Offset from) const {
  absl::MutexLock lock(&mutex_);
  std::vector<ReadableReplica> out;
  if (role_ != Role::leader || !log_) return out;
  for (const auto& [id, progress, session] : followers_)
    if (isr_.in_committed(id) && progress.log_end >= from && progress.log_start <= from)
      out.push_back({.id = id, .log_end = progress.log_end, .last_caught_up = progress.last_caught_up});
  out.push_back({.id = self_, .leads = true, .log_end = log_->log_end_offset()});
  return out;
}

void Partition::note_sessions() {
  for (auto& follower : followers_) note_session(follower);
}

void Partition::note_session(Follower& follower) {
  if (!follower.session || follower.progress.log_end != log_->log_end_offset()) return;
  if (const auto asked = follower.session->last_asked())
    follower.progress = after_asking_again(follower.progress, *asked);
}

void Partition::look_at_followers() {
  Concerned concerned;
  {
    absl::MutexLock lock(&mutex_);
    if (role_ != Role::leader || !log_ || followers_.empty()) return;
    if (auto leaving = who_should_leave(followers_, isr_, leader_view()); !leaving.empty()) {
      propose(isr_, Shrinking{std::move(leaving)});
      ask_for_isr();
    } else {
      welcome_back();
    }
    // Whoever is gone, or has not been heard of for long, holds up nobody that it was waited for only in hope.
    if (log_->high_watermark() < log_->log_end_offset()) {
      advance_high_watermark();
      concerned = reached();
    }
    if (waiting_for_deletion_.size() > 0)
      for (auto& waiter : waiting_for_deletion_.take_reached(lowest_log_start()))
        concerned.waiters.push_back(std::move(waiter));
  }
  tell(std::move(concerned));
}

void Partition::welcome_back() {
  if (!isr_.is_settled() || followers_.size() + 1 == isr_.committed.size()) return;
  const auto view = leader_view();
  for (auto& follower : followers_) {
    if (!should_join(follower, isr_, view)) continue;
    // Where it once stood is no reason: it must still be asking.
    note_session(follower);
    if (!follower.progress.last_fetch || view.now() - *follower.progress.last_fetch > view.max_lag) continue;
    propose(isr_, Expanding{follower.id});
    return ask_for_isr();
  }
}

void Partition::ask_for_isr() {
  IsrChange change{.partition = name_,
                   .topic_id = state_.topic_id,
                   .leader_epoch = state_.leader_epoch,
                   .controller_epoch = state_.controller_epoch,
                   .partition_epoch = isr_.partition_epoch,
                   .isr = isr_.proposed()};
  for (const auto id : change.isr) {
    const auto found = std::find_if(followers_.begin(), followers_.end(), [id](const auto& f) { return f.id == id; });
    change.broker_epochs.push_back(found != followers_.end() ? found->progress.broker_epoch : -1);
  }
  leading_.isr_changes.ask(std::move(change),
                           [weak = weak_from_this(), question = isr_.question](base::Result<IsrOutcome> answer) {
                             if (const auto self = weak.lock()) self->isr_answered(question, answer);
                           });
}

void Partition::isr_answered(std::uint64_t question, const base::Result<IsrOutcome>& answer) {
  Concerned concerned;
  {
    absl::MutexLock lock(&mutex_);
    if (role_ != Role::leader || !log_) return;
    const auto size = isr_.committed.size();
    const bool stands = !isr_.is_settled() && isr_.question == question;
    if (stands && !answer) leading_.failures().add(1);
    if (take_answer(isr_, question, state_.leader_epoch, answer) == AnswerEffect::ignored) return;
    if (isr_.committed.size() > size) leading_.expands().add(1);
    if (isr_.committed.size() < size) leading_.shrinks().add(1);
    advance_high_watermark();
    welcome_back();
    concerned = reached();
  }
  tell(std::move(concerned));
}

std::optional<ReplicationHealth> Partition::replication_health() const {
  absl::MutexLock lock(&mutex_);
  if (role_ != Role::leader) return std::nullopt;
  // Replicas that are still being added are not missed yet.
  std::int32_t wanted = 0;
  for (const auto id : state_.replicas)
    if (std::find(state_.adding.begin(), state_.adding.end(), id) == state_.adding.end()) ++wanted;
  return ReplicationHealth{.under_replicated = in_sync_count() < wanted,
                           .under_min_isr = in_sync_count() < needed_in_sync(),
                           .at_min_isr = in_sync_count() == needed_in_sync()};
}

Offset Partition::lowest_log_start() const {
  auto lowest = log_->log_start_offset();
  for (const auto& follower : followers_)
    if (follower.progress.log_start < lowest && leading_.is_alive(follower.id)) lowest = follower.progress.log_start;
  return lowest;
}

base::Result<Offset> Partition::low_watermark() const {
  absl::MutexLock lock(&mutex_);
  if (auto s = check_leader(base::kNoLeaderEpoch); !s) return s.error();
  return lowest_log_start();
}

std::optional<Partition::Parked> Partition::park_deletion(Offset requested, std::shared_ptr<Waiter> waiter) {
  absl::MutexLock lock(&mutex_);
  if (role_ != Role::leader || !log_->health().online() || lowest_log_start() >= requested) return std::nullopt;
  return Parked{Parked::For::deletion, waiting_for_deletion_.add(requested, std::move(waiter))};
}

}  // namespace replication
