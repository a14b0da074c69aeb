// Replicas whose logs are still being opened, or cannot be.
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <thread>

#include "replication/partition/replicas.h"
#include "tests/support/replication/replica_bench.h"
#include "tests/support/storage/watched_files.h"

using namespace replication;
using namespace test_support;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;

namespace {

// The directories of a bench after its broker was killed, found by the next one.
struct NextBroker {
  explicit NextBroker(ReplicaBench& before) : bench(before), files(before.files) {
    bench.replicas->stop_all();
    bench.replicas->release_all();
    for (const auto& partition : bench.table.all()) bench.table.remove(partition->name());
    logs = std::make_unique<storage::LogSet>(
        storage::LogServices{.files = files,
                             .clock = bench.clock,
                             .random = bench.random,
                             .in_background = [](const std::function<void()>& work) { work(); },
                             .remove_later = {}},
        *bench.dirs, storage::LogSetOptions{}, [](const std::string&) { return storage::LogSettings{}; });
    replicas = std::make_unique<Replicas>(
        kSelf, *logs, bench.table, bench.settings, bench.pool,
        [this](const std::function<void()>& work) {
          absl::MutexLock one_at_a_time(&turn);
          work();
        },
        [](const std::vector<std::string>& topics) {
          return std::vector<base::Result<config::Texts>>(topics.size(), config::Texts{});
        });
  }
  ~NextBroker() {
    files.release();
    logs->stop_loading();
    replicas->stop_all();
    (void)logs->close(replicas->release_all());
    for (const auto& partition : bench.table.all()) bench.table.remove(partition->name());
  }

  AnnouncementReply tell(const std::vector<base::PartitionIndex>& partitions) {
    LeaderAndIsr request{.from = {.controller_epoch = 2}};
    for (const auto p : partitions)
      request.partitions.push_back(
          ReplicaBench::state({.partition = p, .leader_epoch = LeaderEpoch{1}, .is_new = false}));
    absl::MutexLock one_at_a_time(&turn);
    return replicas->lead_or_follow(request);
  }
  AnnouncementReply stop(base::PartitionIndex partition) {
    absl::MutexLock one_at_a_time(&turn);
    return replicas->stop(
        {.from = {.controller_epoch = 2}, .partitions = {{.partition = {"orders", partition}, .remove = true}}});
  }
  // Until the log of this partition was opened and taken up.
  void await_led(base::PartitionIndex partition) {
    const auto led = [&] { return bench.table.find("orders", partition) != nullptr; };
    absl::MutexLock lock(&turn);
    REQUIRE(turn.AwaitWithTimeout(absl::Condition(&led), absl::Seconds(10)));
  }

  ReplicaBench& bench;
  storage::testing::WatchedFiles files;
  absl::Mutex turn;
  std::unique_ptr<storage::LogSet> logs;
  std::unique_ptr<Replicas> replicas ABSL_GUARDED_BY(turn);
};

}  // namespace

TEST_CASE("a partition is led as soon as its log is open, clients of the others are told to look again") {
  ReplicaBench bench;
  for (int p = 0; p < 3; ++p) REQUIRE(append(*bench.lead({.partition = p}), {{"kept"}}).ok());
  NextBroker next(bench);
  next.files.hold("orders-1");
  REQUIRE(next.logs->open().ok());
  CHECK(next.tell({0, 1}).partitions.empty());
  CHECK(bench.table.is_loading("orders", 0));
  CHECK_FALSE(bench.table.is_loading("orders", 2));

  next.logs->start_loading();
  next.files.await_held();
  CHECK(bench.table.is_loading("orders", 1));
  CHECK(bench.table.why_absent("orders", 1) == ErrorCode::not_leader_or_follower);
  CHECK_FALSE(bench.table.find("orders", 1));
  // Told again meanwhile: the later word counts.
  LeaderAndIsr again{
      .from = {.controller_epoch = 2},
      .partitions = {ReplicaBench::state({.partition = 1, .leader_epoch = LeaderEpoch{3}, .is_new = false})}};
  {
    absl::MutexLock one_at_a_time(&next.turn);
    CHECK(next.replicas->lead_or_follow(again).partitions.empty());
  }
  next.files.release();
  for (int p = 0; p < 2; ++p) {
    next.await_led(p);
    CHECK(bench.table.find("orders", p)->latest({})->offset == Offset{1});
    CHECK_FALSE(bench.table.is_loading("orders", p));
  }
  CHECK(bench.table.find("orders", 1)->leader_epoch() == LeaderEpoch{3});
  // Nobody asked for this one before it was open.
  next.logs->wait_loaded();
  CHECK(next.tell({2}).partitions.empty());
  CHECK(bench.table.find("orders", 2)->latest({})->offset == Offset{1});
}

TEST_CASE("a partition is deleted while its log is being opened, or before that began") {
  for (const bool begun : {false, true}) {
    ReplicaBench bench;
    REQUIRE(append(*bench.lead({}), {{"gone"}}).ok());
    NextBroker next(bench);
    REQUIRE(next.logs->open().ok());
    CHECK(next.tell({0}).partitions.empty());
    std::thread opening;
    if (begun) {
      next.files.hold("orders-0");
      next.logs->start_loading();
      next.files.await_held();
      opening = std::thread([&] { next.files.release(); });
    }
    CHECK(next.stop(0).partitions.empty());
    if (begun) opening.join();
    CHECK_FALSE(std::filesystem::exists(bench.dirs->all().front()->path() + "/orders-0"));
    CHECK(next.logs->partitions().empty());
    if (!begun) next.logs->start_loading();
    next.logs->wait_loaded();
    CHECK_FALSE(bench.table.find("orders", 0));
    CHECK_FALSE(bench.table.is_loading("orders", 0));
    CHECK(next.logs->progress().done());
  }
}

TEST_CASE("a log that cannot be opened takes its directory offline and its partition answers a storage error") {
  ReplicaBench bench;
  REQUIRE(append(*bench.lead({}), {{"lost"}}).ok());
  NextBroker next(bench);
  std::ofstream(bench.dirs->all().front()->path() + "/orders-0/leader-epoch-checkpoint") << "rubbish";
  REQUIRE(next.logs->open().ok());
  CHECK(next.tell({0}).partitions.empty());
  next.logs->start_loading();
  next.logs->wait_loaded();
  const auto offline = [&] { return bench.table.why_absent("orders", 0) == ErrorCode::kafka_storage_error; };
  {
    absl::MutexLock lock(&next.turn);
    REQUIRE(next.turn.AwaitWithTimeout(absl::Condition(&offline), absl::Seconds(10)));
  }
  const auto reply = next.tell({0});
  REQUIRE(reply.partitions.size() == 1);
  CHECK(reply.partitions[0].code == ErrorCode::kafka_storage_error);
  CHECK_FALSE(bench.table.is_loading("orders", 0));
}

TEST_CASE("a partition that may lie on a directory dead from the start answers a storage error") {
  ReplicaBench bench(2);
  bench.dirs->all().front()->retire(base::fail(ErrorCode::kafka_storage_error, "dead"));
  const auto reply = bench.tell({.is_new = false});
  REQUIRE(reply.partitions.size() == 1);
  CHECK(reply.partitions[0].code == ErrorCode::kafka_storage_error);
  CHECK(bench.table.why_absent("orders", 0) == ErrorCode::kafka_storage_error);
  CHECK(bench.table.why_absent("orders", 1) == ErrorCode::not_leader_or_follower);
  // A new one finds its place on the other.
  CHECK(bench.tell({.leader_epoch = LeaderEpoch{1}}).partitions.empty());
  CHECK(bench.table.find("orders", 0));
  CHECK(bench.table.why_absent("orders", 0) == ErrorCode::not_leader_or_follower);
}

TEST_CASE("a nearly full disk refuses what clients bring, not what coordinators write, and serves readers") {
  ReplicaBench bench;
  auto partition = bench.lead({});
  REQUIRE(partition->ready_to_append(Acks::leader).ok());
  bench.dirs->all().front()->set_room(0);
  const auto refused = partition->ready_to_append(Acks::leader);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::kafka_storage_error);
  REQUIRE(append(*partition, {{"internal"}}).ok());
  CHECK(partition->read({.from = Offset{0}, .limits = {.max_bytes = 1000}}).ok());
  bench.dirs->all().front()->set_room(1);
  CHECK(partition->ready_to_append(Acks::leader).ok());
}

TEST_CASE("whoever waits for a partition is woken when its disk fails") {
  ReplicaBench bench;
  auto partition = bench.lead({});
  const auto waiter = std::make_shared<CountingWaiter>();
  REQUIRE(partition->park(Isolation::high_watermark, Offset{0}, waiter));
  bench.replicas->directory_failed();
  CHECK(waiter->woken == 0);
  bench.dirs->all().front()->retire(base::fail(ErrorCode::kafka_storage_error, "dead"));
  bench.replicas->directory_failed();
  CHECK(waiter->woken == 1);
  CHECK(partition->read({.from = Offset{0}}).error().code == ErrorCode::kafka_storage_error);
}
