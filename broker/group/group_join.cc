// Joining a group: new members, known ones, static ones that come back.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "broker/group/group.h"
#include "broker/group/group_words.h"

namespace broker {

using base::ErrorCode;
using std::chrono::milliseconds;

JoinAnswer Group::join_refusal(Ticket ticket, ErrorCode code, std::string member_id) {
  JoinAnswer answer;
  answer.ticket = ticket;
  answer.error = code;
  answer.member_id = std::move(member_id);
  return answer;
}

JoinAnswer Group::join_answer(const Member& member, Ticket ticket) const {
  JoinAnswer answer;
  answer.ticket = ticket;
  answer.member_id = member.id;
  answer.generation = generation_;
  answer.protocol_type = protocol_type_;
  answer.protocol = protocol_;
  answer.leader = leader_.value_or("");
  return answer;
}

bool Group::has_room_for(std::string_view member_id) const {
  const auto member = members_.find(member_id);
  const bool known = member != members_.end();
  switch (state_) {
    case GroupState::empty:
    case GroupState::dead:
      return true;
    case GroupState::preparing_rebalance:
      return (known && member->second.joining) || joining_count_ < limits_.max_size;
    case GroupState::completing_rebalance:
    case GroupState::stable:
      return known || members_.size() < limits_.max_size;
  }
  return false;
}

void Group::join(JoinCall call, Moment at, Effects& out) {
  if (state_ == GroupState::dead) {
    out.joins.push_back(join_refusal(call.ticket, ErrorCode::coordinator_not_available, std::move(call.member_id)));
    return;
  }
  if (!has_room_for(call.member_id)) {
    if (const auto member = members_.find(call.member_id); member != members_.end()) forget(member, out);
    out.joins.push_back(join_refusal(call.ticket, ErrorCode::group_max_size_reached));
  } else if (!shares_protocol(call.protocol_type, call.protocols)) {
    out.joins.push_back(join_refusal(call.ticket, ErrorCode::inconsistent_group_protocol, std::move(call.member_id)));
  } else if (call.member_id.empty()) {
    join_as_new(call, at, out);
  } else {
    join_as_known(call, at, out);
  }
  look_at_joins(at, out);
}

void Group::join_as_new(JoinCall& call, Moment at, Effects& out) {
  auto id = (call.instance_id ? *call.instance_id : call.client_id) + "-" + call.fresh_id;
  if (call.instance_id) {
    if (const auto old = static_ids_.find(*call.instance_id); old != static_ids_.end())
      return replace_static(std::string(old->second), std::move(id), call, at, out);
    return add_member(std::move(id), call, at, out);
  }
  if (!call.member_id_required) return add_member(std::move(id), call, at, out);
  const auto deadline = at.now + call.session_timeout;
  pending_[id] = deadline;
  expect_by(deadline);
  out.joins.push_back(join_refusal(call.ticket, ErrorCode::member_id_required, std::move(id)));
}

void Group::join_as_known(JoinCall& call, Moment at, Effects& out) {
  if (!call.instance_id && pending_.contains(call.member_id)) {
    auto id = call.member_id;
    return add_member(std::move(id), call, at, out);
  }
  if (const auto code = check_member(call.member_id, call.instance_id); code != ErrorCode::none) {
    out.joins.push_back(join_refusal(call.ticket, code, std::move(call.member_id)));
    return;
  }
  rejoin(*find(call.member_id), call, at, out);
}

void Group::rejoin(Member& member, JoinCall& call, Moment at, Effects& out) {
  const bool leads = leader_ == member.id;
  const bool same = member.protocols == call.protocols;
  auto changed = [&] { return fmt::format("member {} joined again and wants something else", member.id); };
  switch (state_) {
    case GroupState::preparing_rebalance:
      return update_and_rebalance(member, call, {}, at, out);
    case GroupState::completing_rebalance: {
      if (!same) return update_and_rebalance(member, call, changed(), at, out);
      // It has perhaps not received what it was told.
      auto answer = join_answer(member, call.ticket);
      if (leads)
        for (const auto& [id, one] : members_)
          answer.members.push_back({id, one.instance_id, one.metadata_for(*protocol_)});
      out.joins.push_back(std::move(answer));
      return;
    }
    case GroupState::stable:
      // The leader sees more than its subscription, such as new partitions: it may ask for another assignment.
      if (leads) return update_and_rebalance(member, call, fmt::format("leader {} joined again", member.id), at, out);
      if (!same) return update_and_rebalance(member, call, changed(), at, out);
      out.joins.push_back(join_answer(member, call.ticket));
      return;
    case GroupState::empty:
    case GroupState::dead:
      out.joins.push_back(join_refusal(call.ticket, ErrorCode::unknown_member_id, std::move(call.member_id)));
  }
}

void Group::add_member(std::string id, JoinCall& call, Moment at, Effects& out) {
  pending_.erase(id);
  if (members_.empty()) protocol_type_ = call.protocol_type;
  if (!leader_) leader_ = id;
  if (call.instance_id) static_ids_[*call.instance_id] = id;
  if (state_ == GroupState::preparing_rebalance && generation_ == 0) joined_during_delay_ = true;

  auto reason = with_reason(
      fmt::format("member {} of client {} joined", id, client_of(call.client_id, call.client_host)), call.reason);
  auto& member = members_[id];
  member.id = std::move(id);
  member.instance_id = std::move(call.instance_id);
  member.client_id = std::move(call.client_id);
  member.client_host = std::move(call.client_host);
  member.order = next_order_++;
  member.is_new = true;
  update(member, call, out);
  expect_by(member.deadline = at.now + std::max(kNewMemberPatience, member.session_timeout));
  maybe_prepare_rebalance(std::move(reason), at, out);
}

// A process that was restarted under its old name. While nothing changes for the others, nothing is asked of them.
void Group::replace_static(const std::string& old_id, std::string new_id, JoinCall& call, Moment at, Effects& out) {
  StoringReplacement replacement{.old_id = old_id,
                                 .new_id = new_id,
                                 .leader_before = leader_.value_or(""),
                                 .old_protocols = {},
                                 .ticket = call.ticket,
                                 .may_skip_assignment = call.may_skip_assignment};
  auto& member = rename(old_id, new_id);
  const auto fenced = [&](std::optional<Ticket>& ticket) { return *std::exchange(ticket, std::nullopt); };
  if (member.joining) {
    --joining_count_;
    out.joins.push_back(join_refusal(fenced(member.joining), ErrorCode::fenced_instance_id, old_id));
  }
  if (member.syncing) out.syncs.push_back(sync_answer(member, fenced(member.syncing), ErrorCode::fenced_instance_id));
  replacement.old_protocols = member.protocols;
  replacement.old_session_timeout = member.session_timeout;
  replacement.old_rebalance_timeout = member.rebalance_timeout;
  auto reason = with_reason(fmt::format("static member {} came back as {}", *member.instance_id, new_id), call.reason);
  update(member, call, out);
  heard_of(member, at);

  if (state_ == GroupState::completing_rebalance) return prepare_rebalance(std::move(reason), at, out);
  if (state_ != GroupState::stable) return;
  if (choose_protocol() != protocol_) return prepare_rebalance(std::move(reason), at, out);
  find_topics();
  store(std::move(replacement), out);
}

Group::Member& Group::rename(const std::string& old_id, const std::string& new_id) {
  auto node = members_.extract(old_id);
  base::invariant(!node.empty(), "a static id names a member");
  node.key() = new_id;
  node.mapped().id = new_id;
  if (leader_ == old_id) leader_ = new_id;
  static_ids_[*node.mapped().instance_id] = new_id;
  return members_.insert(std::move(node)).position->second;
}

void Group::update(Member& member, JoinCall& call, Effects& out) {
  count_protocols(member, -1);
  member.protocols = std::move(call.protocols);
  count_protocols(member, +1);
  member.session_timeout = call.session_timeout;
  member.rebalance_timeout = call.rebalance_timeout;
  if (member.joining)  // it asks again, on another connection; nobody is likely to read this
    out.joins.push_back(join_refusal(*member.joining, ErrorCode::coordinator_load_in_progress, member.id));
  else
    ++joining_count_;
  member.joining = call.ticket;
}

void Group::update_and_rebalance(Member& member, JoinCall& call, std::string reason, Moment at, Effects& out) {
  reason = with_reason(std::move(reason), call.reason);
  update(member, call, out);
  maybe_prepare_rebalance(std::move(reason), at, out);
}

}  // namespace broker
