#include "replication/controller/announcement_batch.h"

#include <catch2/catch.hpp>

using namespace replication;
using base::BrokerId;

namespace {

std::vector<BrokerId> ids(std::initializer_list<int> raw) {
  std::vector<BrokerId> out;
  for (const int id : raw) out.emplace_back(id);
  return out;
}

PartitionState led(int partition, int leader, std::vector<BrokerId> replicas) {
  return {.topic = "t", .partition = partition, .leader = BrokerId{leader}, .replicas = std::move(replicas)};
}

ControllerState cluster(std::initializer_list<int> live) {
  ControllerState state{.epoch = 7};
  for (const int id : live) state.brokers[BrokerId{id}] = {.id = BrokerId{id}, .epoch = 100 + id};
  return state;
}

}  // namespace

TEST_CASE("each broker is told what concerns it, and all of them what clients may see") {
  AnnouncementBatch batch;
  batch.tell_leadership(ids({1, 2, 9}), led(0, 1, ids({1, 2, 9})));
  batch.tell_leadership(ids({2}), led(1, 9, ids({2})));
  batch.tell_metadata(led(0, 1, ids({1, 2, 9})));
  batch.tell_stop(BrokerId{3}, {.partition = {"t", 4}, .remove = true});
  const auto told = batch.take(cluster({1, 2, 3}), BrokerId{3});
  REQUIRE(told.size() == 3);  // broker 9 is not there

  const auto& first = told.at(BrokerId{1});
  REQUIRE(first.leadership.has_value());
  CHECK(first.leadership->partitions.size() == 1);
  CHECK(first.leadership->from.controller == BrokerId{3});
  CHECK(first.leadership->from.controller_epoch == 7);
  CHECK(first.leadership->from.broker_epoch == 101);
  CHECK(first.leadership->leaders.size() == 1);
  CHECK_FALSE(first.stop.has_value());
  const auto& second = told.at(BrokerId{2});
  CHECK(second.leadership->partitions.size() == 2);
  CHECK(second.leadership->leaders.size() == 1);
  CHECK(second.leadership->from.broker_epoch == 102);
  const auto& third = told.at(BrokerId{3});
  CHECK_FALSE(third.leadership.has_value());
  CHECK(third.stop->partitions.at(0).remove);
  for (const auto& [id, one] : told) {
    CHECK(one.metadata->partitions.size() == 1);
    CHECK(one.metadata->brokers.size() == 3);
  }
  CHECK(batch.take(cluster({1, 2, 3}), BrokerId{3}).empty());
}

TEST_CASE("of what is told twice the later holds, and what is new stays new") {
  AnnouncementBatch batch;
  auto fresh = led(0, 1, ids({1}));
  fresh.is_new = true;
  batch.tell_leadership(ids({1}), fresh);
  batch.tell_leadership(ids({1}), led(0, 2, ids({1, 2})));
  batch.tell_metadata(led(0, 1, ids({1})));
  batch.tell_metadata(led(0, 2, ids({1, 2})));
  batch.tell_stop(BrokerId{1}, {.partition = {"t", 1}, .remove = true});
  batch.tell_stop(BrokerId{1}, {.partition = {"t", 1}, .leader_epoch = base::LeaderEpoch{5}});
  const auto told = batch.take(cluster({1}), BrokerId{1}).at(BrokerId{1});
  REQUIRE(told.leadership->partitions.size() == 1);
  CHECK(told.leadership->partitions[0].leader == BrokerId{2});
  CHECK(told.leadership->partitions[0].is_new);
  REQUIRE(told.metadata->partitions.size() == 1);
  CHECK(told.metadata->partitions[0].leader == BrokerId{2});
  REQUIRE(told.stop->partitions.size() == 1);
  CHECK(told.stop->partitions[0].remove);
  CHECK(told.stop->partitions[0].leader_epoch == base::LeaderEpoch{5});
}

TEST_CASE("a broker that has just come is told more than the others") {
  AnnouncementBatch batch;
  batch.tell_brokers();
  batch.tell_metadata_to(BrokerId{2}, led(0, 1, ids({1})));
  batch.tell_metadata_to(BrokerId{2}, led(1, 1, ids({1})));
  auto told = batch.take(cluster({1, 2}), BrokerId{1});
  CHECK(told.at(BrokerId{1}).metadata->partitions.empty());
  CHECK(told.at(BrokerId{2}).metadata->partitions.size() == 2);
  batch.tell_metadata_to(BrokerId{2}, led(0, 1, ids({1})));
  told = batch.take(cluster({1, 2}), BrokerId{1});
  CHECK_FALSE(told.contains(BrokerId{1}));
  CHECK(told.at(BrokerId{2}).metadata->brokers.size() == 2);
}

TEST_CASE("a replica whose disk is gone is not told to lead or follow") {
  AnnouncementBatch batch;
  auto state = led(0, 2, ids({1, 2}));
  state.offline = ids({1});
  batch.tell_leadership(ids({1, 2}), state);
  const auto told = batch.take(cluster({1, 2}), BrokerId{1});
  CHECK_FALSE(told.contains(BrokerId{1}));
  CHECK(told.at(BrokerId{2}).leadership.has_value());
}
