// CreateTopics, DeleteTopics, CreatePartitions: what clients ask of the controller.
#pragma once

#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "config/dynamic.h"
#include "replication/controller/controller.h"

namespace broker {

// Any loop may call; answers come from the coordination loop. Outlived by their parts.
class CreateTopicsHandler {
 public:
  CreateTopicsHandler(const config::DynamicSettings& settings, replication::Controller& controller)
      : settings_(settings), controller_(controller) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const config::DynamicSettings& settings_;
  replication::Controller& controller_;
};

class DeleteTopicsHandler {
 public:
  explicit DeleteTopicsHandler(replication::Controller& controller) : controller_(controller) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  replication::Controller& controller_;
};

class CreatePartitionsHandler {
 public:
  explicit CreatePartitionsHandler(replication::Controller& controller) : controller_(controller) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  replication::Controller& controller_;
};

}  // namespace broker
