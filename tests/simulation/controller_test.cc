// Controllers of several brokers over one simulated ensemble and network: who is told what, and when.
#include <catch2/catch.hpp>

#include "tests/simulation/controllers.h"

using namespace simulation;
using namespace replication;
using base::BrokerId;
using base::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

using Cluster = ControllerCluster;

const PartitionState& role(ControllerMember& member, const std::string& topic, int partition) {
  return member.subject.roles.at({topic, partition});
}

}  // namespace

TEST_CASE("every live replica is told who leads, and every broker what clients may see") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({2, 3})}, {1, ids({3, 1, 2})}});
  auto& world = cluster.world;
  CHECK(world.state("t", 0).isr == ids({2, 3}));
  CHECK(world.state("t", 1).leader == BrokerId{3});
  REQUIRE(world.eventually([&] { return cluster.at(3).subject.roles.contains({"t", 0}); }));
  CHECK(role(cluster.at(3), "t", 0).is_new);
  CHECK(role(cluster.at(3), "t", 0).leader == BrokerId{2});
  CHECK_FALSE(role(cluster.at(3), "t", 0).topic_id.is_zero());
  CHECK(role(cluster.at(2), "t", 0).leader == BrokerId{2});
  CHECK_FALSE(cluster.at(1).subject.roles.contains({"t", 0}));
  CHECK(cluster.everybody_sees("t", 0, 2));
}

TEST_CASE("where a broker is gone others lead, and it follows when it comes back") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({2, 3})}, {1, ids({3, 2})}, {2, ids({2})}});
  auto& world = cluster.world;
  cluster.kill(2);
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 0, 3) && cluster.everybody_sees("t", 2, -1); }));
  CHECK(world.state("t", 0).isr == ids({3}));
  CHECK(world.state("t", 0).leader_epoch == base::LeaderEpoch{1});
  CHECK(world.state("t", 1).isr == ids({3}));
  CHECK(world.state("t", 1).leader_epoch == base::LeaderEpoch{1});
  CHECK(world.state("t", 2).isr == ids({2}));
  CHECK(cluster.at(3).subject.sees("t", 1)->offline == ids({2}));
  REQUIRE(world.eventually([&] { return role(cluster.at(3), "t", 1).leader_epoch == base::LeaderEpoch{1}; }));

  cluster.start(2);
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 2, 2); }));
  REQUIRE(world.eventually([&] { return cluster.at(2).subject.roles.size() == 3; }));
  CHECK(role(cluster.at(2), "t", 0).leader == BrokerId{3});
  CHECK_FALSE(role(cluster.at(2), "t", 0).is_new);
  CHECK(cluster.at(2).subject.sees("t", 0)->offline.empty());
  CHECK(world.state("t", 2).leader_epoch == base::LeaderEpoch{2});
}

TEST_CASE("a broker that comes back before anybody saw it go has gone all the same") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({2, 3})}});
  auto& world = cluster.world;
  // The controller's process stands still while broker 2 dies and returns.
  cluster.at(1).process.pause();
  cluster.kill(2);
  REQUIRE(world.eventually([&] { return !world.exists("/brokers/ids/2"); }));
  cluster.start(2);
  REQUIRE(world.eventually([&] { return world.exists("/brokers/ids/2"); }));
  cluster.at(1).process.resume();
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 0, 3); }));
  CHECK(world.state("t", 0).isr == ids({3}));
  REQUIRE(world.eventually([&] { return cluster.at(2).subject.roles.contains({"t", 0}); }));
  CHECK(role(cluster.at(2), "t", 0).leader == BrokerId{3});
}

TEST_CASE("a controller that dies and is back before anybody took over does not lead on what it may have lost") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({1, 2, 3})}});
  auto& world = cluster.world;
  for (const int other : {2, 3}) cluster.at(other).process.pause();  // too short to lose their sessions
  cluster.kill(1);
  cluster.start(1);
  REQUIRE(world.eventually([&] { return cluster.at(1).controller.is_active(); }));
  for (const int other : {2, 3}) cluster.at(other).process.resume();
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 0, 2); }));
  CHECK(world.state("t", 0).isr == ids({2, 3}));
  REQUIRE(world.eventually([&] { return cluster.at(1).subject.roles.contains({"t", 0}); }));
  CHECK(role(cluster.at(1), "t", 0).leader == BrokerId{2});
}

TEST_CASE("when the controller is gone another takes over and finishes what it finds") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({1, 2})}, {1, ids({2, 1})}});
  auto& world = cluster.world;
  cluster.kill(1);
  REQUIRE(world.eventually([&] {
    return cluster.everybody_sees("t", 0, 2) &&
           (cluster.at(2).controller.is_active() || cluster.at(3).controller.is_active());
  }));
  CHECK(world.data("/controller_epoch") == "2");
  CHECK(world.state("t", 0).controller_epoch == 2);
  CHECK(world.state("t", 0).isr == ids({2}));
  CHECK(world.state("t", 1).isr == ids({2}));
  CHECK(cluster.at(3).controller.controller() == cluster.at(2).controller.controller());
}

TEST_CASE("announcements reach a broker that was cut off for a while, in order") {
  Cluster cluster(3);
  auto& world = cluster.world;
  world.network.cut(1, 2);
  for (const auto* name : {"u", "v"})
    cluster.controller().create_topics({{.name = name, .assignment = {{0, ids({1, 2})}}}}, {},
                                       [](const TopicResults&) {});
  REQUIRE(world.eventually([&] { return cluster.at(3).subject.sees("v", 0) != nullptr; }));
  world.run(seconds(8));
  CHECK(cluster.at(2).subject.sees("u", 0) == nullptr);
  world.network.mend(1, 2);
  REQUIRE(world.eventually([&] { return cluster.at(2).subject.sees("v", 0) != nullptr; }));
  CHECK(cluster.at(2).subject.sees("u", 0) != nullptr);
  CHECK(cluster.at(2).subject.roles.size() == 2);
}

TEST_CASE("a broker that was away too long for all it missed is told everything anew") {
  Cluster cluster(3);
  auto& world = cluster.world;
  cluster.create("t", {{0, ids({1, 2, 3})}});
  world.network.cut(1, 2);
  for (int round = 0; round < 600; ++round)
    for (const auto& isr : {ids({1, 2}), ids({1, 2, 3})}) REQUIRE(cluster.alter(1, "t", 0, isr) == ErrorCode::none);
  REQUIRE(cluster.alter(1, "t", 0, ids({1, 2})) == ErrorCode::none);
  cluster.controller().create_topics({{.name = "u", .assignment = {{0, ids({2, 1})}}}}, {}, [](const TopicResults&) {});
  world.run(seconds(1));
  CHECK(cluster.at(2).subject.sees("t", 0)->isr == ids({1, 2, 3}));
  world.network.mend(1, 2);
  REQUIRE(world.eventually([&] { return cluster.at(2).subject.roles.contains({"u", 0}); }));
  CHECK(cluster.at(2).subject.sees("t", 0)->isr == ids({1, 2}));
  CHECK(cluster.at(2).subject.sees("u", 0)->leader == BrokerId{2});
}

TEST_CASE("an expired session ends a reign and begins another life of the broker") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({1, 2})}});
  auto& world = cluster.world;
  const auto epoch = cluster.at(1).membership.epoch();
  world.ensemble.expire(cluster.at(1).store.session_id());
  REQUIRE(world.eventually([&] { return cluster.at(1).membership.epoch() > epoch; }));
  REQUIRE(
      world.eventually([&] { return world.data("/controller_epoch") == "2" && cluster.everybody_sees_everybody(); }));
  REQUIRE(world.eventually([&] { return world.state("t", 0).leader != base::kNoBroker; }));
  int active = 0;
  for (auto& [id, member] : cluster.members) active += member->controller.is_active();
  CHECK(active == 1);
}

TEST_CASE("a leader is granted the in-sync set it asks for, and everybody learns of it") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({2, 3, 1})}});
  auto& world = cluster.world;
  CHECK(cluster.alter(2, "t", 0, ids({2, 3})) == ErrorCode::none);
  CHECK(world.state("t", 0).isr == ids({2, 3}));
  CHECK(world.state("t", 0).leader_epoch == base::LeaderEpoch{0});
  REQUIRE(world.eventually([&] { return cluster.at(1).subject.sees("t", 0)->isr == ids({2, 3}); }));
  CHECK(cluster.alter(2, "t", 0, ids({2, 3, 1})) == ErrorCode::none);
  CHECK(cluster.alter(2, "t", 0, ids({2, 3, 1})) == ErrorCode::none);  // so already
  CHECK(cluster.alter(3, "t", 0, ids({3})) == ErrorCode::invalid_request);
  CHECK(cluster.ask({.broker = BrokerId{2}, .broker_epoch = 1}).code == ErrorCode::stale_broker_epoch);
  CHECK(cluster.ask({.broker = BrokerId{9}, .broker_epoch = 1}).code == ErrorCode::stale_broker_epoch);

  std::optional<AlterPartitionReply> elsewhere;
  cluster.at(2).controller.alter_partition({}, [&](AlterPartitionReply reply) { elsewhere = std::move(reply); });
  REQUIRE(world.eventually([&] { return elsewhere.has_value(); }));
  CHECK(elsewhere->code == ErrorCode::not_controller);
}

TEST_CASE("a state node that somebody else wrote is read again before anything is decided on it") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({2, 3, 1})}, {1, ids({2, 3, 1})}, {2, ids({2, 3})}});
  auto& world = cluster.world;
  auto shrunk = world.state("t", 0);
  shrunk.isr = ids({2, 1});
  world.write(paths::partition_state("t", 0), encode(shrunk));
  world.write(paths::partition_state("t", 2), "{");
  cluster.kill(2);
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 0, 1) && cluster.everybody_sees("t", 1, 3); }));
  CHECK(world.state("t", 0).isr == ids({1}));
  CHECK(world.data(paths::partition_state("t", 2)) == "{");
}

TEST_CASE("leaders that write their in-sync sets themselves report it") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({2, 3, 1})}});
  auto& world = cluster.world;
  auto shrunk = world.state("t", 0);
  shrunk.isr = ids({2, 1});
  world.write(paths::partition_state("t", 0), encode(shrunk));
  for (const auto& report :
       {encode(IsrChangeNode{.partitions = {{"t", 0}, {"t", 7}, {"u", 0}}}), std::string("nonsense")})
    REQUIRE(world.ensemble
                .commit({Create{
                    .path = paths::isr_change_prefix(), .data = report, .mode = CreateMode::persistent_sequential}})
                .ok());
  REQUIRE(world.eventually([&] { return cluster.at(3).subject.sees("t", 0)->isr == ids({2, 1}); }));
  REQUIRE(
      world.eventually([&] { return world.ensemble.tree().children(std::string(paths::kIsrChanges)).value.empty(); }));
}

TEST_CASE("unclean elections happen where the topic's configuration, or else the brokers', says so") {
  bool by_default = false;
  Cluster cluster(3, 1, {.marks_recovery = true, .unclean_elections = [&] { return by_default; }});
  cluster.create("t", {{0, ids({2, 3})}});
  cluster.create("u", {{0, ids({2, 3})}});
  auto& world = cluster.world;
  world.write("/config/topics/u", encode_config({{"unclean.leader.election.enable", "false"}}));
  for (const auto* topic : {"t", "u"}) REQUIRE(cluster.alter(2, topic, 0, ids({2})) == ErrorCode::none);
  cluster.kill(2);
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 0, -1) && cluster.everybody_sees("u", 0, -1); }));
  SECTION("the topic's") {
    world.write("/config/topics/t", encode_config({{"unclean.leader.election.enable", "TRUE"}}));
    cluster.controller().unclean_elections_enabled("t");
  }
  SECTION("the brokers'") {
    by_default = true;
    cluster.controller().unclean_elections_enabled(std::nullopt);
  }
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 0, 3); }));
  CHECK(world.state("t", 0).isr == ids({3}));
  CHECK(world.state("t", 0).recovering);
  CHECK(world.state("u", 0).leader == base::kNoBroker);
}

TEST_CASE("a log directory that fails on another broker moves its leaderships") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({2, 3})}, {1, ids({2, 3})}, {2, ids({2})}});
  auto& world = cluster.world;
  cluster.at(2).subject.lost = {{"t", 0}, {"t", 2}};
  REQUIRE(world.ensemble
              .commit({Create{.path = paths::log_dir_event_prefix(),
                              .data = encode(LogDirEventNode{.broker = BrokerId{2}}),
                              .mode = CreateMode::persistent_sequential}})
              .ok());
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 0, 3) && cluster.everybody_sees("t", 2, -1); }));
  CHECK(cluster.everybody_sees("t", 1, 2));
  CHECK(world.state("t", 2).isr == ids({2}));
  REQUIRE(world.eventually(
      [&] { return world.ensemble.tree().children(std::string(paths::kLogDirEvents)).value.empty(); }));
}

TEST_CASE("a topic is deleted when all its replicas are, and waits for those that are away") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({2, 3})}, {1, ids({3, 1})}});
  auto& world = cluster.world;
  const auto forgotten = [&] {
    return std::ranges::all_of(cluster.members, [&](const auto& member) {
      return !member.second->subject.metadata.snapshot()->find_topic("t");
    });
  };
  SECTION("all there") {
    world.write(paths::delete_topic("t"), "");
    REQUIRE(world.eventually([&] { return forgotten() && !world.exists(paths::delete_topic("t")); }));
  }
  SECTION("one away") {
    cluster.kill(3);
    REQUIRE(world.eventually([&] { return cluster.everybody_sees_everybody(); }));
    world.write(paths::delete_topic("t"), "");
    world.run(seconds(5));
    CHECK(world.exists("/brokers/topics/t"));
    cluster.start(3);
    REQUIRE(world.eventually([&] { return forgotten() && !world.exists(paths::delete_topic("t")); }));
  }
  SECTION("one dies meanwhile") {
    cluster.at(3).process.pause();
    world.write(paths::delete_topic("t"), "");
    world.run(seconds(1));
    CHECK(world.exists("/brokers/topics/t"));
    cluster.kill(3);
    world.run(seconds(20));
    CHECK(world.exists("/brokers/topics/t"));
    cluster.start(3);
    REQUIRE(world.eventually([&] { return forgotten() && !world.exists(paths::delete_topic("t")); }));
  }
  SECTION("one cannot") {
    cluster.at(3).subject.refuses_removal = true;
    world.write(paths::delete_topic("t"), "");
    world.run(seconds(5));
    CHECK(world.exists("/brokers/topics/t"));
    cluster.kill(3);
    REQUIRE(world.eventually([&] { return !world.exists("/brokers/ids/3"); }));
    cluster.start(3);
    REQUIRE(world.eventually([&] { return forgotten() && !world.exists(paths::delete_topic("t")); }));
  }
  CHECK_FALSE(world.exists("/brokers/topics/t"));
  CHECK_FALSE(world.exists("/config/topics/t"));
  for (auto& [id, member] : cluster.members) CHECK(member->subject.roles.empty());
}

TEST_CASE("a registration that nonsense was written over keeps its broker alive") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({2, 3})}});
  auto& world = cluster.world;
  world.write("/brokers/ids/2", "nonsense");
  REQUIRE(
      world.ensemble.commit({Create{.path = "/brokers/ids/x"}, Create{.path = "/brokers/ids/8", .data = "[]"}}).ok());
  world.run(seconds(3));
  CHECK(cluster.everybody_sees("t", 0, 2));
  CHECK(cluster.everybody_sees_everybody());
}

TEST_CASE("ten thousand partitions are loaded and led anew by the next controller") {
  Cluster cluster(3);
  ReplicaLists replicas;
  for (int partition = 0; partition < 10000; ++partition) {
    const int first = partition % 3;
    replicas[partition] = ids({first + 1, (first + 1) % 3 + 1});
  }
  cluster.create("t", std::move(replicas));
  auto& world = cluster.world;
  cluster.kill(1);
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 9999, 2); }));
  CHECK(world.state("t", 9999).isr == ids({2}));
}
