#include "broker/peers/other_brokers.h"

#include "broker/handlers/cluster_view.h"

namespace broker {

base::Result<replication::NegotiatedPeer*> OtherBrokers::find(base::BrokerId broker) {
  const auto cluster = parts_.metadata.snapshot();
  const auto* alive = cluster->find_broker(broker);
  const auto* endpoint = alive ? endpoint_on(*alive, parts_.listener) : nullptr;
  const auto known = peers_.find(broker);
  if (known != peers_.end() && endpoint && known->second.address.endpoint == *endpoint)
    return known->second.connection.get();
  if (known !=
      peers_.end()) {  // it moved, or is gone: whoever waits for the old place is told, then the connection goes
    const std::shared_ptr old = std::move(known->second.connection);
    peers_.erase(known);
    old->disconnect();
    parts_.loop.post([old] {});
  }
  if (!endpoint)
    return base::fail(base::ErrorCode::network_exception, "broker {} {}", broker,
                      alive ? "does not listen on " + parts_.listener : "is not alive");
  Peer peer{.address = {broker, *endpoint}, .connection = nullptr};
  peer.connection = std::make_unique<replication::NegotiatedPeer>(
      parts_.network.connect(peer.address, parts_.loop, {.client_id = parts_.client_id}));
  return peers_.emplace(broker, std::move(peer)).first->second.connection.get();
}

}  // namespace broker
