#include <catch2/catch.hpp>

#include "replication/partition/partition.h"
#include "tests/support/replication/replica_bench.h"
#include "tests/support/storage/batches.h"

using namespace replication;
using namespace test_support;
using base::ErrorCode;
using base::Offset;
using std::chrono::milliseconds;
using Parked = Partition::Parked;

namespace {

// A partition led here on a disk in memory. What should run in the background waits until it is told to.
struct FlushBench {
  struct Policy {
    std::int64_t messages = storage::kNeverFlush;
    milliseconds after{storage::kNeverFlush};
  };
  explicit FlushBench(Policy policy) {
    disk.settings.flush_messages = policy.messages;
    disk.settings.flush_after = policy.after;
    disk.settings.index.interval_bytes = 4096;  // nothing to make but what is flushed
    REQUIRE(disk.create().ok());
    PartitionSettings settings;
    settings.log = disk.settings;
    partition = std::make_shared<Partition>(kSelf, std::move(disk.log), settings);
    REQUIRE(partition->lead_or_follow(ReplicaBench::state({})).ok());
  }

  bool is_flushed(const std::string& value, const protocol::BatchSpec& spec = {}) {
    const auto appended = append(*partition, {{value}, kNoon, spec}, Acks::leader);
    REQUIRE(appended.ok());
    return appended->flushed;
  }
  std::optional<ErrorCode> verdict(std::int64_t next_offset) const {
    return partition->acknowledged(Offset{next_offset}, Acks::leader);
  }
  std::shared_ptr<CountingWaiter> park(std::int64_t next_offset) {
    auto waiter = std::make_shared<CountingWaiter>();
    const auto parked = partition->park_append(Offset{next_offset}, Acks::leader, waiter);
    REQUIRE(parked);
    CHECK(parked->what == Parked::For::flush);
    return waiter;
  }
  // Runs what is waiting to be run; how many calls that changed something on the disk it took.
  std::size_t flush() {
    const auto before = disk.files.changes();
    disk.run_background();
    return disk.files.changes() - before;
  }

  storage::testing::LogBench disk;
  std::shared_ptr<Partition> partition;
};

}  // namespace

TEST_CASE("the append that reaches flush.messages is acknowledged when all up to it is on disk") {
  FlushBench bench({.messages = 2});
  CHECK(bench.is_flushed("a"));
  CHECK(bench.disk.background.empty());
  CHECK_FALSE(bench.is_flushed("b"));
  CHECK(bench.verdict(1) == std::nullopt);  // safe together with the one that made it so
  CHECK(bench.verdict(2) == std::nullopt);
  // Readers see what is committed, flushed or not.
  CHECK(bench.partition->latest({})->offset == Offset{2});
  const auto waiter = bench.park(2);
  CHECK(bench.flush() > 0);
  CHECK(waiter->woken == 1);
  CHECK(bench.verdict(2) == ErrorCode::none);
  CHECK_FALSE(bench.partition->park_append(Offset{2}, Acks::leader, waiter));
  CHECK(bench.is_flushed("c"));
}

TEST_CASE("appends that come while a flush runs share the next one") {
  FlushBench bench({.messages = 1});
  CHECK_FALSE(bench.is_flushed("a"));
  CHECK_FALSE(bench.is_flushed("b"));
  CHECK_FALSE(bench.is_flushed("c"));
  REQUIRE(bench.disk.background.size() == 1);
  const auto first = bench.park(1);
  const auto last = bench.park(3);
  CHECK(bench.flush() == 2);  // the data, and once per segment the directory that names it
  CHECK(first->woken == 1);
  CHECK(last->woken == 0);
  CHECK(bench.verdict(1) == ErrorCode::none);
  CHECK(bench.verdict(2) == std::nullopt);
  REQUIRE(bench.disk.background.size() == 1);
  CHECK(bench.flush() == 1);
  CHECK(last->woken == 1);
  CHECK(bench.verdict(3) == ErrorCode::none);
  CHECK(bench.disk.background.empty());
}

TEST_CASE("what a flush under way will make safe counts as flushed") {
  FlushBench bench({.messages = 3});
  CHECK(bench.is_flushed("a"));
  CHECK(bench.is_flushed("b"));
  CHECK_FALSE(bench.is_flushed("c"));
  CHECK(bench.is_flushed("d"));
  CHECK(bench.is_flushed("e"));
  bench.flush();
  CHECK(bench.disk.background.empty());
  CHECK_FALSE(bench.is_flushed("f"));
}

TEST_CASE("with acks=all the replicas are waited for after the flush") {
  FlushBench bench({.messages = 1});
  REQUIRE(bench.partition
              ->lead_or_follow(ReplicaBench::state({.leader_epoch = base::LeaderEpoch{1}, .replicas = {kSelf, kOther}}))
              .ok());
  REQUIRE(append(*bench.partition, {{"a"}}).ok());
  const auto parked = bench.partition->park_append(Offset{1}, Acks::all, std::make_shared<CountingWaiter>());
  CHECK(parked->what == Parked::For::flush);
  bench.flush();
  CHECK(bench.verdict(1) == ErrorCode::none);
  CHECK(bench.partition->acknowledged(Offset{1}, Acks::all) == std::nullopt);
  const auto after = bench.partition->park_append(Offset{1}, Acks::all, std::make_shared<CountingWaiter>());
  REQUIRE(after);
  CHECK(after->what == Parked::For::commit);
  bench.partition->unpark(*after);
  CHECK(bench.partition->waiting() == 0);
}

TEST_CASE("a flush that fails retires the directory, and whoever waited for it is told") {
  FlushBench bench({.messages = 1});
  CHECK_FALSE(bench.is_flushed("a"));
  CHECK_FALSE(bench.is_flushed("b"));
  const auto first = bench.park(1);
  const auto second = bench.park(2);
  bench.disk.files.fail_paths_with(".log");
  bench.flush();
  CHECK(bench.disk.retired.size() == 1);
  CHECK(first->woken == 1);
  CHECK(second->woken == 1);
  CHECK(bench.verdict(1) == ErrorCode::kafka_storage_error);
  CHECK_FALSE(bench.partition->park_append(Offset{2}, Acks::leader, second));
  CHECK(bench.disk.background.empty());  // it is not asked a second time
}

TEST_CASE("a partition that goes wakes who waited for a flush, which then ends without it") {
  FlushBench bench({.messages = 1});
  CHECK_FALSE(bench.is_flushed("a"));
  const auto waiter = bench.park(1);
  bench.partition->stop();
  CHECK(waiter->woken == 1);
  CHECK(bench.verdict(1) == ErrorCode::not_leader_or_follower);
  auto log = bench.partition->release_log();
  if (GENERATE(true, false)) bench.partition.reset();
  log->abandon();
  log.reset();
  bench.flush();
  CHECK(bench.disk.background.empty());
}

TEST_CASE("a repetition of what is not flushed yet waits with it") {
  FlushBench bench({.messages = 1});
  const protocol::BatchSpec spec{
      .producer_id = base::ProducerId{4}, .producer_epoch = base::ProducerEpoch{0}, .base_sequence = 0};
  CHECK_FALSE(bench.is_flushed("a", spec));
  CHECK_FALSE(bench.is_flushed("a", spec));
  bench.flush();
  CHECK(bench.is_flushed("a", spec));
}

TEST_CASE("what has been unflushed for flush.ms is flushed when somebody looks") {
  FlushBench bench({.after = milliseconds(1000)});
  bench.disk.clock.advance(milliseconds(5000));
  bench.partition->flush_if_overdue();
  CHECK(bench.disk.background.empty());  // there is nothing to flush
  CHECK(bench.is_flushed("a"));
  bench.partition->flush_if_overdue();
  REQUIRE(bench.disk.background.size() == 1);
  bench.flush();
  CHECK(bench.is_flushed("b"));
  bench.disk.clock.advance(milliseconds(999));
  bench.partition->flush_if_overdue();
  CHECK(bench.disk.background.empty());
  bench.disk.clock.advance(milliseconds(1));
  bench.partition->flush_if_overdue();
  CHECK(bench.disk.background.size() == 1);
  bench.flush();
}
