#include "broker/group/group.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "broker/internal_topics/append_errors.h"
#include "protocol/internal/assignment.h"
#include "protocol/internal/versioned.h"

namespace broker {
namespace {

using base::ErrorCode;
using std::chrono::milliseconds;

// A new member cannot send heartbeats before its first join is answered, and nobody sees its connection break. It is
// forgotten after this, so that clients that give up and try again do not fill the group.
constexpr milliseconds kNewMemberPatience = std::chrono::minutes(5);

// Clients may ask for no time at all; we do not look more often than this.
constexpr milliseconds kShortestWait{1000};

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

std::string with_reason(std::string what, std::string_view client_reason) {
  if (!client_reason.empty()) what += fmt::format(" (it says: {})", client_reason);
  return what;
}

std::string client_of(std::string_view id, std::string_view host) { return fmt::format("{} at {}", id, host); }

}  // namespace

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

// ---- joining -------------------------------------------------------------------------------------------------------

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

// ---- rebalancing ---------------------------------------------------------------------------------------------------

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

// ---- syncing -------------------------------------------------------------------------------------------------------

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
