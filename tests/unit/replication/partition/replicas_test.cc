#include "replication/partition/replicas.h"

#include <catch2/catch.hpp>

#include <filesystem>

#include "tests/support/replication/replica_bench.h"

using namespace replication;
using namespace test_support;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;
using std::chrono::milliseconds;

namespace {

ErrorCode first_error(const AnnouncementReply& reply) {
  return reply.partitions.empty() ? ErrorCode::none : reply.partitions.front().code;
}

bool has_directory(const ReplicaBench& bench, const std::string& name) {
  for (const auto& directory : bench.dirs->all())
    if (std::filesystem::exists(directory->path() + "/" + name)) return true;
  return false;
}

}  // namespace

TEST_CASE("a replica is made when it is first mentioned, with its topic's settings, and kept after that") {
  ReplicaBench bench;
  bench.overrides["orders"] = {{"max.message.bytes", "12345"}};
  CHECK(first_error(bench.tell({})) == ErrorCode::none);
  const auto made = bench.table.find("orders", 0);
  REQUIRE(made);
  CHECK(made->is_leader());
  CHECK(made->settings()->admission.max_batch_bytes == 12345);
  CHECK(has_directory(bench, "orders-0"));
  CHECK(first_error(bench.tell({.leader_epoch = LeaderEpoch{1}})) == ErrorCode::none);
  CHECK(bench.table.find("orders", 0) == made);
}

TEST_CASE("a log found at the start is taken, not made anew") {
  ReplicaBench bench;
  auto partition = bench.lead({});
  REQUIRE(append(*partition, {{"kept"}}).ok());
  bench.replicas->stop_all();
  REQUIRE(bench.logs->close(bench.replicas->release_all()).ok());
  bench.table.remove({"orders", 0});

  storage::LogSet logs({.files = bench.files,
                        .clock = bench.clock,
                        .random = bench.random,
                        .in_background = [](const std::function<void()>& work) { work(); }},
                       *bench.dirs, {}, [](const std::string&) { return storage::LogSettings{}; });
  REQUIRE(logs.load().ok());
  Replicas again(
      kSelf, logs, bench.table, bench.settings, bench.pool, [](const std::function<void()>& work) { work(); },
      [](const std::vector<std::string>& topics) {
        return std::vector<base::Result<config::Texts>>(topics.size(), config::Texts{});
      });
  CHECK(first_error(again.lead_or_follow({.from = {.controller_epoch = 2},
                                          .partitions = {ReplicaBench::state({.leader_epoch = LeaderEpoch{1},
                                                                              .is_new = false})}})) == ErrorCode::none);
  CHECK(bench.table.find("orders", 0)->latest({})->offset == Offset{1});
  again.stop_all();
  REQUIRE(logs.close(again.release_all()).ok());
  bench.table.remove({"orders", 0});
}

TEST_CASE("a controller that was replaced is refused, for each partition it named") {
  ReplicaBench bench;
  CHECK(bench.tell({}, 5).code == ErrorCode::none);
  const auto reply = bench.tell({.leader_epoch = LeaderEpoch{9}}, 4);
  CHECK(reply.code == ErrorCode::stale_controller_epoch);
  REQUIRE(reply.partitions.size() == 1);
  CHECK(reply.partitions[0].partition == base::TopicPartition{"orders", 0});
  CHECK(reply.partitions[0].code == ErrorCode::stale_controller_epoch);
  CHECK(bench.table.find("orders", 0)->leader_epoch() == LeaderEpoch{0});
  const auto stopped = bench.stop_replica({.partition = {"orders", 0}, .remove = true}, 4);
  CHECK(stopped.code == ErrorCode::stale_controller_epoch);
  CHECK(stopped.partitions.empty());
  CHECK(bench.table.find("orders", 0));
  CHECK(bench.tell({.partition = 1}, 5).code == ErrorCode::none);
}

TEST_CASE("a replica that is assigned to others is not made here") {
  ReplicaBench bench;
  CHECK(first_error(bench.tell({.leader = kOther, .replicas = {kOther}})) == ErrorCode::unknown_topic_or_partition);
  CHECK_FALSE(bench.table.find("orders", 0));
  CHECK_FALSE(has_directory(bench, "orders-0"));
}

TEST_CASE("stopping with deletion wakes who waits, forgets the replica and removes its directory") {
  ReplicaBench bench;
  auto partition = bench.lead({});
  REQUIRE(append(*partition, {{"a"}}).ok());
  const auto waiter = std::make_shared<CountingWaiter>();
  REQUIRE(partition->park(Isolation::high_watermark, Offset{1}, waiter));
  CHECK(first_error(bench.stop_replica(
            {.partition = {"orders", 0}, .leader_epoch = kEpochDuringDelete, .remove = true})) == ErrorCode::none);
  CHECK(waiter->woken == 1);
  CHECK_FALSE(bench.table.find("orders", 0));
  CHECK_FALSE(has_directory(bench, "orders-0"));
  CHECK(append(*partition, {{"b"}}).error().code == ErrorCode::not_leader_or_follower);
  // Asked for again, it is so already; made again, it is empty.
  CHECK(first_error(bench.stop_replica({.partition = {"orders", 0}, .remove = true})) == ErrorCode::none);
  CHECK(bench.lead({.leader_epoch = LeaderEpoch{0}})->latest({})->offset == Offset{0});
}

TEST_CASE("stopping without deletion lets a leader go on, and an older leader epoch is fenced") {
  ReplicaBench bench;
  auto partition = bench.lead({.leader_epoch = LeaderEpoch{4}});
  CHECK(first_error(bench.stop_replica({.partition = {"orders", 0}, .leader_epoch = LeaderEpoch{4}})) ==
        ErrorCode::none);
  CHECK(append(*partition, {{"a"}}).ok());
  CHECK(first_error(bench.stop_replica({.partition = {"orders", 0}, .leader_epoch = LeaderEpoch{3}, .remove = true})) ==
        ErrorCode::fenced_leader_epoch);
  CHECK(bench.table.find("orders", 0) == partition);
  CHECK(first_error(bench.stop_replica({.partition = {"orders", 0}, .leader_epoch = LeaderEpoch{4}, .remove = true})) ==
        ErrorCode::none);
  CHECK_FALSE(bench.table.find("orders", 0));
}

TEST_CASE("on a retired directory nothing is led, written or read") {
  ReplicaBench bench;
  auto partition = bench.lead({});
  REQUIRE(append(*partition, {{"a"}}).ok());
  bench.dirs->all().front()->retire(base::fail(ErrorCode::kafka_storage_error, "the disk is gone"));
  CHECK(first_error(bench.tell({.leader_epoch = LeaderEpoch{1}})) == ErrorCode::kafka_storage_error);
  CHECK(append(*partition, {{"b"}}).error().code == ErrorCode::kafka_storage_error);
  CHECK(partition->read({.from = Offset{0}, .limits = {.max_bytes = 100}}).error().code ==
        ErrorCode::kafka_storage_error);
  CHECK(first_error(bench.tell({.partition = 1})) == ErrorCode::kafka_storage_error);
}

TEST_CASE("a missing log may lie on a directory that is offline, so only a new replica is made then") {
  ReplicaBench bench(2);
  bench.dirs->all().front()->retire(base::fail(ErrorCode::kafka_storage_error, "the disk is gone"));
  CHECK(first_error(bench.tell({.is_new = false})) == ErrorCode::kafka_storage_error);
  CHECK_FALSE(bench.table.find("orders", 0));
  CHECK(first_error(bench.tell({.is_new = true})) == ErrorCode::none);
}

TEST_CASE("a missing log of an old partition is made when every directory can be seen") {
  ReplicaBench bench(2);
  CHECK(first_error(bench.tell({.is_new = false})) == ErrorCode::none);
}

TEST_CASE("changed settings reach the partitions they concern") {
  ReplicaBench bench;
  bench.overrides["orders"] = {{"max.message.bytes", "5000"}};
  auto orders = bench.lead({});
  auto other = bench.lead({.topic = "other"});
  bench.settings.set_topic_overrides("other", {{"min.insync.replicas", "3"}});
  CHECK(other->settings()->min_insync_replicas == 3);
  CHECK(orders->settings()->min_insync_replicas == 1);
  CHECK(bench.settings.set_cluster_overrides({{"message.max.bytes", "7000"}}).empty());
  CHECK(other->settings()->admission.max_batch_bytes == 7000);
  CHECK(orders->settings()->admission.max_batch_bytes == 5000);
}

TEST_CASE("a replica made while the broker stops is handed back like the others") {
  ReplicaBench bench;
  bench.lead({});
  bench.replicas->stop_all();
  auto late = bench.lead({.partition = 1});
  const auto waiter = std::make_shared<CountingWaiter>();
  REQUIRE(late->park(Isolation::high_watermark, Offset{0}, waiter));
  CHECK(bench.logs->close(bench.replicas->release_all()).ok());
  CHECK(waiter->woken == 1);
}

TEST_CASE("silent producers are forgotten by the periodic work") {
  ReplicaBench bench;
  auto partition = bench.lead({});
  protocol::BatchSpec spec{
      .producer_id = base::ProducerId{7}, .producer_epoch = base::ProducerEpoch{0}, .base_sequence = 0};
  REQUIRE(append(*partition, {.values = {"a"}, .spec = spec}).ok());
  bench.logs->run_every(milliseconds(600),
                        [&] { bench.replicas->remove_expired_producers(bench.clock.wall(), milliseconds(1000)); });
  spec.base_sequence = 9;
  const auto forgotten = [&] {
    bench.logs->run_due_jobs();
    return append(*partition, {.values = {"j"}, .spec = spec}).ok();
  };
  CHECK_FALSE(forgotten());
  bench.clock.advance(milliseconds(600));
  CHECK_FALSE(forgotten());  // silent for too short a time
  bench.clock.advance(milliseconds(599));
  CHECK_FALSE(forgotten());  // its turn has not come
  bench.clock.advance(milliseconds(1));
  CHECK(forgotten());
}

TEST_CASE("the configuration of new topics is read in one question, that of known partitions not again") {
  ReplicaBench bench;
  bench.overrides["orders"] = {{"max.message.bytes", "5000"}};
  const auto lead = [&](std::vector<ReplicaBench::Told> all) {
    LeaderAndIsr request{.from = {.controller = kSelf, .controller_epoch = 1}};
    for (const auto& told : all) request.partitions.push_back(ReplicaBench::state(told));
    return bench.replicas->lead_or_follow(request);
  };
  CHECK(lead({{.partition = 0}, {.partition = 1}, {.topic = "bills"}, {.topic = "elsewhere", .replicas = {kOther}}})
            .partitions.size() == 1);
  CHECK(bench.questions == std::vector<std::vector<std::string>>{{"bills", "orders"}});
  CHECK(bench.table.find("orders", 1)->settings()->admission.max_batch_bytes == 5000);
  CHECK(lead({{.partition = 0, .leader_epoch = LeaderEpoch{1}}}).partitions.empty());
  CHECK(bench.questions.size() == 1);
}

TEST_CASE("a new topic whose configuration cannot be read is refused, those beside it are led") {
  ReplicaBench bench;
  bench.unreadable.emplace("orders", base::fail(ErrorCode::unknown_server_error, "closed: /config/topics/orders"));
  LeaderAndIsr request{.from = {.controller = kSelf, .controller_epoch = 1}};
  for (const auto* topic : {"orders", "bills"}) request.partitions.push_back(ReplicaBench::state({.topic = topic}));
  const auto reply = bench.replicas->lead_or_follow(request);
  REQUIRE(reply.partitions.size() == 1);
  CHECK(reply.partitions[0].partition.topic == "orders");
  CHECK(bench.table.find("orders", 0) == nullptr);
  CHECK(bench.table.find("bills", 0) != nullptr);
  bench.unreadable.clear();
  CHECK(bench.lead({}) != nullptr);
}
