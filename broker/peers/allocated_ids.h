// Blocks of producer ids from the controller (AllocateProducerIds): inter.broker.protocol.version 3.0 and later.
#pragma once

#include <cstdint>
#include <functional>

#include "broker/peers/other_brokers.h"
#include "replication/coordination/producer_ids.h"

namespace broker {

// `stored`: what the controller does itself, where that is this broker. `broker_epoch`: of our registration now.
replication::ProducerIdBlocks allocated_producer_ids(base::BrokerId self, OtherBrokers& others,
                                                     const replication::MetadataCache& metadata,
                                                     replication::ProducerIdBlocks stored,
                                                     std::function<std::int64_t()> broker_epoch);

}  // namespace broker
