// ElectLeaders, AlterPartitionReassignments, ListPartitionReassignments: who leads, and where replicas are to be.
#pragma once

#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "replication/controller/controller.h"

namespace broker {

// Any loop may call; answers come from the coordination loop. Outlived by their parts.
class ElectLeadersHandler {
 public:
  explicit ElectLeadersHandler(replication::Controller& controller) : controller_(controller) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  replication::Controller& controller_;
};

class AlterPartitionReassignmentsHandler {
 public:
  explicit AlterPartitionReassignmentsHandler(replication::Controller& controller) : controller_(controller) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  replication::Controller& controller_;
};

class ListPartitionReassignmentsHandler {
 public:
  explicit ListPartitionReassignmentsHandler(replication::Controller& controller) : controller_(controller) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  replication::Controller& controller_;
};

}  // namespace broker
