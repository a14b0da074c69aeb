// Topics that are made on the way, because somebody asked for them: by the controller, wherever it is.
#pragma once

#include <absl/synchronization/mutex.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "broker/peers/other_brokers.h"
#include "config/dynamic.h"
#include "replication/controller/controller.h"

namespace broker {

// Any thread may call. Outlived by its parts.
class TopicCreation {
 public:
  struct Parts {
    const config::DynamicSettings& settings;
    replication::Controller& controller;  // ours, which may be active
    OtherBrokers& others;
  };
  explicit TopicCreation(Parts parts) : parts_(parts) {}

  // One result per topic and in that order, as soon as the controller has taken it up: `request_timed_out` then, for
  // its leaders come later. `not_controller` when nobody could be asked, also for a topic that is being asked for. Not
  // called inside the call, except with that.
  using Done = std::function<void(const std::vector<replication::TopicResult>&)>;
  void create(std::vector<replication::NewTopic> topics, Done done) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void ask(std::vector<replication::NewTopic> topics, Done done) ABSL_LOCKS_EXCLUDED(mutex_);

  const Parts parts_;
  absl::Mutex mutex_;
  std::set<std::string> asked_for_ ABSL_GUARDED_BY(mutex_);  // at most what clients wait for
};

}  // namespace broker
