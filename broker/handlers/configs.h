// DescribeConfigs: settings of topics, of this broker, and of its loggers.
#pragma once

#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "config/dynamic.h"
#include "protocol/messages/describe_configs.h"
#include "replication/cluster/metadata.h"

namespace broker {

// Any loop may call. Outlived by its parts.
class DescribeConfigsHandler {
 public:
  DescribeConfigsHandler(base::BrokerId self, const config::DynamicSettings& settings,
                         const replication::MetadataCache& metadata)
      : self_(self), settings_(settings), metadata_(metadata) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  using Resource = protocol::DescribeConfigsRequest::Resource;
  using Result = protocol::DescribeConfigsResponse::Result;
  using Shown = base::Result<std::vector<Result::Config>>;

  Shown describe(const Resource& resource) const;
  Shown describe_topic(const Resource& resource, const config::Snapshot& settings) const;
  Shown describe_broker(const Resource& resource, const config::Snapshot& settings) const;
  Shown describe_loggers(const Resource& resource) const;

  const base::BrokerId self_;
  const config::DynamicSettings& settings_;
  const replication::MetadataCache& metadata_;
};

}  // namespace broker
