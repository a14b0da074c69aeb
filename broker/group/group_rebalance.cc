// Rebalancing: waiting for the members to join, and the generation that begins then.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "broker/group/group.h"
#include "broker/group/group_words.h"
#include "protocol/internal/assignment.h"
#include "protocol/internal/versioned.h"

namespace broker {

using base::ErrorCode;
using std::chrono::milliseconds;

namespace {
// Clients may ask for no time at all; we do not look more often than this.
constexpr milliseconds kShortestWait{1000};
}  // namespace

void Group::maybe_prepare_rebalance(std::string reason, Moment at, Effects& out) {
  if (state_ == GroupState::empty || state_ == GroupState::completing_rebalance || state_ == GroupState::stable)
    prepare_rebalance(std::move(reason), at, out);
}

void Group::prepare_rebalance(std::string reason, Moment at, Effects& out) {
  if (state_ == GroupState::completing_rebalance) {
    for (auto& [id, member] : members_) member.assignment.clear();
    hand_out(ErrorCode::rebalance_in_progress, at, out);
  }
  sync_deadline_.reset();
  rebalance_reason_ = std::move(reason);
  rebalance_began_ = at.now;
  initial_delay_ = state_ == GroupState::empty;
  joined_during_delay_ = false;
  const auto timeout = rebalance_timeout();
  const auto wait = initial_delay_ ? limits_.initial_rebalance_delay : timeout;
  delay_left_ = std::max(timeout - limits_.initial_rebalance_delay, milliseconds(0));
  join_deadline_ = at.now + wait;
  expect_by(*join_deadline_);
  enter(GroupState::preparing_rebalance, at);
  look_at_joins(at, out);
}

void Group::look_at_joins(Moment at, Effects& out) {
  if (state_ != GroupState::preparing_rebalance) return;
  if (initial_delay_) {
    if (*join_deadline_ <= at.now) join_time_is_up(at, out);
  } else if (joining_count_ == members_.size() && pending_.empty()) {
    complete_join(at, out);
  }
}

void Group::join_time_is_up(Moment at, Effects& out) {
  if (initial_delay_ && joined_during_delay_ && delay_left_.count() > 0) {
    joined_during_delay_ = false;
    const auto delay = std::min(limits_.initial_rebalance_delay, delay_left_);
    delay_left_ -= delay;
    expect_by(*(join_deadline_ = at.now + delay));
    return;
  }
  complete_join(at, out);
}

void Group::complete_join(Moment at, Effects& out) {
  initial_delay_ = false;
  for (auto member = members_.begin(); member != members_.end();) {
    const auto one = member++;
    if (one->second.joining || one->second.instance_id) continue;
    out.gone.push_back({one->first, client_of(one->second.client_id, one->second.client_host),
                        fmt::format("it did not join again within {} ms", rebalance_timeout().count())});
    forget(one, out);
  }
  if (!members_.empty() && !elect_leader_who_joined()) {
    // Static members only, and none of them has joined: until one does or their sessions end.
    expect_by(*(join_deadline_ = at.now + std::max(rebalance_timeout(), kShortestWait)));
    return;
  }
  join_deadline_.reset();
  begin_generation(at, out);
}

bool Group::elect_leader_who_joined() {
  if (const auto* leader = leader_ ? find(*leader_) : nullptr; leader && leader->joining) return true;
  const Member* first = nullptr;
  for (const auto& [id, member] : members_)
    if (member.joining && (!first || member.order < first->order)) first = &member;
  if (first) leader_ = first->id;
  return first != nullptr;
}

void Group::begin_generation(Moment at, Effects& out) {
  generation_ = generation_ == std::numeric_limits<std::int32_t>::max() ? 1 : generation_ + 1;
  const auto before = std::exchange(members_before_, members_.size());
  out.generations.push_back({generation_, rebalance_reason_, before, members_.size(), at.now - rebalance_began_});
  if (members_.empty()) {
    protocol_.reset();
    find_topics();
    enter(GroupState::empty, at);
    store(StoringEmptiness{}, out);
    return;
  }
  protocol_ = choose_protocol();
  find_topics();
  enter(GroupState::completing_rebalance, at);
  for (auto& [id, member] : members_) {
    member.is_new = false;
    member.owes_sync = true;
    heard_of(member, at);
    if (!member.joining) continue;  // static, and away
    --joining_count_;
    auto answer = join_answer(member, *std::exchange(member.joining, std::nullopt));
    if (leader_ == id)
      for (const auto& [other, one] : members_)
        answer.members.push_back({other, one.instance_id, one.metadata_for(*protocol_)});
    out.joins.push_back(std::move(answer));
  }
  expect_by(*(sync_deadline_ = at.now + rebalance_timeout()));
}

milliseconds Group::rebalance_timeout() const {
  milliseconds largest{0};
  for (const auto& [id, member] : members_) largest = std::max(largest, member.rebalance_timeout);
  return largest;
}

// Each member votes for the first of its protocols that all support.
std::string Group::choose_protocol() const {
  std::map<std::string_view, std::size_t> votes;
  for (const auto& [id, member] : members_)
    for (const auto& one : member.protocols)
      if (const auto count = protocol_counts_.find(one.name);
          count != protocol_counts_.end() && count->second == members_.size()) {
        ++votes[one.name];
        break;
      }
  const auto most =
      std::max_element(votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == votes.end() ? std::string() : std::string(most->first);
}

bool Group::shares_protocol(std::string_view type, const std::vector<GroupProtocol>& protocols) const {
  if (state_ == GroupState::empty) return !type.empty() && !protocols.empty();
  if (protocol_type_ != type) return false;
  if (members_.empty()) return !protocols.empty();
  return std::any_of(protocols.begin(), protocols.end(), [&](const GroupProtocol& one) {
    const auto count = protocol_counts_.find(one.name);
    return count != protocol_counts_.end() && count->second == members_.size();
  });
}

void Group::count_protocols(const Member& member, int by) {
  std::set<std::string_view> names;  // a client may name one twice
  for (const auto& one : member.protocols) {
    if (!names.insert(one.name).second) continue;
    auto& count = protocol_counts_[one.name];
    count += static_cast<std::size_t>(by);
    if (count == 0) protocol_counts_.erase(one.name);
  }
}

void Group::find_topics() {
  topics_.reset();
  if (!is_consumer_group()) return;
  topics_.emplace();
  if (members_.empty() || !protocol_) {
    if (!members_.empty()) topics_.reset();
    return;
  }
  for (const auto& [id, member] : members_) {
    protocol::ConsumerSubscription subscription;
    const auto& bytes = member.metadata_for(*protocol_);
    if (!protocol::read_versioned(std::as_bytes(std::span(bytes)), subscription,
                                  protocol::NewerVersions::as_the_newest)) {
      topics_.reset();
      return;
    }
    for (auto& topic : subscription.topics) topics_->insert(std::move(topic));
  }
}

}  // namespace broker
