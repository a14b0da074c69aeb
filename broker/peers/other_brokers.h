// What this broker asks of others on its own account: coordinators of other coordinators and leaders, everybody of the
// controller. One connection per broker, made when it is first needed.
//
// Connections live on one loop; any thread may ask. Outlived by its parts.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/loop.h"
#include "protocol/wire/field.h"
#include "replication/cluster/metadata.h"
#include "replication/peers/negotiated_peer.h"
#include "replication/peers/peers.h"

namespace broker {

class OtherBrokers {
 public:
  struct Parts {
    replication::PeerNetwork& network;
    const replication::MetadataCache& metadata;
    base::Loop& loop;
    std::string listener;   // the one brokers use among themselves
    std::string client_id;  // ours, for the log of the other side
  };
  explicit OtherBrokers(Parts parts) : parts_(std::move(parts)) {}

  template <class Response>
  using Done = std::function<void(base::Result<replication::PeerAnswer<Response>>)>;

  // In the highest of `versions` that the other broker serves. `done` is called once, on the loop: `network_exception`
  // also for a broker that is not alive, else what NegotiatedPeer says.
  template <class Response, class Request>
  void ask(base::BrokerId broker, Request request, protocol::VersionRange versions, std::chrono::milliseconds timeout,
           Done<Response> done) {
    parts_.loop.post([this, broker, request = std::move(request), versions, timeout, done = std::move(done)]() mutable {
      const auto peer = find(broker);
      if (!peer) return done(peer.error());
      (*peer)->template ask<Response>(std::move(request), versions, timeout, std::move(done));
    });
  }
  // The controller this broker knows of.
  template <class Response, class Request>
  void ask_controller(Request request, protocol::VersionRange versions, std::chrono::milliseconds timeout,
                      Done<Response> done) {
    ask<Response>(parts_.metadata.snapshot()->controller(), std::move(request), versions, timeout, std::move(done));
  }

  // Nobody is told any more. On the loop, or when it has stopped.
  void close() { peers_.clear(); }

 private:
  struct Peer {
    replication::PeerAddress address;
    std::unique_ptr<replication::NegotiatedPeer> connection;
  };
  base::Result<replication::NegotiatedPeer*> find(base::BrokerId broker);

  const Parts parts_;
  std::map<base::BrokerId, Peer> peers_;
};

}  // namespace broker
