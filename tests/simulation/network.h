// The network between simulated hosts: brokers and clients, known by id.
//
// A connection is TCP's: bytes arrive in order, late, and neither lost nor twice; but it may break at any moment, and
// then nobody knows which requests arrived. While the way from one host to another is cut, what is sent there waits, as
// retransmission would have it, and when the way is mended it either goes on or the connection is reset. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/buffer.h"
#include "broker/dispatch/router.h"
#include "broker/dispatch/session.h"
#include "broker/network/answers.h"
#include "replication/peers/peers.h"
#include "tests/simulation/process.h"

namespace simulation {

// Broker ids, and numbers from 1000 on for clients.
using HostId = std::int32_t;

class SimNetwork;

// What a host serves on. Its requests are handled on one of the loops, all of a connection on the same.
struct Service {
  std::vector<base::Loop*> loops;
  const broker::Router* router = nullptr;
  const base::Clock* clock = nullptr;
};

// One connection, as both ends and the way between them.
class Wire : public std::enable_shared_from_this<Wire> {
 public:
  using Bytes = std::shared_ptr<base::Buffer>;
  // Called by the network, outside of the loops.
  struct Client {
    std::function<void(Bytes)> answered{};
    std::function<void()> broken{};
  };

  Wire(SimNetwork& network, HostId from, HostId to, Client client)
      : network_(network), from_(from), to_(to), client_(std::move(client)) {}

  // By the client: a frame, size included. Nothing is called any more after close().
  void send(Bytes frame);
  void close();
  bool is_open() const { return open_; }

 private:
  friend class SimNetwork;
  class ServerEnd;
  struct Way {
    HostId from, to;
    base::Instant last{};
    std::deque<std::function<void()>> held{};
  };
  void carry(Way& way, std::function<void()> arrive);
  void arrived(Bytes frame);
  void answer(Bytes frame);  // by the server end
  // The other end hears of it, unless the way there is cut or `silently`.
  void reset(bool silently);

  SimNetwork& network_;
  const HostId from_;
  const HostId to_;
  Client client_;
  bool open_ = true;
  bool refused_ = false;
  Way there_{from_, to_};
  Way back_{to_, from_};
  std::shared_ptr<ServerEnd> server_;
  std::uint64_t service_ = 0;  // which life of the server it is connected with; 0: none yet
};

class SimNetwork {
 public:
  SimNetwork(Scheduler& scheduler, std::uint64_t seed) : scheduler_(scheduler), dice_(seed) {}

  // A broker begins to listen; its connections end with the process.
  void listen(HostId host, Service service);
  enum class End {
    closed,  // the system closes its connections: the others hear of it
    vanished,
  };
  void stop_listening(HostId host, End end);
  bool is_listening(HostId host) const { return services_.contains(host); }

  void cut(HostId from, HostId to) { cuts_.insert({from, to}); }
  void mend(HostId from, HostId to);
  bool is_cut(HostId from, HostId to) const { return cuts_.contains({from, to}); }
  // Connections between the two break, here and there.
  void reset(HostId one, HostId other);
  // All delays that many times longer.
  void slow_down(std::uint32_t factor) { slowness_ = factor; }

  std::shared_ptr<Wire> open(HostId from, HostId to, Wire::Client client);
  Scheduler& scheduler() { return scheduler_; }
  Dice& dice() { return dice_; }

 private:
  friend class Wire;
  struct Listening {
    std::uint64_t life;
    Service service;
  };
  base::Duration delay();
  std::vector<std::shared_ptr<Wire>> wires();

  Scheduler& scheduler_;
  Dice dice_;
  std::uint32_t slowness_ = 1;
  std::uint64_t lives_ = 0;
  std::map<HostId, Listening> services_;
  std::set<HostId> vanished_;  // a machine without power refuses nothing
  std::set<std::pair<HostId, HostId>> cuts_;
  std::vector<std::weak_ptr<Wire>> wires_;
};

// The PeerNetwork of one host; its connections belong to loops of that host.
class SimPeers final : public replication::PeerNetwork {
 public:
  SimPeers(SimNetwork& network, HostId self, const base::Clock& clock)
      : network_(network), self_(self), clock_(clock) {}
  std::unique_ptr<replication::PeerConnection> connect(replication::PeerAddress to, base::Loop& loop,
                                                       replication::PeerOptions options) override;
  // The process has ended: whatever its connections are still asked to send fails.
  void end() { *ended_ = true; }

 private:
  SimNetwork& network_;
  const HostId self_;
  const base::Clock& clock_;
  const std::shared_ptr<bool> ended_ = std::make_shared<bool>(false);
};

}  // namespace simulation
