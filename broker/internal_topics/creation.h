// The internal topics, made when somebody needs them first.
#pragma once

#include <absl/synchronization/mutex.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/logging.h"
#include "base/token_bucket.h"
#include "broker/peers/topic_creation.h"
#include "config/dynamic.h"
#include "replication/cluster/metadata.h"
#include "replication/controller/topic_requests.h"

namespace broker {

// What an internal topic is created with: offsets.topic.* or transaction.state.log.*. Pure.
//
// Kafka's defaults, three replicas of which two must be in sync, could never be met by a broker that keeps its metadata
// itself and so is alone for ever: there a factor and a minimum that were not set count as 1. What was set is kept.
replication::NewTopic internal_topic(std::string_view name, const config::BrokerSettings& settings);

// Where the key of a group or of a transaction is coordinated.
struct CoordinatorPlace {
  base::PartitionIndex partition = 0;
  base::BrokerId leader = base::kNoBroker;  // none, or not alive: kNoBroker
};

// Any thread may call. Outlived by its parts, and by the loops of the controller and of the requests to it.
class InternalTopics {
 public:
  InternalTopics(const config::DynamicSettings& settings, const replication::MetadataCache& metadata,
                 TopicCreation& creation, const base::Clock& clock)
      : settings_(settings), metadata_(metadata), creation_(creation), clock_(clock) {}

  // Nothing: the topic is not there. It is then being made, and the client, told COORDINATOR_NOT_AVAILABLE, asks again.
  std::optional<CoordinatorPlace> place(std::string_view topic, std::string_view key);
  // As place(), without making the topic.
  std::optional<base::PartitionIndex> partition_of(std::string_view topic, std::string_view key) const;
  // Who leads that partition, alive; nothing when nobody does or the topic is not there, which does not make it.
  std::optional<base::BrokerId> leader_of(std::string_view topic, std::string_view key) const;
  // How the topic is created by whoever else creates topics on the way (Metadata), and what is told of the outcome.
  replication::NewTopic describe(std::string_view topic) const;
  void created(const replication::TopicResult& result) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void create(std::string_view topic) ABSL_LOCKS_EXCLUDED(mutex_);

  const config::DynamicSettings& settings_;
  const replication::MetadataCache& metadata_;
  TopicCreation& creation_;
  const base::Clock& clock_;
  const base::Logger log_{"weir.InternalTopics"};

  absl::Mutex mutex_;
  std::vector<std::string> being_created_ ABSL_GUARDED_BY(mutex_);
  base::TokenBucket complaints_ ABSL_GUARDED_BY(mutex_){{.per_second = 1.0 / 60, .burst = 2}};
};

}  // namespace broker
