// Metadata: brokers, topics, partitions and leaders; a topic nobody knows may be created on the way.
//
// A partition that is led here but whose log is still being opened has no leader yet (LEADER_NOT_AVAILABLE), as while a
// broker of Apache Kafka that is alone recovers: clients that never send twice (retries=0) wait instead of failing.
#pragma once

#include "broker/dispatch/request.h"
#include "broker/internal_topics/creation.h"
#include "broker/network/answers.h"
#include "broker/peers/topic_creation.h"
#include "config/dynamic.h"
#include "replication/cluster/metadata.h"
#include "replication/partition/partition_table.h"

namespace broker {

// Any loop may call. Outlived by its parts.
class MetadataHandler {
 public:
  struct Self {
    std::string cluster_id;
    base::BrokerId id;
  };
  MetadataHandler(Self self, const config::DynamicSettings& settings, const replication::MetadataCache& metadata,
                  const replication::PartitionTable& partitions, InternalTopics& internal_topics,
                  TopicCreation& creation)
      : self_(std::move(self)),
        settings_(settings),
        metadata_(metadata),
        partitions_(partitions),
        internal_topics_(internal_topics),
        creation_(creation) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  replication::NewTopic automatic_topic(const std::string& name) const;

  const Self self_;
  const config::DynamicSettings& settings_;
  const replication::MetadataCache& metadata_;
  const replication::PartitionTable& partitions_;
  InternalTopics& internal_topics_;
  TopicCreation& creation_;
};

}  // namespace broker
