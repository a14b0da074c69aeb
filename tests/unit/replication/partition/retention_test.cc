#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "tests/support/replication/replica_bench.h"

using base::Offset;
using std::chrono::milliseconds;
using test_support::append;
using test_support::kNoon;
using test_support::ReplicaBench;

namespace {

void produce(replication::Partition& partition, int count) {
  for (int i = 0; i < count; ++i) REQUIRE(append(partition, {.values = {std::string(100, 'v')}}).ok());
}

}  // namespace

TEST_CASE("retention follows each topic's settings, and changed ones take effect at the next check") {
  ReplicaBench bench;
  bench.overrides["short"] = {{"segment.bytes", "500"}, {"retention.ms", "1000"}};
  bench.overrides["small"] = {{"segment.bytes", "500"}, {"retention.bytes", "900"}, {"retention.ms", "-1"}};
  bench.overrides["kept"] = {{"segment.bytes", "500"}, {"retention.ms", "-1"}};
  bench.overrides["compacted"] = {{"segment.bytes", "500"}, {"retention.ms", "1"}, {"cleanup.policy", "compact"}};
  auto expiring = bench.lead({.topic = "short"});
  auto small = bench.lead({.topic = "small"});
  auto kept = bench.lead({.topic = "kept"});
  auto compacted = bench.lead({.topic = "compacted"});
  for (auto& partition : {expiring, small, kept, compacted}) produce(*partition, 12);

  bench.replicas->apply_retention(kNoon + milliseconds(1000));
  CHECK(expiring->log_start_offset() == Offset{0});
  bench.replicas->apply_retention(kNoon + milliseconds(1001));
  CHECK(expiring->log_start_offset() == Offset{12});
  CHECK(small->log_start_offset() > Offset{0});
  CHECK(small->log_start_offset() < Offset{12});
  CHECK(kept->log_start_offset() == Offset{0});
  CHECK(compacted->log_start_offset() == Offset{0});

  bench.settings.set_topic_overrides("kept", {{"segment.bytes", "500"}, {"retention.ms", "500"}});
  bench.replicas->apply_retention(kNoon + milliseconds(1001));
  CHECK(kept->log_start_offset() == Offset{12});
  produce(*kept, 1);
}

TEST_CASE("retention has nothing to say about a partition that is being removed") {
  ReplicaBench bench;
  bench.overrides["orders"] = {{"retention.ms", "1"}};
  auto partition = bench.lead({});
  produce(*partition, 1);
  partition->stop();
  auto log = partition->release_log();
  CHECK_FALSE(partition->apply_retention(kNoon + std::chrono::hours(1)).value());
  REQUIRE(bench.logs->remove(std::move(log)).ok());
}

// Run with TMPDIR on a memory file system: making the partitions syncs their files.
TEST_CASE("cost of a check of many partitions with nothing to delete", "[.measure]") {
  ReplicaBench bench;
  constexpr int kPartitions = 10'000;
  bench.overrides["orders"] = {{"retention.bytes", "1000000000"}};
  for (int p = 0; p < kPartitions; ++p) produce(*bench.lead({.partition = p}), 1);
  for (int round = 0; round < 5; ++round) {
    const auto begin = base::SystemClock().now();
    bench.replicas->apply_retention(kNoon);
    const auto took = base::SystemClock().now() - begin;
    fmt::print("check {}: {} us for {} partitions\n", round,
               std::chrono::duration_cast<std::chrono::microseconds>(took).count(), kPartitions);
  }
}
