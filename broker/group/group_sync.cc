// After the joins: the leader's assignment is stored and handed out; so is the word of static members replaced.
#include <fmt/format.h>

#include <algorithm>

#include "broker/group/group.h"
#include "broker/group/group_words.h"
#include "broker/internal_topics/append_errors.h"

namespace broker {

using base::ErrorCode;
using std::chrono::milliseconds;

namespace {
// What members are told when the group's record could not be written.
ErrorCode told_of_failed_store(ErrorCode code) {
  switch (code) {
    case ErrorCode::request_timed_out:
      return ErrorCode::rebalance_in_progress;
    case ErrorCode::message_too_large:
    case ErrorCode::record_list_too_large:
    case ErrorCode::invalid_fetch_size:
      return ErrorCode::unknown_server_error;
    default:
      return coordinator_code(code);
  }
}
}  // namespace

SyncAnswer Group::sync_answer(const Member& member, Ticket ticket, ErrorCode code) const {
  SyncAnswer answer;
  answer.ticket = ticket;
  answer.error = code;
  if (code != ErrorCode::none) return answer;
  answer.protocol_type = protocol_type_;
  answer.protocol = protocol_;
  answer.assignment = member.assignment;
  return answer;
}

void Group::sync(SyncCall call, Moment at, Effects& out) {
  const auto refuse = [&](ErrorCode code) {
    SyncAnswer answer;
    answer.ticket = call.ticket;
    answer.error = code;
    out.syncs.push_back(std::move(answer));
  };
  if (state_ == GroupState::dead) return refuse(ErrorCode::coordinator_not_available);
  if (const auto code = check_member(call.from.member_id, call.from.instance_id); code != ErrorCode::none)
    return refuse(code);
  if (call.from.generation != generation_) return refuse(ErrorCode::illegal_generation);
  if ((call.protocol_type && call.protocol_type != protocol_type_) || (call.protocol && call.protocol != protocol_))
    return refuse(ErrorCode::inconsistent_group_protocol);
  auto& member = *find(call.from.member_id);
  switch (state_) {
    case GroupState::empty:
    case GroupState::dead:
      return refuse(ErrorCode::unknown_member_id);
    case GroupState::preparing_rebalance:
      return refuse(ErrorCode::rebalance_in_progress);
    case GroupState::completing_rebalance:
      if (member.syncing)  // it asks again, on another connection
        out.syncs.push_back(sync_answer(member, *member.syncing, ErrorCode::rebalance_in_progress));
      member.syncing = call.ticket;
      member.owes_sync = false;
      if (leader_ == member.id) store_assignment(call, out);
      return;
    case GroupState::stable:
      member.owes_sync = false;
      heard_of(member, at);
      out.syncs.push_back(sync_answer(member, call.ticket, ErrorCode::none));
  }
}

void Group::store_assignment(SyncCall& call, Effects& out) {
  StoringAssignment what{generation_, {}};
  for (auto& [id, assignment] : call.assignments) what.assignments[std::move(id)] = std::move(assignment);
  store(std::move(what), out);
}

void Group::store(Storing what, Effects& out) {
  const auto number = next_store_++;
  const auto* assignment = std::get_if<StoringAssignment>(&what);
  protocol::GroupRecordValue value;
  value.protocol_type = protocol_type_.value_or("");
  value.generation = generation_;
  value.protocol = protocol_;
  value.leader = leader_;
  value.current_state_timestamp = state_since_ ? base::to_ms(*state_since_) : -1;
  for (const auto& [id, member] : members_) {
    protocol::GroupRecordMember stored;
    stored.member_id = id;
    stored.group_instance_id = member.instance_id;
    stored.client_id = member.client_id;
    stored.client_host = member.client_host;
    stored.rebalance_timeout = static_cast<std::int32_t>(member.rebalance_timeout.count());
    stored.session_timeout = static_cast<std::int32_t>(member.session_timeout.count());
    if (protocol_) stored.subscription.raw = member.metadata_for(*protocol_);
    if (!assignment) {
      stored.assignment.raw = member.assignment;
    } else if (const auto found = assignment->assignments.find(id); found != assignment->assignments.end()) {
      stored.assignment.raw = found->second;
    }
    value.members.push_back(std::move(stored));
  }
  storing_.emplace(number, std::move(what));
  out.stores.push_back({number, std::move(value)});
}

void Group::stored(std::uint64_t number, ErrorCode outcome, Moment at, Effects& out) {
  auto node = storing_.extract(number);
  if (node.empty() || state_ == GroupState::dead) return;
  const auto code = told_of_failed_store(outcome);
  if (auto* assignment = std::get_if<StoringAssignment>(&node.mapped()))
    return assignment_stored(*assignment, code, at, out);
  if (auto* replacement = std::get_if<StoringReplacement>(&node.mapped()))
    return replacement_stored(*replacement, code, at, out);
  // Emptiness: should it be lost, the generation before comes back with the next load, and its members' sessions end.
}

void Group::assignment_stored(StoringAssignment& what, ErrorCode code, Moment at, Effects& out) {
  // Another rebalance may have begun meanwhile.
  if (state_ != GroupState::completing_rebalance || generation_ != what.generation) return;
  if (code != ErrorCode::none) {
    for (auto& [id, member] : members_) member.assignment.clear();
    hand_out(code, at, out);
    prepare_rebalance(fmt::format("the assignment could not be stored: {}", base::error_name(code)), at, out);
    return;
  }
  for (auto& [id, member] : members_) {
    const auto found = what.assignments.find(id);
    member.assignment = found == what.assignments.end() ? std::string() : std::move(found->second);
  }
  hand_out(ErrorCode::none, at, out);
  enter(GroupState::stable, at);
}

void Group::hand_out(ErrorCode code, Moment at, Effects& out) {
  for (auto& [id, member] : members_) {
    if (!member.syncing) continue;
    out.syncs.push_back(sync_answer(member, *std::exchange(member.syncing, std::nullopt), code));
    heard_of(member, at);
  }
}

void Group::replacement_stored(StoringReplacement& what, ErrorCode code, Moment at, Effects& out) {
  auto* member = find(what.new_id);
  if (!member || member->joining != what.ticket) return;                // replaced again, or answered by a rebalance
  if (code != ErrorCode::none && state_ != GroupState::stable) return;  // it takes part in the rebalance
  member->joining.reset();
  --joining_count_;
  if (code == ErrorCode::none) {
    auto answer = join_answer(*member, what.ticket);
    const bool leads = leader_ == member->id;
    if (!what.may_skip_assignment) {
      // Told who led before, a leader that came back does not assign, which nobody would wait for.
      answer.leader = what.leader_before;
    } else if (leads) {
      answer.skip_assignment = true;
      for (const auto& [id, one] : members_)
        answer.members.push_back({id, one.instance_id, one.metadata_for(*protocol_)});
    }
    heard_of(*member, at);
    out.joins.push_back(std::move(answer));
    return;
  }
  auto& old = rename(what.new_id, what.old_id);
  count_protocols(old, -1);
  old.protocols = std::move(what.old_protocols);
  count_protocols(old, +1);
  old.session_timeout = what.old_session_timeout;
  old.rebalance_timeout = what.old_rebalance_timeout;
  heard_of(old, at);
  find_topics();
  auto answer = join_answer(old, what.ticket);
  answer.member_id.clear();
  answer.leader = what.leader_before;
  answer.error = code;
  out.joins.push_back(std::move(answer));
}

void Group::sync_time_is_up(Moment at, Effects& out) {
  sync_deadline_.reset();
  if (state_ != GroupState::completing_rebalance && state_ != GroupState::stable) return;
  std::string gone;
  for (auto member = members_.begin(); member != members_.end();) {
    const auto one = member++;
    if (!one->second.owes_sync) continue;
    gone += (gone.empty() ? "" : ", ") + one->first;
    out.gone.push_back(
        {one->first, client_of(one->second.client_id, one->second.client_host), "it never fetched its assignment"});
    forget(one, out);
  }
  if (!gone.empty()) prepare_rebalance(fmt::format("members that never synced were removed: {}", gone), at, out);
}

}  // namespace broker
