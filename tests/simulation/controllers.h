// Members of a simulated cluster that have no logs: each is registered, stands for controller, and does what it is
// told.
#pragma once

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/dispatch/owed.h"
#include "broker/dispatch/reply.h"
#include "replication/cluster/announcement_messages.h"
#include "replication/controller/controller.h"
#include "replication/coordination/membership.h"
#include "tests/simulation/ensemble.h"
#include "tests/simulation/network.h"
#include "tests/simulation/process.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/sim_store.h"

namespace simulation {

// Remembers what it was told.
class Subject {
 public:
  explicit Subject(base::BrokerId id) : id_(id) {}

  replication::Announcements announcements() {
    using namespace replication;
    Announcements calls;
    calls.leader_and_isr = [this](LeaderAndIsr request, const Announcements::Done& done) {
      AnnouncementReply reply;
      for (auto& told : request.partitions) {
        const base::TopicPartition partition{told.topic, told.partition};
        if (lost.contains(partition)) {
          reply.partitions.push_back({partition, base::ErrorCode::kafka_storage_error});
          continue;
        }
        if (const auto known = roles.find(partition);
            known != roles.end() && known->second.leader_epoch >= told.leader_epoch) {
          reply.partitions.push_back({partition, base::ErrorCode::stale_controller_epoch});
          continue;
        }
        roles[partition] = std::move(told);
      }
      ++leaderships;
      done(reply);
    };
    calls.stop_replica = [this](const StopReplica& request, const Announcements::Done& done) {
      AnnouncementReply reply;
      for (const auto& stop : request.partitions) {
        if (refuses_removal && stop.remove) {
          reply.partitions.push_back({stop.partition, base::ErrorCode::kafka_storage_error});
          continue;
        }
        if (stop.remove) roles.erase(stop.partition);
        stops.push_back(fmt::format("{} {}", stop.remove ? "remove" : "stop", stop.partition));
      }
      done(reply);
    };
    calls.update_metadata = [this](const UpdateMetadata& request, const Announcements::Done& done) {
      metadata.update([&](ClusterMetadata& next) { next.apply(request); });
      done({});
    };
    return calls;
  }

  const replication::PartitionInfo* sees(const std::string& topic, base::PartitionIndex partition) {
    snapshot_ = metadata.snapshot();
    return snapshot_->find_partition(topic, partition);
  }

  std::map<base::TopicPartition, replication::PartitionState> roles;  // led or followed
  std::vector<std::string> stops;
  std::set<base::TopicPartition> lost;  // their disk is
  bool refuses_removal = false;
  int leaderships = 0;
  replication::MetadataCache metadata;

 private:
  const base::BrokerId id_;
  std::shared_ptr<const replication::ClusterMetadata> snapshot_;
};

struct ControllerWorld {
  explicit ControllerWorld(std::uint64_t seed = 1) : scheduler(seed) {}
  void run(base::Duration time) { scheduler.run_until(scheduler.now() + time); }
  // False: not within the time.
  bool eventually(const std::function<bool()>& condition, base::Duration time = std::chrono::seconds(60)) {
    const auto until = scheduler.now() + time;
    while (!condition())
      if (!scheduler.step(until)) return condition();
    return true;
  }
  std::string data(const std::string& path) const { return ensemble.tree().get(path).value.data; }
  bool exists(const std::string& path) const { return ensemble.tree().get(path).ok(); }
  replication::PartitionStateNode state(const std::string& topic, base::PartitionIndex partition) const {
    const auto path = replication::paths::partition_state(topic, partition);
    return replication::decode_partition_state(path, data(path)).value();
  }
  void write(const std::string& path, const std::string& data) {
    std::vector<replication::Operation> write;
    if (exists(path))
      write.push_back(replication::Set{.path = path, .data = data});
    else
      write.push_back(replication::Create{.path = path, .data = data});
    base::invariant(ensemble.commit(write).ok(), "a test writes what can be written");
  }

  Scheduler scheduler;
  SimClock clock{scheduler, std::chrono::milliseconds(0)};
  Ensemble ensemble{scheduler, clock, 7, {.session_timeout = std::chrono::seconds(6)}};
  SimNetwork network{scheduler, 8};
};

// One life of one member.
class ControllerMember {
 public:
  ControllerMember(ControllerWorld& world, HostId host, replication::ControllerSettings settings = {})
      : world_(world),
        id(host),
        process(world.scheduler, "broker " + std::to_string(host)),
        loop(process, "coordination"),
        store(world.ensemble, loop),
        subject(base::BrokerId{host}),
        peers(world.network, host, world.clock),
        dice(static_cast<std::uint64_t>(host)),
        membership({.id = base::BrokerId{host},
                    .endpoints = {{"PLAINTEXT", "PLAINTEXT", "host" + std::to_string(host), 9092}},
                    .session_timeout = std::chrono::seconds(6)},
                   store, loop, world.clock),
        controller(with_defaults(std::move(settings), host), store, loop, world.clock, dice, subject.metadata,
                   subject.announcements(), &peers) {
    serve();
    loop.post([this] {
      store.on_session([this](replication::SessionEvent event) {
        if (event == replication::SessionEvent::connected) begin();
      });
      store.begin();
    });
  }
  ~ControllerMember() {
    end(SimNetwork::End::closed);
    loop.post([this] {
      controller.stop();
      membership.stop();
      store.stop();
    });
    process.drain();
  }

  // As kill -9 does.
  void end(SimNetwork::End how = SimNetwork::End::closed) {
    if (process.ended()) return;
    world_.network.stop_listening(id, how);
    store.process_killed();
    process.end();
  }
  void pause() {
    process.pause();
    store.process_paused();
  }
  void resume() {
    process.resume();
    store.process_resumed();
  }

 private:
  static replication::ControllerSettings with_defaults(replication::ControllerSettings settings, HostId id) {
    settings.broker = base::BrokerId{id};
    settings.announcing = {.versions = replication::PeerVersions::of(*config::find_protocol_version("3.9")),
                           .listener = "PLAINTEXT",
                           .timeout = std::chrono::seconds(5)};
    return settings;
  }
  void begin() {
    std::vector<replication::Operation> nodes;
    for (const auto& path : replication::paths::top_level())
      if (!world_.exists(path)) nodes.push_back(replication::Create{.path = path});
    base::invariant(world_.ensemble.commit(nodes).ok(), "top-level nodes can be made");
    membership.on_registered([this](std::int64_t) { controller.broker_registered(); });
    controller.start();
    membership.begin([](const base::Status& status) { base::invariant(status.ok(), "a member registers"); });
  }

  template <class Message, class Announcement>
  void add(Announcement (*read)(const Message&, std::int16_t), auto handle) {
    table_.add({.api = Message::api,
                .versions = Message::api.versions,
                .handler = [read, handle](broker::Request& request, broker::AnswerSlot answer) {
                  Message in;
                  if (!broker::read_body(request, answer, in)) return;
                  auto asked = read(in, request.version());
                  auto owed = broker::owe(request, std::move(answer));
                  handle(std::move(asked), std::move(owed));
                }});
  }
  void serve() {
    using namespace replication;
    add<protocol::LeaderAndIsrRequest, LeaderAndIsr>(
        [](const protocol::LeaderAndIsrRequest& message, std::int16_t) { return from_message(message); },
        [this](const LeaderAndIsr& asked, const auto& owed) {
          subject.announcements().leader_and_isr(asked, [asked, owed](const AnnouncementReply& reply) {
            owed->reply(to_message(reply, asked, owed->version));
          });
        });
    add<protocol::UpdateMetadataRequest, UpdateMetadata>(
        [](const protocol::UpdateMetadataRequest& message, std::int16_t version) {
          return from_message(message, version);
        },
        [this](const UpdateMetadata& asked, const auto& owed) {
          subject.announcements().update_metadata(
              asked, [owed](const AnnouncementReply& reply) { owed->reply(to_message(reply)); });
        });
    add<protocol::StopReplicaRequest, StopReplica>(
        [](const protocol::StopReplicaRequest& message, std::int16_t version) {
          return from_message(message, version);
        },
        [this](const StopReplica& asked, const auto& owed) {
          subject.announcements().stop_replica(
              asked, [asked, owed](const AnnouncementReply& reply) { owed->reply(to_message(reply, asked)); });
        });
    world_.network.listen(id, {.loops = {&loop}, .router = &router_, .clock = &world_.clock});
  }

  ControllerWorld& world_;

 public:
  const HostId id;
  Process process;
  SimLoop loop;
  SimStore store;
  Subject subject;
  SimPeers peers;
  Dice dice;
  replication::Membership membership;
  replication::Controller controller;

 private:
  broker::ApiTable table_;
  broker::DiagnosisLog diagnosis_;
  broker::Router router_{table_, diagnosis_, std::make_shared<broker::MemoryBudget>(-1)};
};

inline std::vector<base::BrokerId> ids(std::initializer_list<int> raw) {
  std::vector<base::BrokerId> out;
  for (const int id : raw) out.emplace_back(id);
  return out;
}

// Brokers 1 to n; the first is the controller.
struct ControllerCluster {
  explicit ControllerCluster(int brokers, std::uint64_t seed = 1, replication::ControllerSettings settings = {})
      : world(seed), settings_(std::move(settings)) {
    for (int id = 1; id <= brokers; ++id) {
      start(id);
      REQUIRE(world.eventually([&] { return everybody_sees_everybody(); }));
    }
    REQUIRE(at(1).controller.is_active());
  }

  void start(int id) { members[id] = std::make_unique<ControllerMember>(world, id, settings_); }
  void kill(int id) { members.erase(id); }
  ControllerMember& at(int id) { return *members.at(id); }
  replication::Controller& controller() {
    for (auto& [id, member] : members)
      if (member->controller.is_active()) return member->controller;
    base::broken_invariant("somebody is the controller");
  }
  bool everybody_sees_everybody() {
    return std::ranges::all_of(members, [&](const auto& member) {
      return member.second->subject.metadata.snapshot()->brokers().size() == members.size();
    });
  }
  bool everybody_sees(const std::string& topic, int partition, int leader) {
    return std::ranges::all_of(members, [&](const auto& member) {
      const auto* seen = member.second->subject.sees(topic, partition);
      return seen && seen->leader == base::BrokerId{leader};
    });
  }
  // As a tool does that writes into the store.
  void create(const std::string& name, replication::ReplicaLists replicas) {
    const auto count = static_cast<int>(replicas.size());
    world.write(replication::paths::config("topics", name), replication::encode_config({}));
    world.write(replication::paths::topic(name), encode(replication::TopicNode{.replicas = std::move(replicas)}));
    REQUIRE(world.eventually([&] {
      return std::ranges::all_of(members, [&](const auto& member) {
        for (int partition = 0; partition < count; ++partition)
          if (!member.second->subject.sees(name, partition)) return false;
        return true;
      });
    }));
    world.run(std::chrono::seconds(1));  // the answers have come
  }
  replication::AlterPartitionReply ask(replication::AlterPartition request) {
    std::optional<replication::AlterPartitionReply> reply;
    controller().alter_partition(std::move(request),
                                 [&](replication::AlterPartitionReply given) { reply = std::move(given); });
    REQUIRE(world.eventually([&] { return reply.has_value(); }));
    return *reply;
  }
  // A leader asks for this set.
  base::ErrorCode alter(int leader, const std::string& topic, int partition, std::vector<base::BrokerId> isr) {
    const auto state = world.state(topic, partition);
    const auto stat = world.ensemble.tree().get(replication::paths::partition_state(topic, partition)).value.stat;
    const auto reply = ask({.broker = base::BrokerId{leader},
                            .broker_epoch = at(leader).membership.epoch(),
                            .changes = {{.partition = {topic, partition},
                                         .leader_epoch = state.leader_epoch,
                                         .partition_epoch = stat.version,
                                         .isr = std::move(isr)}}});
    if (reply.code != base::ErrorCode::none) return reply.code;
    return reply.outcomes.at(0).ok() ? base::ErrorCode::none : reply.outcomes.at(0).error().code;
  }

  ControllerWorld world;
  std::map<int, std::unique_ptr<ControllerMember>> members;

 private:
  replication::ControllerSettings settings_;
};

}  // namespace simulation
