#include "replication/partition/isr_rules.h"

#include <algorithm>

namespace replication {

using base::BrokerId;
using base::ErrorCode;
using base::Offset;

namespace {
bool holds(const std::vector<BrokerId>& set, BrokerId broker) {
  return std::find(set.begin(), set.end(), broker) != set.end();
}
}  // namespace

bool IsrState::in_committed(BrokerId broker) const { return holds(committed, broker); }

bool IsrState::in_maximal(BrokerId broker) const {
  const auto* expanding = std::get_if<Expanding>(&change);
  return (expanding && expanding->joining == broker) || in_committed(broker);
}

std::size_t IsrState::maximal_size() const {
  return committed.size() + (std::holds_alternative<Expanding>(change) ? 1 : 0);
}

std::vector<BrokerId> IsrState::proposed() const {
  auto isr = committed;
  if (const auto* expanding = std::get_if<Expanding>(&change)) isr.push_back(expanding->joining);
  if (const auto* shrinking = std::get_if<Shrinking>(&change))
    std::erase_if(isr, [&](BrokerId broker) { return holds(shrinking->leaving, broker); });
  return isr;
}

bool is_caught_up(const FollowerProgress& follower, const LeaderView& leader) {
  if (follower.log_end == leader.log_end) return true;
  return follower.last_caught_up && leader.now() - *follower.last_caught_up <= leader.max_lag;
}

bool should_join(const Follower& follower, const IsrState& isr, const LeaderView& leader) {
  const auto end = follower.progress.log_end;
  return isr.is_settled() && !isr.in_committed(follower.id) && end >= leader.high_watermark &&
         end >= leader.epoch_start && leader.may_be_in_sync(follower);
}

std::vector<BrokerId> who_should_leave(std::span<const Follower> followers, const IsrState& isr,
                                       const LeaderView& leader) {
  std::vector<BrokerId> leaving;
  if (!isr.is_settled()) return leaving;
  for (const auto& follower : followers)
    if (isr.in_committed(follower.id) && !is_caught_up(follower.progress, leader)) leaving.push_back(follower.id);
  return leaving;
}

Offset high_watermark_of(std::span<const Follower> followers, const IsrState& isr, const LeaderView& leader,
                         std::int32_t min_isr) {
  if (static_cast<std::int32_t>(isr.committed.size()) < min_isr) return leader.high_watermark;
  auto lowest = leader.log_end;
  for (const auto& follower : followers) {
    if (follower.progress.log_end >= lowest) continue;
    // Who is about to join is waited for, so that the high watermark does not run away from it.
    if (isr.in_maximal(follower.id) || (is_caught_up(follower.progress, leader) && leader.may_be_in_sync(follower)))
      lowest = follower.progress.log_end;
  }
  return std::max(lowest, leader.high_watermark);
}

std::optional<ErrorCode> verdict_on_append(Offset next_offset, Offset high_watermark, const IsrState& isr,
                                           std::int32_t min_isr) {
  if (high_watermark < next_offset) return std::nullopt;
  return static_cast<std::int32_t>(isr.maximal_size()) < min_isr ? ErrorCode::not_enough_replicas_after_append
                                                                 : ErrorCode::none;
}

void propose(IsrState& isr, Expanding change) {
  isr.change = change;
  ++isr.question;
}
void propose(IsrState& isr, Shrinking change) {
  isr.change = std::move(change);
  ++isr.question;
}

AnswerEffect take_answer(IsrState& isr, std::uint64_t question, base::LeaderEpoch leader_epoch,
                         const base::Result<IsrOutcome>& answer) {
  if (isr.is_settled() || isr.question != question) return AnswerEffect::ignored;
  if (!answer) {
    const auto code = answer.error().code;
    if (code != ErrorCode::ineligible_replica && code != ErrorCode::operation_not_attempted)
      return AnswerEffect::ignored;
    isr.change = Settled{};
    return AnswerEffect::taken_back;
  }
  if (answer->leader_epoch != leader_epoch || answer->partition_epoch < isr.partition_epoch)
    return AnswerEffect::ignored;
  isr.committed = answer->isr;
  isr.partition_epoch = answer->partition_epoch;
  isr.change = Settled{};
  return AnswerEffect::committed;
}

}  // namespace replication
