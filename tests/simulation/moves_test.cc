// Replicas that move, leaders that are elected by request, brokers that stop in order: controllers of several brokers.
#include <catch2/catch.hpp>

#include "tests/simulation/controllers.h"

using namespace simulation;
using namespace replication;
using base::BrokerId;
using base::ErrorCode;
using std::chrono::seconds;

namespace {

struct Cluster : ControllerCluster {
  using ControllerCluster::ControllerCluster;

  PartitionResults move(const std::string& topic, int partition, std::optional<std::vector<BrokerId>> to) {
    std::optional<PartitionResults> results;
    controller().reassign({{.partition = {topic, partition}, .replicas = std::move(to)}},
                          [&](PartitionResults given) { results = std::move(given); });
    REQUIRE(world.eventually([&] { return results.has_value(); }));
    return *results;
  }
  std::vector<MovingPartition> moving() {
    std::optional<MovingPartitions> found;
    controller().list_reassignments(std::nullopt, [&](MovingPartitions given) { found = std::move(given); });
    REQUIRE(world.eventually([&] { return found.has_value(); }));
    return found->partitions;
  }
  PartitionResults elect(ElectionType type, std::vector<base::TopicPartition> partitions) {
    std::optional<PartitionResults> results;
    controller().elect_leaders({.type = type, .partitions = std::move(partitions), .timeout = seconds(30)},
                               [&](PartitionResults given) { results = std::move(given); });
    REQUIRE(world.eventually([&] { return results.has_value(); }));
    return *results;
  }
  ShutdownReply shut_down(int broker) {
    std::optional<ShutdownReply> reply;
    controller().shut_down(BrokerId{broker}, at(broker).membership.epoch(),
                           [&](ShutdownReply given) { reply = std::move(given); });
    REQUIRE(world.eventually([&] { return reply.has_value(); }));
    return *reply;
  }
  TopicNode topic(const std::string& name) {
    const auto path = paths::topic(name);
    return decode_topic(path, world.data(path)).value();
  }
  bool settled(const std::string& name) { return topic(name).adding.empty() && topic(name).removing.empty(); }
};

}  // namespace

TEST_CASE("a replica moves when its successor is in sync, and its broker then deletes it") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({1, 2})}});
  auto& world = cluster.world;
  CHECK(cluster.move("t", 0, ids({3, 2})).partitions.at(0).code == ErrorCode::none);
  const auto moving = cluster.moving();
  REQUIRE(moving.size() == 1);
  CHECK(moving[0].replicas == ids({3, 2, 1}));
  CHECK(moving[0].adding == ids({3}));
  CHECK(moving[0].removing == ids({1}));
  CHECK_FALSE(cluster.topic("t").topic_id->is_zero());
  REQUIRE(world.eventually([&] { return cluster.at(3).subject.roles.contains({"t", 0}); }));
  CHECK(cluster.at(3).subject.roles.at({"t", 0}).is_new);
  CHECK(cluster.at(3).subject.roles.at({"t", 0}).leader == BrokerId{1});
  CHECK(world.state("t", 0).leader_epoch == base::LeaderEpoch{1});

  REQUIRE(cluster.alter(1, "t", 0, ids({1, 2, 3})) == ErrorCode::none);
  REQUIRE(world.eventually([&] { return cluster.settled("t"); }));
  CHECK(cluster.topic("t").replicas.at(0) == ids({3, 2}));
  CHECK(world.state("t", 0).leader == BrokerId{3});
  CHECK(world.state("t", 0).isr == ids({2, 3}));
  REQUIRE(world.eventually([&] { return !cluster.at(1).subject.roles.contains({"t", 0}); }));
  CHECK(cluster.at(1).subject.stops == std::vector<std::string>{"remove t-0"});
  REQUIRE(world.eventually([&] { return cluster.at(1).subject.sees("t", 0)->replicas == ids({3, 2}); }));
  CHECK(cluster.moving().empty());
}

TEST_CASE("a move is replaced by another, and taken back") {
  Cluster cluster(4);
  cluster.create("t", {{0, ids({1, 2})}});
  auto& world = cluster.world;
  REQUIRE(cluster.move("t", 0, ids({3, 2})).partitions.at(0).code == ErrorCode::none);
  REQUIRE(world.eventually([&] { return cluster.at(3).subject.roles.contains({"t", 0}); }));
  REQUIRE(cluster.move("t", 0, ids({4, 2})).partitions.at(0).code == ErrorCode::none);
  REQUIRE(world.eventually([&] {
    return cluster.at(4).subject.roles.contains({"t", 0}) && !cluster.at(3).subject.roles.contains({"t", 0});
  }));
  CHECK(cluster.moving().at(0).adding == ids({4}));
  REQUIRE(cluster.move("t", 0, std::nullopt).partitions.at(0).code == ErrorCode::none);
  REQUIRE(world.eventually([&] { return !cluster.at(4).subject.roles.contains({"t", 0}); }));
  CHECK(cluster.settled("t"));
  CHECK(cluster.topic("t").replicas.at(0) == ids({2, 1}));
  CHECK(world.state("t", 0).leader == BrokerId{1});
  CHECK(cluster.move("t", 0, std::nullopt).partitions.at(0).code == ErrorCode::no_reassignment_in_progress);
}

TEST_CASE("the next controller goes on with a move where the last one stopped") {
  Cluster cluster(4);
  cluster.create("t", {{0, ids({2, 3})}});
  auto& world = cluster.world;
  REQUIRE(cluster.move("t", 0, ids({4, 3})).partitions.at(0).code == ErrorCode::none);
  cluster.kill(1);
  REQUIRE(world.eventually([&] { return cluster.everybody_sees_everybody(); }));
  REQUIRE(world.eventually([&] { return cluster.at(2).subject.roles.at({"t", 0}).leader_epoch.raw >= 2; }));
  CHECK(cluster.moving().size() == 1);
  REQUIRE(cluster.alter(2, "t", 0, ids({2, 3, 4})) == ErrorCode::none);
  REQUIRE(world.eventually([&] { return cluster.settled("t") && cluster.everybody_sees("t", 0, 4); }));
  CHECK(world.state("t", 0).isr == ids({3, 4}));
}

TEST_CASE("a move waits for a broker that is away") {
  Cluster cluster(4);
  cluster.create("t", {{0, ids({2, 3})}});
  auto& world = cluster.world;
  REQUIRE(cluster.move("t", 0, ids({4, 3})).partitions.at(0).code == ErrorCode::none);
  cluster.kill(4);
  REQUIRE(world.eventually([&] { return cluster.everybody_sees_everybody(); }));
  CHECK_FALSE(cluster.settled("t"));
  cluster.start(4);
  REQUIRE(world.eventually([&] { return cluster.at(4).subject.roles.contains({"t", 0}); }));
  REQUIRE(world.eventually([&] { return cluster.everybody_sees_everybody(); }));
  world.run(seconds(2));
  REQUIRE(cluster.alter(2, "t", 0, ids({2, 3, 4})) == ErrorCode::none);
  REQUIRE(world.eventually([&] { return cluster.settled("t"); }));
}

TEST_CASE("what a tool writes into the store is moved, too, and the node goes when all is done") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({1, 2})}, {1, ids({1, 2})}, {2, ids({1, 2})}});
  auto& world = cluster.world;
  const std::string path(paths::kReassignPartitions);
  SECTION("moves") {
    world.write(path, encode(ReassignPartitionsNode{.partitions = {{{"t", 0}, ids({3, 2})},
                                                                   {{"t", 1}, ids({2, 1})},
                                                                   {{"t", 2}, ids({1, 1})},
                                                                   {{"t", 7}, ids({1})},
                                                                   {{"u", 0}, ids({1})}}}));
    REQUIRE(world.eventually([&] {
      const auto left = decode_reassign_partitions(path, world.data(path));
      return left.ok() && left->partitions.size() == 1;
    }));
    CHECK(cluster.topic("t").replicas.at(1) == ids({2, 1}));
    CHECK(cluster.topic("t").adding.at(0) == ids({3}));
    REQUIRE(cluster.alter(1, "t", 0, ids({1, 2, 3})) == ErrorCode::none);
    REQUIRE(world.eventually([&] { return !world.exists(path); }));
    CHECK(cluster.settled("t"));
  }
  SECTION("a request takes precedence") {
    world.write(path, encode(ReassignPartitionsNode{.partitions = {{{"t", 0}, ids({3, 2})}}}));
    REQUIRE(world.eventually([&] { return !cluster.settled("t"); }));
    REQUIRE(cluster.move("t", 0, std::nullopt).partitions.at(0).code == ErrorCode::none);
    REQUIRE(world.eventually([&] { return !world.exists(path) && cluster.settled("t"); }));
  }
  SECTION("nonsense") {
    world.write(path, "nonsense");
    REQUIRE(world.eventually([&] { return !world.exists(path); }));
    CHECK(cluster.settled("t"));
  }
}

TEST_CASE("a move ends soon after its leader has written the set that completes it") {
  ControllerSettings settings;
  settings.leaders_write_sets = true;
  Cluster cluster(3, 1, settings);
  cluster.create("t", {{0, ids({1, 2})}});
  auto& world = cluster.world;
  REQUIRE(cluster.move("t", 0, ids({3, 2})).partitions.at(0).code == ErrorCode::none);
  auto grown = world.state("t", 0);
  grown.isr = ids({1, 2, 3});
  world.write(paths::partition_state("t", 0), encode(grown));
  REQUIRE(world.eventually([&] { return cluster.settled("t") && cluster.everybody_sees("t", 0, 3); }));
  CHECK(world.state("t", 0).isr == ids({2, 3}));
}

TEST_CASE("a topic that moves can be deleted, and its move ends with it") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({1, 2})}});
  auto& world = cluster.world;
  REQUIRE(cluster.move("t", 0, ids({3, 2})).partitions.at(0).code == ErrorCode::none);
  world.write(paths::delete_topic("t"), "");
  REQUIRE(
      world.eventually([&] { return !world.exists("/brokers/topics/t") && !world.exists("/admin/delete_topics/t"); }));
}

TEST_CASE("preferred leaders are elected by request, by a tool's node, and by the clock") {
  const bool by_clock = GENERATE(false, true);
  ControllerSettings settings;
  if (by_clock) settings.balance = ControllerSettings::Balance{.interval = seconds(20), .percentage = 10};
  Cluster cluster(3, 1, settings);
  cluster.create("t", {{0, ids({2, 3})}, {1, ids({3, 2})}});
  auto& world = cluster.world;
  CHECK(cluster.elect(ElectionType::preferred, {{"t", 0}}).partitions.at(0).code == ErrorCode::election_not_needed);
  cluster.kill(2);
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 0, 3); }));
  CHECK(cluster.elect(ElectionType::preferred, {{"t", 0}}).partitions.at(0).message ==
        "Failed to elect leader for partition t-0 under strategy PreferredReplicaPartitionLeaderElectionStrategy");
  cluster.start(2);
  REQUIRE(world.eventually([&] { return cluster.everybody_sees_everybody(); }));
  REQUIRE(cluster.alter(3, "t", 0, ids({3, 2})) == ErrorCode::none);
  if (by_clock) {
    REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 0, 2); }));
    return;
  }
  world.run(seconds(60));
  CHECK(cluster.everybody_sees("t", 0, 3));
  SECTION("by request") {
    CHECK(cluster.elect(ElectionType::preferred, {{"t", 0}}).partitions.at(0).code == ErrorCode::none);
    CHECK(cluster.at(1).subject.sees("t", 0)->leader == BrokerId{2});
  }
  SECTION("by a node") {
    const std::string path(paths::kPreferredElection);
    world.write(path, encode(PreferredElectionNode{.partitions = {{"t", 0}, {"t", 9}}}));
    REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 0, 2) && !world.exists(path); }));
    world.write(path, "nonsense");
    REQUIRE(world.eventually([&] { return !world.exists(path); }));
  }
  CHECK(world.state("t", 0).isr == ids({3, 2}));
}

TEST_CASE("an unclean election by request takes whoever lives, and only where nobody leads") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({2, 3})}, {1, ids({3, 2})}, {2, ids({2})}});
  auto& world = cluster.world;
  REQUIRE(cluster.alter(2, "t", 0, ids({2})) == ErrorCode::none);
  cluster.kill(2);
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 0, -1); }));
  const auto results = cluster.elect(ElectionType::unclean, {{"t", 0}, {"t", 1}, {"t", 2}}).partitions;
  CHECK(results.at(0).code == ErrorCode::none);
  CHECK(results.at(1).code == ErrorCode::election_not_needed);
  CHECK(results.at(2).code == ErrorCode::eligible_leaders_not_available);
  CHECK(results.at(2).message ==
        "Failed to elect leader for partition t-2 under strategy OfflinePartitionLeaderElectionStrategy(true)");
  CHECK(world.state("t", 0).leader == BrokerId{3});
  CHECK(world.state("t", 0).isr == ids({3}));
}

TEST_CASE("a broker that stops in order hands over what it leads and leaves the sets it is in") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({2, 3})}, {1, ids({3, 2})}, {2, ids({2})}, {3, ids({2, 3})}});
  auto& world = cluster.world;
  REQUIRE(cluster.alter(2, "t", 3, ids({2})) == ErrorCode::none);
  auto reply = cluster.shut_down(2);
  CHECK(reply.code == ErrorCode::none);
  CHECK(reply.remaining == std::vector<base::TopicPartition>{{"t", 3}});
  CHECK(world.state("t", 0).leader == BrokerId{3});
  CHECK(world.state("t", 0).isr == ids({3}));
  CHECK(world.state("t", 1).isr == ids({3}));
  CHECK(world.state("t", 2).leader == BrokerId{2});
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 0, 3); }));
  REQUIRE(world.eventually([&] { return cluster.at(2).subject.stops.size() == 2; }));
  CHECK(cluster.at(2).subject.stops == std::vector<std::string>{"stop t-0", "stop t-1"});
  // Nobody takes it in again; the follower of the last one may come into sync, and then leads.
  CHECK(cluster.alter(3, "t", 0, ids({3, 2})) == ErrorCode::ineligible_replica);
  REQUIRE(cluster.alter(2, "t", 3, ids({2, 3})) == ErrorCode::none);
  reply = cluster.shut_down(2);
  CHECK(reply.remaining.empty());
  CHECK(world.state("t", 3).leader == BrokerId{3});

  // It comes back as if nothing had been.
  cluster.kill(2);
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 2, -1); }));
  cluster.start(2);
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 2, 2); }));
  REQUIRE(world.eventually([&] { return cluster.at(2).subject.roles.size() == 4; }));
  CHECK(cluster.alter(3, "t", 0, ids({3, 2})) == ErrorCode::none);
}

TEST_CASE("a topic grows on several brokers, by request and by a tool that rewrites its node") {
  Cluster cluster(3);
  cluster.create("t", {{0, ids({1, 2})}});
  auto& world = cluster.world;
  std::optional<TopicResults> results;
  cluster.controller().create_partitions(
      {{.topic = "t", .count = 2, .assignment = std::vector<std::vector<BrokerId>>{ids({3, 1})}}},
      {.timeout = seconds(30)}, [&](TopicResults given) { results = std::move(given); });
  REQUIRE(world.eventually([&] { return results.has_value(); }));
  CHECK(results->at(0).code == ErrorCode::none);
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 1, 3); }));

  auto node = cluster.topic("t");
  const auto id = node.topic_id;
  node.replicas[2] = ids({2, 3});
  node.replicas[0] = ids({3});  // not this way
  node.topic_id.reset();
  world.write(paths::topic("t"), encode(node));
  REQUIRE(world.eventually([&] { return cluster.everybody_sees("t", 2, 2); }));
  CHECK(cluster.topic("t").topic_id == id);
  CHECK(cluster.topic("t").replicas.at(0) == ids({1, 2}));
  CHECK(world.state("t", 0).leader == BrokerId{1});
}
