#include "broker/group/group.h"

#include <algorithm>

#include "broker/group/group_words.h"

namespace broker {

using base::ErrorCode;
using std::chrono::milliseconds;

std::string_view group_state_name(GroupState state) {
  switch (state) {
    case GroupState::empty:
      return "Empty";
    case GroupState::preparing_rebalance:
      return "PreparingRebalance";
    case GroupState::completing_rebalance:
      return "CompletingRebalance";
    case GroupState::stable:
      return "Stable";
    case GroupState::dead:
      return "Dead";
  }
  return "Unknown";
}

const std::string& Group::Member::metadata_for(std::string_view protocol) const {
  static const std::string kNothing;
  for (const auto& one : protocols)
    if (one.name == protocol) return one.metadata;
  return kNothing;
}

Group::Group(GroupLimits limits, Moment at) : limits_(limits), state_since_(at.wall) {}

Group Group::from_record(const protocol::GroupRecordValue& record, GroupLimits limits, Moment at, Effects& out) {
  Group group(limits, at);
  group.state_since_.reset();
  if (record.current_state_timestamp >= 0) group.state_since_ = base::timestamp_from_ms(record.current_state_timestamp);
  group.generation_ = record.generation;
  if (!record.protocol_type.empty()) group.protocol_type_ = record.protocol_type;
  for (const auto& stored : record.members) {
    const auto [place, added] = group.members_.try_emplace(stored.member_id);
    if (!added || (stored.group_instance_id && group.static_ids_.contains(*stored.group_instance_id))) {
      if (added) group.members_.erase(place);
      continue;
    }
    auto& member = place->second;
    member.id = stored.member_id;
    member.instance_id = stored.group_instance_id;
    member.client_id = stored.client_id;
    member.client_host = stored.client_host;
    member.session_timeout = milliseconds(stored.session_timeout);
    member.rebalance_timeout = milliseconds(stored.rebalance_or_session_timeout());
    member.protocols = {{record.protocol.value_or(""), stored.subscription.raw}};
    member.assignment = stored.assignment.raw;
    member.order = group.next_order_++;
    if (stored.group_instance_id) group.static_ids_[*stored.group_instance_id] = stored.member_id;
    group.count_protocols(member, +1);
    group.heard_of(member, at);
  }
  if (!group.members_.empty()) {
    group.state_ = GroupState::stable;
    group.protocol_ = record.protocol.value_or("");
    group.leader_ = record.leader;
    if (!group.leader_ || !group.find(*group.leader_)) group.leader_ = group.members_.begin()->first;
  }
  group.members_before_ = group.members_.size();
  group.find_topics();
  // Its members get a chance to commit before some are turned away.
  if (group.members_.size() > limits.max_size)
    group.prepare_rebalance("it was loaded with more members than group.max.size allows", at, out);
  return group;
}

// ---- members -------------------------------------------------------------------------------------------------------

Group::Member* Group::find(std::string_view member_id) {
  const auto found = members_.find(member_id);
  return found == members_.end() ? nullptr : &found->second;
}

ErrorCode Group::check_member(std::string_view member_id, const std::optional<std::string>& instance_id) const {
  if (instance_id) {
    const auto known = static_ids_.find(*instance_id);
    if (known == static_ids_.end()) return ErrorCode::unknown_member_id;
    if (known->second != member_id) return ErrorCode::fenced_instance_id;
  }
  return members_.contains(member_id) ? ErrorCode::none : ErrorCode::unknown_member_id;
}

ErrorCode Group::heartbeat(const MemberCall& call, Moment at) {
  if (state_ == GroupState::dead) return ErrorCode::coordinator_not_available;
  if (const auto code = check_member(call.member_id, call.instance_id); code != ErrorCode::none) return code;
  if (call.generation != generation_) return ErrorCode::illegal_generation;
  if (state_ == GroupState::empty) return ErrorCode::unknown_member_id;
  heard_of(*find(call.member_id), at);
  return state_ == GroupState::preparing_rebalance ? ErrorCode::rebalance_in_progress : ErrorCode::none;
}

ErrorCode Group::leave(const LeaveCall& call, Moment at, Effects& out) {
  if (state_ == GroupState::dead) return ErrorCode::coordinator_not_available;
  if (!call.instance_id && pending_.erase(call.member_id) > 0) {
    look_at_joins(at, out);
    return ErrorCode::none;
  }
  std::string id = call.member_id;
  if (id.empty()) {  // an administrator removes a static member
    const auto known = call.instance_id ? static_ids_.find(*call.instance_id) : static_ids_.end();
    if (known == static_ids_.end()) return ErrorCode::unknown_member_id;
    id = known->second;
  }
  if (const auto code = check_member(id, call.instance_id); code != ErrorCode::none) return code;
  remove(members_.find(id), with_reason("it left", call.reason), at, out);
  return ErrorCode::none;
}

ErrorCode Group::may_commit(const CommitCall& call, Moment at) {
  if (state_ == GroupState::dead) return ErrorCode::coordinator_not_available;
  const auto& from = call.from;
  if (from.generation < 0 && state_ == GroupState::empty) return ErrorCode::none;
  if (from.generation >= 0 || !from.member_id.empty() || from.instance_id) {
    if (const auto code = check_member(from.member_id, from.instance_id); code != ErrorCode::none) return code;
    if (from.generation != generation_) return ErrorCode::illegal_generation;
  } else if (!call.transactional) {
    return ErrorCode::unknown_member_id;  // offsets of a group with members are its members' business
  }
  if (call.transactional) return ErrorCode::none;
  if (state_ == GroupState::completing_rebalance) return ErrorCode::rebalance_in_progress;
  heard_of(*find(from.member_id), at);
  return ErrorCode::none;
}

void Group::forget(Members::iterator place, Effects& out) {
  auto& member = place->second;
  if (member.joining) {
    --joining_count_;
    out.joins.push_back(join_refusal(*member.joining, ErrorCode::unknown_member_id));
  }
  if (member.syncing) out.syncs.push_back(sync_answer(member, *member.syncing, ErrorCode::unknown_member_id));
  count_protocols(member, -1);
  if (member.instance_id) static_ids_.erase(*member.instance_id);
  const bool led = leader_ == member.id;
  members_.erase(place);
  if (!led) return;
  leader_.reset();
  const auto oldest = std::min_element(members_.begin(), members_.end(),
                                       [](const auto& a, const auto& b) { return a.second.order < b.second.order; });
  if (oldest != members_.end()) leader_ = oldest->first;
}

void Group::remove(Members::iterator place, std::string why, Moment at, Effects& out) {
  const auto id = place->first;
  out.gone.push_back({id, client_of(place->second.client_id, place->second.client_host), why});
  forget(place, out);
  maybe_prepare_rebalance(fmt::format("member {} is gone: {}", id, why), at, out);
  look_at_joins(at, out);
}

void Group::expire(Moment at, Effects& out) {
  if (state_ == GroupState::dead) return;
  std::erase_if(pending_, [&](const auto& one) { return one.second <= at.now; });
  std::vector<std::string> silent;
  for (const auto& [id, member] : members_)
    if (member.deadline <= at.now && (member.is_new || !member.waits())) silent.push_back(id);
  for (const auto& id : silent)
    if (const auto member = members_.find(id); member != members_.end() && member->second.deadline <= at.now)
      remove(member,
             fmt::format("nothing was heard of it for {} ms",
                         (member->second.is_new ? std::max(kNewMemberPatience, member->second.session_timeout)
                                                : member->second.session_timeout)
                             .count()),
             at, out);
  look_at_joins(at, out);
  if (join_deadline_ && *join_deadline_ <= at.now) join_time_is_up(at, out);
  if (sync_deadline_ && *sync_deadline_ <= at.now) sync_time_is_up(at, out);
  find_next_deadline();
}

void Group::kill(ErrorCode why, Effects& out) {
  for (auto& [id, member] : members_) {
    if (member.joining) out.joins.push_back(join_refusal(*std::exchange(member.joining, {}), why, id));
    if (member.syncing) out.syncs.push_back(sync_answer(member, *std::exchange(member.syncing, {}), why));
  }
  joining_count_ = 0;
  state_ = GroupState::dead;
  storing_.clear();
  next_deadline_.reset();
}

void Group::expect_by(base::Instant deadline) {
  if (!next_deadline_ || deadline < *next_deadline_) next_deadline_ = deadline;
}

void Group::find_next_deadline() {
  next_deadline_.reset();
  if (join_deadline_) expect_by(*join_deadline_);
  if (sync_deadline_) expect_by(*sync_deadline_);
  for (const auto& [id, deadline] : pending_) expect_by(deadline);
  // Who waits is alive, and gets another deadline with the answer.
  for (const auto& [id, member] : members_)
    if (member.is_new || !member.waits()) expect_by(member.deadline);
}

void Group::enter(GroupState state, Moment at) {
  state_ = state;
  state_since_ = at.wall;
}

std::vector<MemberView> Group::members() const {
  std::vector<MemberView> out;
  for (const auto& [id, member] : members_) {
    MemberView view{id, member.instance_id, member.client_id, member.client_host, {}, {}};
    if (state_ == GroupState::stable) {
      view.metadata = member.metadata_for(protocol_.value_or(""));
      view.assignment = member.assignment;
    }
    out.push_back(std::move(view));
  }
  return out;
}

bool Group::is_consumer_group() const { return protocol_type_ == "consumer"; }

}  // namespace broker
