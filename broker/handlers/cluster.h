// DescribeCluster: cluster id, controller and brokers.
#pragma once

#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "replication/cluster/metadata.h"

namespace broker {

// Any loop may call. Outlived by its parts.
class DescribeClusterHandler {
 public:
  DescribeClusterHandler(std::string cluster_id, const replication::MetadataCache& metadata)
      : cluster_id_(std::move(cluster_id)), metadata_(metadata) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const std::string cluster_id_;
  const replication::MetadataCache& metadata_;
};

}  // namespace broker
