// ControlledShutdown, AlterPartition: what brokers ask of the controller.
#pragma once

#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "replication/controller/controller.h"

namespace broker {

// Any loop may call; answers come from the coordination loop. Outlived by their parts.
class ControlledShutdownHandler {
 public:
  explicit ControlledShutdownHandler(replication::Controller& controller) : controller_(controller) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  replication::Controller& controller_;
};

class AlterPartitionHandler {
 public:
  explicit AlterPartitionHandler(replication::Controller& controller) : controller_(controller) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  replication::Controller& controller_;
};

}  // namespace broker
