// Clients of a simulated cluster: they speak the protocol over the simulated network, follow metadata, try again for as
// long as it takes, and tell the ledger what they were promised and what they saw. Each lives on the loop of its host.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "replication/peers/peers.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/network.h"
#include "tests/simulation/process.h"

namespace simulation {

// A machine with a client on it: connections, and what the cluster told about itself.
class ClientHost {
 public:
  ClientHost(SimNetwork& network, HostId id, std::vector<base::BrokerId> bootstrap);
  ~ClientHost();

  struct Leader {
    base::BrokerId id = base::kNoBroker;
    base::LeaderEpoch epoch = base::kNoLeaderEpoch;
  };
  // Nothing: not known, or nobody.
  std::optional<Leader> leader(const base::TopicPartition& partition) const;
  std::set<base::TopicPartition> partitions(const std::string& topic) const;
  base::BrokerId controller() const { return controller_; }
  base::BrokerId anybody();
  // Asks the cluster soon, unless that is under way.
  void refresh();
  replication::PeerConnection& to(base::BrokerId broker);

  base::Loop& loop() { return loop_; }
  Dice& dice() { return network_.dice(); }
  base::Instant now() const { return clock_.now(); }
  const std::string& name() const { return process_.name(); }

 private:
  void ask_for_metadata();
  void age();

  SimNetwork& network_;
  const std::vector<base::BrokerId> bootstrap_;
  Process process_;
  SimClock clock_;
  SimLoop loop_{process_, "client"};
  SimPeers peers_;
  std::unique_ptr<base::Timer> timer_;
  std::unique_ptr<base::Timer> age_timer_;  // metadata are asked for again when they are old (metadata.max.age.ms)
  bool refreshing_ = false;
  base::BrokerId controller_ = base::kNoBroker;
  std::map<base::TopicPartition, Leader> leaders_;
  std::map<base::BrokerId, std::unique_ptr<replication::PeerConnection>> connections_;
};

// Writes to one partition with acks=all, idempotently, until told to stop, and then until all is acknowledged.
class Producer {
 public:
  struct How {
    base::ProducerId id{};  // and id + 1000, id + 2000, ... when it begins anew
    base::TopicPartition partition{};
    std::size_t in_flight = 1;  // batches sent and not answered
    base::Duration every{};     // about
  };
  Producer(ClientHost& host, Ledger& ledger, How how);
  void stop() { stopping_ = true; }
  void abandon() { abandoned_ = true; }  // its topic is gone
  bool is_done() const { return abandoned_ || (stopping_ && unacknowledged_.empty()); }
  std::string describe() const;

 private:
  struct Batch {
    std::int32_t sequence = 0;
    std::vector<std::string> values;
    bool sent = false;
  };
  void tick();
  void pump();
  void send(Batch& batch);
  void answered(std::int32_t sequence, base::ErrorCode code, base::Offset offset);
  void try_again();
  void begin_anew();

  ClientHost& host_;
  Ledger& ledger_;
  How how_;
  int out_of_order_ = 0;  // in a row
  std::unique_ptr<base::Timer> ticker_;
  std::unique_ptr<base::Timer> retry_;
  std::deque<Batch> unacknowledged_;
  std::int32_t next_ = 0;
  std::uint64_t attempt_ = 0;  // answers to an earlier one are not listened to
  bool waiting_ = false;
  bool stopping_ = false;
  bool abandoned_ = false;
  base::ErrorCode last_error_ = base::ErrorCode::none;
};

// Reads one partition from its beginning to the end and waits there.
class Consumer {
 public:
  Consumer(ClientHost& host, Ledger& ledger, base::TopicPartition partition);
  base::Offset position() const { return position_; }
  void abandon() { abandoned_ = true; }
  // It has read all that anybody was promised.
  bool is_done(const Ledger& ledger) const;
  std::string describe() const;

 private:
  void fetch();
  void ask_for_end();
  void fetch_later(base::Duration after);
  void take(std::span<const std::byte> records);

  ClientHost& host_;
  Ledger& ledger_;
  const base::TopicPartition partition_;
  std::unique_ptr<base::Timer> timer_;
  base::Offset position_{};
  base::Offset known_end_{};  // as ListOffsets told
  bool abandoned_ = false;
  base::ErrorCode last_error_ = base::ErrorCode::none;
};

// Sends one administrative request to the controller after another, and does not mind the answers.
class Admin {
 public:
  explicit Admin(ClientHost& host) : host_(host) {}
  struct NewTopic {
    std::string name;
    std::vector<std::vector<base::BrokerId>> replicas;  // of each partition
    std::map<std::string, std::string> config;
  };
  using Done = std::function<void(base::ErrorCode)>;
  void create_topic(NewTopic topic, Done done);
  void delete_topic(const std::string& name);
  void elect_preferred();
  void reassign(const base::TopicPartition& partition, std::optional<std::vector<base::BrokerId>> replicas);
  void alter_topic(const std::string& topic, const std::string& key, const std::string& value);

 private:
  template <class Request, class Response>
  void ask_controller(Request request, std::int16_t version, std::function<void(base::Result<Response>)> done);

  ClientHost& host_;
};

}  // namespace simulation
