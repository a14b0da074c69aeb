#include "replication/controller/partition_steps.h"

#include <catch2/catch.hpp>

#include <algorithm>

#include "base/random.h"
#include "replication/controller/election.h"

using namespace replication;
using base::BrokerId;

namespace {

std::vector<BrokerId> ids(std::initializer_list<int> raw) {
  std::vector<BrokerId> out;
  for (const int id : raw) out.emplace_back(id);
  return out;
}

IsLive only(std::vector<BrokerId> live) {
  return [live = std::move(live)](BrokerId id) { return std::ranges::find(live, id) != live.end(); };
}

PartitionStateNode led(int leader, std::vector<BrokerId> isr, int epoch = 3) {
  return {.controller_epoch = 1,
          .leader = BrokerId{leader},
          .leader_epoch = base::LeaderEpoch{epoch},
          .isr = std::move(isr)};
}

constexpr OfflineElection kUnclean{.controller_epoch = 7, .unclean_allowed = true};

ControllerState cluster(std::initializer_list<int> live) {
  ControllerState state{.epoch = 7};
  for (const int id : live) state.brokers[BrokerId{id}] = {.id = BrokerId{id}};
  return state;
}

}  // namespace

TEST_CASE("the first leader is the first live replica, with all live ones in sync") {
  auto state = elect_first(ids({3, 1, 2}), only(ids({1, 2})), 7);
  REQUIRE(state.has_value());
  CHECK(state->leader == BrokerId{1});
  CHECK(state->isr == ids({1, 2}));
  CHECK(state->leader_epoch == base::LeaderEpoch{0});
  CHECK(state->controller_epoch == 7);
  CHECK_FALSE(elect_first(ids({3}), only(ids({1})), 7).has_value());
  CHECK_FALSE(elect_first({}, only(ids({1})), 7).has_value());
}

TEST_CASE("an offline partition is led by the first live replica in sync, and only uncleanly by another") {
  const auto state = led(1, ids({1, 3}));
  auto clean = elect_offline(state, ids({1, 2, 3}), only(ids({2, 3})), kUnclean);
  CHECK(clean->leader == BrokerId{3});
  CHECK(clean->isr == ids({3}));
  CHECK(clean->leader_epoch == base::LeaderEpoch{4});
  CHECK_FALSE(elect_offline(state, ids({1, 2, 3}), only(ids({2})), {.controller_epoch = 7}).has_value());
  auto unclean = elect_offline(state, ids({1, 2, 3}), only(ids({2})), kUnclean);
  CHECK(unclean->leader == BrokerId{2});
  CHECK(unclean->isr == ids({2}));
  CHECK_FALSE(unclean->recovering);
  CHECK(elect_offline(state, ids({1, 2, 3}), only(ids({2})),
                      {.controller_epoch = 7, .unclean_allowed = true, .marks_recovery = true})
            ->recovering);
  CHECK_FALSE(elect_offline(state, ids({1, 2, 3}), only({}), kUnclean).has_value());
}

TEST_CASE("a replica that goes leaves the in-sync set unless it is the last") {
  CHECK(without_replica(led(1, ids({1, 2})), BrokerId{1}, 7)->isr == ids({2}));
  CHECK(without_replica(led(1, ids({1, 2})), BrokerId{1}, 7)->leader == base::kNoBroker);
  CHECK(without_replica(led(1, ids({1, 2})), BrokerId{2}, 7)->leader == BrokerId{1});
  auto last = without_replica(led(1, ids({1})), BrokerId{1}, 7);
  CHECK(last->isr == ids({1}));
  CHECK(last->leader == base::kNoBroker);
  CHECK(last->leader_epoch == base::LeaderEpoch{4});
  CHECK_FALSE(without_replica(led(1, ids({1})), BrokerId{2}, 7).has_value());
}

TEST_CASE("due are first leaders and leaders that are gone, but nothing of a topic being deleted") {
  auto state = cluster({1, 2});
  auto& topic = state.topics["t"];
  topic.node.replicas = {{0, ids({1})}, {1, ids({3, 2})}, {2, ids({3})}, {3, ids({2})}};
  topic.partitions[0] = {led(1, ids({1})), 5};
  topic.partitions[1] = {led(3, ids({3, 2})), 6};
  topic.partitions[2] = {led(3, ids({3})), 7};
  const auto due = due_changes(state);
  REQUIRE(due.size() == 3);
  CHECK(due[0].partition == base::TopicPartition{"t", 1});
  CHECK(due[0].version == 6);
  CHECK(due[0].node.leader == BrokerId{2});
  CHECK(due[0].tell == ids({2}));
  CHECK(due[1].partition == base::TopicPartition{"t", 2});
  CHECK(due[1].node.leader == base::kNoBroker);
  CHECK(due[1].node.isr == ids({3}));
  CHECK(due[2].partition == base::TopicPartition{"t", 3});
  CHECK(due[2].version == kNoState);
  CHECK(due[2].tell_new == ids({2}));
  // Once is enough.
  topic.partitions[2].node = due[1].node;
  CHECK_FALSE(due_change(state, {"t", 2}).has_value());
  // What cannot be read is not written over.
  topic.unreadable.insert(3);
  CHECK_FALSE(due_change(state, {"t", 3}).has_value());
  state.deleting.insert("t");
  CHECK(due_changes(state).empty());
}

TEST_CASE("a follower that is gone leaves the in-sync set in one change, however many are gone") {
  auto state = cluster({1});
  auto& topic = state.topics["t"];
  topic.node.replicas = {{0, ids({1, 2, 3})}};
  topic.partitions[0] = {led(1, ids({3, 2, 1}), 5), 9};
  const auto change = due_change(state, {"t", 0});
  REQUIRE(change.has_value());
  CHECK(change->node.leader == BrokerId{1});
  CHECK(change->node.isr == ids({1}));
  CHECK(change->node.leader_epoch == base::LeaderEpoch{6});
  CHECK(change->node.controller_epoch == 7);
  CHECK(change->version == 9);
  CHECK(change->tell == ids({1}));
}

TEST_CASE("when all in-sync replicas are gone at once, each of them may come back and lead") {
  auto state = cluster({3});
  auto& topic = state.topics["t"];
  topic.node.replicas = {{0, ids({1, 2, 3})}};
  topic.partitions[0] = {led(1, ids({1, 2})), 9};
  const auto change = due_change(state, {"t", 0});
  CHECK(change->node.leader == base::kNoBroker);
  CHECK(change->node.isr == ids({1, 2}));
  topic.partitions[0] = {change->node, 10};
  CHECK(stuck_topics(state) == std::set<std::string>{"t"});
  CHECK(due_change(state, {"t", 0}, {"t"})->node.isr == ids({3}));
  state.brokers[BrokerId{2}] = {.id = BrokerId{2}};
  CHECK(stuck_topics(state).empty());
  CHECK(due_change(state, {"t", 0}, {"t"})->node.leader == BrokerId{2});
}

TEST_CASE(
    "a broker that shuts down is elected nowhere, hands over what it leads, and keeps what nobody else can lead") {
  auto state = cluster({1, 2, 3});
  state.shutting_down.insert(BrokerId{1});
  auto& topic = state.topics["t"];
  topic.node.replicas = {{0, ids({1, 2})}, {1, ids({1, 3})}, {2, ids({2, 1})}, {3, ids({1, 2})}, {4, ids({3, 1})}};
  topic.partitions[0] = {led(1, ids({1, 2})), 1};
  topic.partitions[1] = {led(1, ids({1})), 2};
  topic.partitions[2] = {led(2, ids({2, 1})), 3};
  CHECK_FALSE(due_change(state, {"t", 0}).has_value());
  CHECK(due_change(state, {"t", 3})->node.isr == ids({2}));
  const auto handed = hand_over(state, {"t", 0}, BrokerId{1});
  CHECK(handed->node.leader == BrokerId{2});
  CHECK(handed->node.isr == ids({2}));
  CHECK(handed->tell == ids({1, 2}));
  CHECK_FALSE(hand_over(state, {"t", 1}, BrokerId{1}).has_value());
  CHECK_FALSE(hand_over(state, {"t", 2}, BrokerId{1}).has_value());
  const auto left = leave(state, {"t", 2}, BrokerId{1});
  CHECK(left->node.isr == ids({2}));
  CHECK(left->node.leader == BrokerId{2});
  CHECK(left->tell == ids({2}));
  CHECK_FALSE(leave(state, {"t", 0}, BrokerId{1}).has_value());
}

TEST_CASE("the preferred leader is elected where it lives and is in sync") {
  auto state = cluster({1, 2});
  auto& topic = state.topics["t"];
  topic.node.replicas = {{0, ids({1, 2})}, {1, ids({1, 2})}, {2, ids({3, 2})}, {3, ids({2, 1})}};
  topic.partitions[0] = {led(2, ids({2, 1})), 1};
  topic.partitions[1] = {led(2, ids({2})), 1};
  topic.partitions[2] = {led(2, ids({2, 3})), 1};
  topic.partitions[3] = {led(2, ids({2, 1})), 1};
  const auto change = prefer_first(state, {"t", 0});
  CHECK(change->node.leader == BrokerId{1});
  CHECK(change->node.isr == ids({2, 1}));
  CHECK(change->tell == ids({1, 2}));
  for (int partition = 1; partition < 4; ++partition) CHECK_FALSE(prefer_first(state, {"t", partition}).has_value());
  CHECK(needs_preferred(state, {"t", 1}));
  CHECK_FALSE(needs_preferred(state, {"t", 3}));
  CHECK_FALSE(needs_preferred(state, {"u", 0}));
  // Broker 1 leads none of its two.
  CHECK(unbalanced(state, 10) == std::vector{base::TopicPartition{"t", 0}});
  CHECK(unbalanced(state, 100).empty());
  topic.node.adding[2] = ids({2});
  CHECK(unbalanced(state, 10).empty());
}

TEST_CASE("retiring a topic shrinks each in-sync set to one and leaves no leader") {
  auto state = cluster({1, 2});
  auto& topic = state.topics["t"];
  topic.node.replicas = {{0, ids({1, 2})}, {1, ids({2})}};
  topic.partitions[0] = {led(2, ids({1, 2})), 5};
  const auto retired = retire_topic(state, "t");
  REQUIRE(retired.size() == 1);
  CHECK(retired[0].node.leader == base::kNoBroker);
  CHECK(retired[0].node.isr == ids({2}));
  CHECK(retired[0].node.leader_epoch == base::LeaderEpoch{5});
  CHECK(retired[0].version == 5);
  CHECK(may_delete(state, "t"));
  topic.node.adding[0] = ids({2});
  CHECK(may_delete(state, "t"));  // a move does not keep it
  state.brokers.erase(BrokerId{2});
  CHECK_FALSE(may_delete(state, "t"));
}

TEST_CASE("what is announced names the replicas that cannot serve") {
  auto state = cluster({1});
  auto& topic = state.topics["t"];
  topic.node.replicas = {{0, ids({1, 2})}};
  topic.partitions[0] = {led(1, ids({1})), 5};
  const auto told = describe(state, {"t", 0});
  CHECK(told.partition_epoch == 5);
  CHECK(told.offline == ids({2}));
  CHECK(told.controller_epoch == 1);
  const auto deleted = describe_deleted(state, {"t", 0});
  CHECK(deleted.leader == kLeaderDuringDelete);
  CHECK(deleted.leader_epoch == base::LeaderEpoch{0});
}

TEST_CASE("whoever is elected is live and a replica, and no clean election leaves the in-sync set") {
  base::SeededRandom random(5);
  for (int round = 0; round < 5000; ++round) {
    std::vector<BrokerId> replicas, live, isr;
    for (int id = 0; id < 5; ++id) {
      if (random.below(3)) replicas.emplace_back(id);
      if (random.below(2)) live.emplace_back(id);
    }
    for (const auto id : replicas)
      if (random.below(2)) isr.push_back(id);
    const auto state = led(replicas.empty() ? -1 : replicas[0].raw, isr);
    const auto contains = [](const auto& list, BrokerId id) { return std::ranges::find(list, id) != list.end(); };
    const bool unclean = random.below(2);
    const auto next = elect_offline(state, replicas, only(live), {.controller_epoch = 9, .unclean_allowed = unclean});
    const bool possible = std::ranges::any_of(
        replicas, [&](BrokerId id) { return contains(live, id) && (unclean || contains(isr, id)); });
    CHECK(next.has_value() == possible);
    if (!next) continue;
    CHECK(contains(live, next->leader));
    CHECK(contains(replicas, next->leader));
    CHECK(contains(next->isr, next->leader));
    CHECK(next->leader_epoch.raw == state.leader_epoch.raw + 1);
    if (!unclean)
      for (const auto id : next->isr) CHECK(contains(isr, id));
  }
}

TEST_CASE("a replica lost with its disk leaves the in-sync set, and leads no more unless nobody else can serve") {
  auto state = cluster({1, 2});
  auto& topic = state.topics["t"];
  topic.node.replicas = {{0, ids({1, 2})}, {1, ids({1, 2})}, {2, ids({1})}, {3, ids({1, 3})}, {4, ids({1})}};
  topic.partitions[0] = {led(1, ids({1, 2})), 5};
  topic.partitions[1] = {led(2, ids({2, 1})), 6};
  topic.partitions[2] = {led(1, ids({1})), 7};
  topic.partitions[3] = {led(1, ids({1, 3})), 8};  // broker 3 is not there
  for (int p = 0; p < 5; ++p) state.lost[BrokerId{1}].insert({"t", p});
  const auto retired = due_changes(state);
  REQUIRE(retired.size() == 4);
  CHECK(retired[0].node.leader == BrokerId{2});
  CHECK(retired[0].node.isr == ids({2}));
  CHECK(retired[0].node.leader_epoch == base::LeaderEpoch{4});
  CHECK(retired[0].version == 5);
  CHECK(retired[1].node.leader == BrokerId{2});
  CHECK(retired[1].node.isr == ids({2}));
  CHECK(retired[2].node.leader == base::kNoBroker);
  CHECK(retired[2].node.isr == ids({1}));  // whoever has the last copy stays in sync
  CHECK(retired[3].node.leader == base::kNoBroker);
  CHECK(retired[3].node.isr == ids({3}));

  // Nothing more comes of hearing it again, and no election brings it back before the broker has started anew.
  for (const auto& change : retired) topic.partitions[change.partition.partition].node = change.node;
  CHECK(due_changes(state).empty());
  CHECK(describe(state, {"t", 2}).offline == ids({1}));
  CHECK_FALSE(may_delete(state, "t"));
  state.lost.clear();
  const auto due = due_changes(state);
  REQUIRE(due.size() == 2);
  CHECK(due[0].partition == base::TopicPartition{"t", 2});
  CHECK(due[0].node.leader == BrokerId{1});
  CHECK(due[1].partition == base::TopicPartition{"t", 4});
}
