#include "broker/handlers/groups.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <string_view>

#include "broker/dispatch/reply.h"
#include "broker/handlers/cluster_view.h"
#include "protocol/messages/delete_groups.h"
#include "protocol/messages/describe_groups.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/sync_group.h"

namespace broker {
namespace {

using base::ErrorCode;
using std::chrono::milliseconds;

constexpr std::int16_t kRebalanceTimeoutSince = 1;
constexpr std::int16_t kMemberIdRequiredSince = 4;
constexpr std::int16_t kProtocolNullSince = 7;
constexpr std::int16_t kSkipAssignmentSince = 9;
constexpr std::int16_t kSyncNamesProtocolSince = 5;
constexpr std::int16_t kLeaveManySince = 3;
constexpr std::string_view kClassic = "classic";

bool same_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

bool passes(const std::vector<std::string>& filter, std::string_view what) {
  return filter.empty() ||
         std::any_of(filter.begin(), filter.end(), [&](const auto& one) { return same_ignoring_case(one, what); });
}

// What is needed to answer once the request is gone.
struct Owed {
  Owed(const Request& request, AnswerSlot answer)
      : slot(std::move(answer)), correlation_id(request.correlation_id()), version(request.version()) {}

  template <class Response>
  void fill(const Response& response) {
    slot.fill(protocol::encode_response(correlation_id, version, response));
  }

  AnswerSlot slot;
  const std::int32_t correlation_id;
  const std::int16_t version;
};

}  // namespace

void JoinGroupHandler::operator()(Request& request, AnswerSlot answer) const {
  protocol::JoinGroupRequest in;
  if (!read_body(request, answer, in)) return;
  JoinCall call;
  call.member_id = std::move(in.member_id);
  call.instance_id = std::move(in.group_instance_id);
  call.client_id = request.session.client_id;
  call.client_host = "/" + request.session.peer_address;  // as Java writes an address
  call.session_timeout = milliseconds(in.session_timeout_ms);
  call.rebalance_timeout =
      milliseconds(request.version() >= kRebalanceTimeoutSince ? in.rebalance_timeout_ms : in.session_timeout_ms);
  call.protocol_type = std::move(in.protocol_type);
  for (auto& one : in.protocols) call.protocols.push_back({std::move(one.name), std::move(one.metadata.raw)});
  call.reason = std::move(in.reason).value_or("");
  call.member_id_required = request.version() >= kMemberIdRequiredSince;
  call.may_skip_assignment = request.version() >= kSkipAssignmentSince;

  auto owed = std::make_shared<Owed>(request, std::move(answer));
  groups_.join(in.group_id, std::move(call), [owed](const JoinAnswer& joined) {
    protocol::JoinGroupResponse out;
    out.error_code = joined.error;
    out.generation_id = joined.generation;
    out.protocol_type = joined.protocol_type;
    out.protocol_name = joined.protocol;
    if (owed->version < kProtocolNullSince && !out.protocol_name) out.protocol_name.emplace();
    out.leader = joined.leader;
    out.skip_assignment = joined.skip_assignment;
    out.member_id = joined.member_id;
    for (const auto& member : joined.members) out.members.push_back({member.id, member.instance_id, {member.metadata}});
    owed->fill(out);
  });
}

void SyncGroupHandler::operator()(Request& request, AnswerSlot answer) const {
  protocol::SyncGroupRequest in;
  if (!read_body(request, answer, in)) return;
  if (request.version() >= kSyncNamesProtocolSince && (!in.protocol_type || !in.protocol_name)) {
    protocol::SyncGroupResponse out;
    out.error_code = ErrorCode::inconsistent_group_protocol;
    return reply(answer, request, out);
  }
  SyncCall call;
  call.from = {std::move(in.member_id), std::move(in.group_instance_id), in.generation_id};
  call.protocol_type = std::move(in.protocol_type);
  call.protocol = std::move(in.protocol_name);
  for (auto& one : in.assignments)
    call.assignments.emplace_back(std::move(one.member_id), std::move(one.assignment.raw));

  auto owed = std::make_shared<Owed>(request, std::move(answer));
  groups_.sync(in.group_id, std::move(call), [owed](const SyncAnswer& synced) {
    protocol::SyncGroupResponse out;
    out.error_code = synced.error;
    out.protocol_type = synced.protocol_type;
    out.protocol_name = synced.protocol;
    out.assignment.raw = synced.assignment;
    owed->fill(out);
  });
}

void HeartbeatHandler::operator()(Request& request, AnswerSlot answer) const {
  protocol::HeartbeatRequest in;
  if (!read_body(request, answer, in)) return;
  protocol::HeartbeatResponse out;
  out.error_code =
      groups_.heartbeat(in.group_id, {std::move(in.member_id), std::move(in.group_instance_id), in.generation_id});
  reply(answer, request, out);
}

void LeaveGroupHandler::operator()(Request& request, AnswerSlot answer) const {
  protocol::LeaveGroupRequest in;
  if (!read_body(request, answer, in)) return;
  const bool many = request.version() >= kLeaveManySince;
  std::vector<LeaveCall> calls;
  if (many)
    for (const auto& one : in.members) calls.push_back({one.member_id, one.group_instance_id, one.reason.value_or("")});
  else
    calls.push_back({in.member_id, std::nullopt, {}});
  const auto outcome = groups_.leave(in.group_id, calls);

  protocol::LeaveGroupResponse out;
  out.error_code = outcome.error;
  if (outcome.error == ErrorCode::none) {
    if (!many) out.error_code = outcome.members.front();
    for (std::size_t i = 0; many && i < calls.size(); ++i)
      out.members.push_back({std::move(calls[i].member_id), std::move(calls[i].instance_id), outcome.members[i]});
  }
  reply(answer, request, out);
}

void DescribeGroupsHandler::operator()(Request& request, AnswerSlot answer) const {
  protocol::DescribeGroupsRequest in;
  if (!read_body(request, answer, in)) return;
  protocol::DescribeGroupsResponse out;
  for (auto& id : in.groups) {
    auto known = groups_.describe(id);
    auto& group = out.groups.emplace_back();
    group.group_id = std::move(id);
    group.error_code = known.error;
    if (known.error != ErrorCode::none) continue;
    group.group_state = group_state_name(known.state);
    group.protocol_type = std::move(known.protocol_type);
    group.protocol_data = std::move(known.protocol);
    for (auto& member : known.members)
      group.members.push_back({std::move(member.id),
                               std::move(member.instance_id),
                               std::move(member.client_id),
                               std::move(member.client_host),
                               {std::move(member.metadata)},
                               {std::move(member.assignment)}});
    if (in.include_authorized_operations) group.authorized_operations = kAllGroupOperations;
  }
  reply(answer, request, out);
}

void ListGroupsHandler::operator()(Request& request, AnswerSlot answer) const {
  protocol::ListGroupsRequest in;
  if (!read_body(request, answer, in)) return;
  auto known = groups_.list();
  protocol::ListGroupsResponse out;
  out.error_code = known.error;
  if (passes(in.types_filter, kClassic))
    for (auto& group : known.groups) {
      const std::string state(group_state_name(group.state));
      if (passes(in.states_filter, state))
        out.groups.push_back({std::move(group.id), std::move(group.protocol_type), state, std::string(kClassic)});
    }
  reply(answer, request, out);
}

void DeleteGroupsHandler::operator()(Request& request, AnswerSlot answer) const {
  protocol::DeleteGroupsRequest in;
  if (!read_body(request, answer, in)) return;
  protocol::DeleteGroupsResponse out;
  std::set<std::string_view> seen;
  for (const auto& id : in.groups_names)
    if (seen.insert(id).second) out.results.push_back({id, groups_.delete_group(id)});
  reply(answer, request, out);
}

}  // namespace broker
