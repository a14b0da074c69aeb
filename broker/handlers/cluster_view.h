// The cluster as one client may see it: by the listener it came in on.
#pragma once

#include <string_view>

#include "replication/cluster/metadata.h"

namespace broker {

// Null when that broker has no such listener.
inline const replication::Endpoint* endpoint_on(const replication::LiveBroker& broker, std::string_view listener) {
  for (const auto& endpoint : broker.endpoints)
    if (endpoint.listener == listener) return &endpoint;
  return nullptr;
}

// Bit fields of operations a client may do, told when asked: without an authorizer all that the resource type has
// (bit n = operation code n).
inline constexpr std::int32_t kAllClusterOperations = 8096;
inline constexpr std::int32_t kAllTopicOperations = 3576;
inline constexpr std::int32_t kAllGroupOperations = 328;

}  // namespace broker
