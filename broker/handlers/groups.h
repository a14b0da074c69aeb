// Membership in groups: JoinGroup, SyncGroup, Heartbeat, LeaveGroup; and what administrators ask of groups:
// DescribeGroups, ListGroups, DeleteGroups. Between the wire and the coordinator, no rules.
//
// JoinGroup and SyncGroup are answered when the group is ready, which may take minutes: their connection reads no
// further meanwhile.
#pragma once

#include "broker/dispatch/request.h"
#include "broker/group/coordinator.h"
#include "broker/network/answers.h"

namespace broker {

// Of all of them: any loop may call. Outlived by the coordinator.
class GroupHandler {
 public:
  explicit GroupHandler(GroupCoordinator& groups) : groups_(groups) {}

 protected:
  GroupCoordinator& groups_;
};

struct JoinGroupHandler : GroupHandler {
  using GroupHandler::GroupHandler;
  void operator()(Request& request, AnswerSlot answer) const;
};
struct SyncGroupHandler : GroupHandler {
  using GroupHandler::GroupHandler;
  void operator()(Request& request, AnswerSlot answer) const;
};
struct HeartbeatHandler : GroupHandler {
  using GroupHandler::GroupHandler;
  void operator()(Request& request, AnswerSlot answer) const;
};
struct LeaveGroupHandler : GroupHandler {
  using GroupHandler::GroupHandler;
  void operator()(Request& request, AnswerSlot answer) const;
};
struct DescribeGroupsHandler : GroupHandler {
  using GroupHandler::GroupHandler;
  void operator()(Request& request, AnswerSlot answer) const;
};
struct ListGroupsHandler : GroupHandler {
  using GroupHandler::GroupHandler;
  void operator()(Request& request, AnswerSlot answer) const;
};
struct DeleteGroupsHandler : GroupHandler {
  using GroupHandler::GroupHandler;
  void operator()(Request& request, AnswerSlot answer) const;
};

}  // namespace broker
