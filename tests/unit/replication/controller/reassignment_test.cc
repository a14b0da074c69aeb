#include "replication/controller/reassignment.h"

#include <catch2/catch.hpp>

#include <algorithm>

#include "base/random.h"
#include "replication/controller/broker_changes.h"

using namespace replication;
using base::BrokerId;

namespace {

std::vector<BrokerId> ids(std::initializer_list<int> raw) {
  std::vector<BrokerId> out;
  for (const int id : raw) out.emplace_back(id);
  return out;
}

// Partition t-0 with these lists, led by `leader` in epoch 3.
ControllerState moving(const ReplicaMove& move, int leader, std::vector<BrokerId> isr) {
  ControllerState state{.epoch = 7};
  for (const int id : {1, 2, 3, 4, 5}) state.brokers[BrokerId{id}] = {.id = BrokerId{id}};
  auto& topic = state.topics["t"];
  put_move(topic.node, 0, move);
  topic.partitions[0] = {{.leader = BrokerId{leader}, .leader_epoch = base::LeaderEpoch{3}, .isr = std::move(isr)}, 9};
  return state;
}

const base::TopicPartition kPartition{"t", 0};

}  // namespace

TEST_CASE("a move begins with the target in front, and whoever is to go behind it") {
  const ReplicaMove settled{.replicas = ids({1, 2, 3})};
  const auto move = settled.to(ids({4, 2, 5}));
  CHECK(move.replicas == ids({4, 2, 5, 1, 3}));
  CHECK(move.adding == ids({4, 5}));
  CHECK(move.removing == ids({1, 3}));
  CHECK(move.target() == ids({4, 2, 5}));
  CHECK(move.origin() == ids({2, 1, 3}));
  CHECK_FALSE(settled.to(ids({3, 2, 1})).is_under_way());

  // Replaced: seen from where the replicas were, not from where they were about to be.
  const auto other = move.to(ids({3, 5}));
  CHECK(other.replicas == ids({3, 5, 2, 1}));
  CHECK(other.adding == ids({5}));
  CHECK(other.removing == ids({2, 1}));
  // Taken back.
  const auto back = move.to(move.origin());
  CHECK(back.replicas == ids({2, 1, 3}));
  CHECK_FALSE(back.is_under_way());

  TopicNode node;
  put_move(node, 4, move);
  CHECK(move_of(node, 4) == move);
  put_move(node, 4, back);
  CHECK(node.adding.empty());
  CHECK(node.removing.empty());
  CHECK(move_of(node, 5) == ReplicaMove{});
}

TEST_CASE("whatever moves follow each other, the target is reached from the origin") {
  base::SeededRandom random(3);
  for (int round = 0; round < 2000; ++round) {
    const auto some = [&] {
      std::vector<BrokerId> out;
      for (int id = 0; id < 6; ++id)
        if (random.below(2)) out.emplace_back(id);
      if (out.empty()) out.emplace_back(0);
      return out;
    };
    const auto sorted = [](std::vector<BrokerId> list) {
      std::ranges::sort(list);
      return list;
    };
    const auto origin = some();
    ReplicaMove move{.replicas = origin};
    for (int step = 0; step < 3; ++step) {
      const auto target = some();
      move = move.to(target);
      CHECK(move.target() == target);
      CHECK(sorted(move.origin()) == sorted(origin));
    }
  }
}

TEST_CASE("a move that begins is told to those who were there, and to those who are new as such") {
  const auto move = ReplicaMove{.replicas = ids({1, 2})}.to(ids({3, 2}));
  const auto state = moving(move, 1, ids({1, 2}));
  const auto change = begin_move(state, kPartition);
  REQUIRE(change.has_value());
  CHECK(change->node.leader == BrokerId{1});
  CHECK(change->node.isr == ids({1, 2}));
  CHECK(change->node.leader_epoch == base::LeaderEpoch{4});
  CHECK(change->node.controller_epoch == 7);
  CHECK(change->tell == ids({2, 1}));
  CHECK(change->tell_new == ids({3}));
  CHECK_FALSE(is_complete(state, kPartition));
}

TEST_CASE("a move is complete when its target is in sync, and then the target alone is left") {
  const auto move = ReplicaMove{.replicas = ids({1, 2})}.to(ids({3, 2}));
  auto state = moving(move, 1, ids({1, 2, 3}));
  CHECK(is_complete(state, kPartition));
  auto change = end_move(state, kPartition, move.target());
  REQUIRE(change.has_value());
  CHECK(change->node.leader == BrokerId{3});
  CHECK(change->node.isr == ids({2, 3}));
  CHECK(change->node.leader_epoch == base::LeaderEpoch{4});
  CHECK(change->tell == ids({3, 2}));
  // The leader stays where it can.
  state.topics["t"].partitions[0].node.leader = BrokerId{2};
  CHECK(end_move(state, kPartition, move.target())->node.leader == BrokerId{2});
  // Nobody of the target is there: nothing is taken away.
  state.brokers.erase(BrokerId{2});
  CHECK(end_move(state, kPartition, move.target())->node.leader == BrokerId{3});
  state.brokers.erase(BrokerId{3});
  CHECK_FALSE(end_move(state, kPartition, move.target()).has_value());
}

TEST_CASE("a move that is taken back drops the replicas it had added, even one that leads") {
  const auto state = moving({.replicas = ids({1, 2})}, 3, ids({3, 2}));
  const auto change = begin_move(state, kPartition);
  CHECK(change->node.leader == BrokerId{2});
  CHECK(change->node.isr == ids({2}));
  CHECK(change->node.leader_epoch == base::LeaderEpoch{4});
}

TEST_CASE("what cannot be a target is refused in Kafka's words") {
  CHECK(check_target(ids({1, 2})).ok());
  CHECK(check_target({}).error().detail == "Empty replica list specified in partition reassignment.");
  CHECK(check_target(ids({1, 2, 1})).error().detail ==
        "Duplicate replica ids in partition reassignment replica list: ArrayBuffer(1, 2, 1)");
  CHECK(check_target(ids({-1})).error().detail == "Invalid broker id in replica list: ArrayBuffer(-1)");
  auto state = moving({.replicas = ids({9})}, 9, ids({9}));
  const ReplicaMove settled{.replicas = ids({9})};
  CHECK(check_added_live(state, settled.to(ids({1, 9}))).ok());
  CHECK(check_added_live(state, settled.to(ids({8, 1}))).error().detail ==
        "Replica assignment has brokers that are not alive. Replica list: ArrayBuffer(8, 1), live broker list: "
        "Set(1, 2, 3, 4, 5)");
  state.shutting_down.insert(BrokerId{1});
  CHECK_FALSE(check_added_live(state, settled.to(ids({1, 9}))).ok());
}

TEST_CASE("what moves is what has replicas to add or to remove") {
  auto state = moving(ReplicaMove{.replicas = ids({1})}.to(ids({2})), 1, ids({1}));
  put_move(state.topics["t"].node, 3, ReplicaMove{.replicas = ids({1, 2})}.to(ids({2})));
  put_move(state.topics["t"].node, 4, {.replicas = ids({1, 2})});
  CHECK(moving_partitions(state) == std::vector<base::TopicPartition>{{"t", 0}, {"t", 3}});
}

TEST_CASE("a broker that has registered anew has left and has come") {
  const std::map<BrokerId, LiveBroker> before{{BrokerId{1}, {.id = BrokerId{1}, .epoch = 5}},
                                              {BrokerId{2}, {.id = BrokerId{2}, .epoch = 6}},
                                              {BrokerId{3}, {.id = BrokerId{3}, .epoch = 7}}};
  auto now = before;
  CHECK(compare(before, now).left.empty());
  CHECK_FALSE(compare(before, now).moved);
  now.erase(BrokerId{1});
  now[BrokerId{2}].epoch = 9;
  now[BrokerId{3}].rack = std::string("r");
  now[BrokerId{4}] = {.id = BrokerId{4}, .epoch = 8};
  const auto changes = compare(before, now);
  CHECK(changes.left == std::set{BrokerId{1}, BrokerId{2}});
  CHECK(changes.came == std::set{BrokerId{2}, BrokerId{4}});
  CHECK(changes.moved);
}
