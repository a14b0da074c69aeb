// Metadata: brokers, topics, partitions and leaders; a topic nobody knows may be created on the way.
#pragma once

#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "config/dynamic.h"
#include "replication/cluster/metadata.h"
#include "replication/controller/controller.h"

namespace broker {

// Any loop may call. Outlived by its parts.
class MetadataHandler {
 public:
  MetadataHandler(std::string cluster_id, const config::DynamicSettings& settings,
                  const replication::MetadataCache& metadata, replication::Controller& controller)
      : cluster_id_(std::move(cluster_id)), settings_(settings), metadata_(metadata), controller_(controller) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  replication::NewTopic automatic_topic(const std::string& name) const;

  const std::string cluster_id_;
  const config::DynamicSettings& settings_;
  const replication::MetadataCache& metadata_;
  replication::Controller& controller_;
};

}  // namespace broker
