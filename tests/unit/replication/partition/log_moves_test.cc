#include "replication/partition/log_moves.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <thread>

#include "tests/support/replication/replica_bench.h"

using base::Offset;
using replication::LogMoves;
using replication::Partition;
using test_support::append;
using test_support::kNoon;
using test_support::ReplicaBench;

namespace {

struct Bench : ReplicaBench {
  Bench() : ReplicaBench(2) {
    overrides["orders"] = {{"segment.bytes", "500"}};
    moves.start();
    replicas->use(moves);
  }
  ~Bench() { moves.stop(); }

  base::SystemClock real_time;
  LogMoves moves{*logs, real_time, 1};

  std::shared_ptr<storage::DirectoryHealth> other_than(const Partition& partition) const {
    const auto here = partition.describe_log()->directory;
    return dirs->all()[dirs->all()[0]->path() == here ? 1 : 0];
  }
  // Moves work on threads of their own.
  static void wait_until(const std::function<bool()>& so) {
    const auto give_up = base::SystemClock().now() + std::chrono::seconds(20);
    while (!so()) {
      REQUIRE(base::SystemClock().now() < give_up);
      std::this_thread::yield();
    }
  }
  void move_and_wait(const std::shared_ptr<Partition>& partition, const std::shared_ptr<storage::DirectoryHealth>& to) {
    REQUIRE(moves.move(partition, to).ok());
    wait_until([&] { return moves.copies().empty(); });
    CHECK(partition->describe_log()->directory == to->path());
  }
};

void produce(Partition& partition, int count) {
  for (int i = 0; i < count; ++i) REQUIRE(append(partition, {.values = {std::string(100, 'v')}}).ok());
}

std::vector<std::string> directories_in(const std::string& path) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  return names;
}

// Offsets a reader finds.
std::vector<std::int64_t> offsets_of(Partition& partition) {
  std::vector<std::int64_t> found;
  auto at = partition.log_start_offset();
  for (;;) {
    auto read = partition.read({.from = at, .limits = {.max_bytes = 1}});
    REQUIRE(read.ok());
    if (read->slice.records.size_bytes == 0) return found;
    base::Buffer bytes(read->slice.records.size_bytes);
    REQUIRE(read->slice.records.file->read_at(read->slice.records.position, bytes.bytes()).value() == bytes.size());
    const auto batch = protocol::BatchView::parse(std::as_const(bytes).bytes());
    REQUIRE(batch.ok());
    for (auto o = (*batch)->base_offset(); o <= (*batch)->last_offset(); o = o + 1) found.push_back(o.raw);
    at = (*batch)->next_offset();
  }
}

std::vector<std::int64_t> from_to(std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> out;
  for (auto i = from; i < to; ++i) out.push_back(i);
  return out;
}

}  // namespace

TEST_CASE("a replica moves to another directory with all it holds, and goes on there") {
  Bench bench;
  auto partition = bench.lead({.leader_epoch = base::LeaderEpoch{3}});
  produce(*partition, 20);
  REQUIRE(partition->delete_records(Offset{7}).ok());
  const auto from = partition->describe_log()->directory;
  const auto to = bench.other_than(*partition);
  bench.move_and_wait(partition, to);
  CHECK(partition->log_start_offset() == Offset{7});
  CHECK(offsets_of(*partition) == from_to(7, 20));
  CHECK(partition->end_offset_for_epoch(base::LeaderEpoch{3}, base::kNoLeaderEpoch).value().end == Offset{20});
  produce(*partition, 5);
  CHECK(offsets_of(*partition) == from_to(7, 25));
  CHECK(directories_in(to->path()) == std::vector<std::string>{"orders-0"});
  const auto left = directories_in(from);
  REQUIRE(left.size() == 1);
  CHECK(left[0].ends_with("-delete"));
  CHECK(bench.logs->directory_of({"orders", 0}) == to);
  CHECK(base::read_file(bench.files, to->path() + "/replication-offset-checkpoint").value() == "0\n1\norders 0 20\n");
  CHECK(base::read_file(bench.files, from + "/replication-offset-checkpoint").value() == "0\n0\n");
  // And back again.
  bench.move_and_wait(partition, bench.other_than(*partition));
  CHECK(offsets_of(*partition) == from_to(7, 25));
}

TEST_CASE("an empty replica and one that begins above zero move too") {
  Bench bench;
  auto empty = bench.lead({.partition = 1});
  bench.move_and_wait(empty, bench.other_than(*empty));
  produce(*empty, 1);
  CHECK(offsets_of(*empty) == from_to(0, 1));
  auto emptied = bench.lead({.partition = 2});
  produce(*emptied, 6);
  REQUIRE(emptied->delete_records(Offset{6}).ok());
  bench.move_and_wait(emptied, bench.other_than(*emptied));
  CHECK(emptied->log_start_offset() == Offset{6});
  produce(*emptied, 1);
  CHECK(offsets_of(*emptied) == from_to(6, 7));
}

TEST_CASE("records that arrive while a replica moves are all there afterwards") {
  Bench bench;
  bench.overrides["orders"] = {{"segment.bytes", "100000"}};  // faster to copy than to write
  auto partition = bench.lead({});
  produce(*partition, 3000);
  REQUIRE(bench.moves.move(partition, bench.other_than(*partition)).ok());
  int count = 3000;
  while (!bench.moves.copies().empty()) {
    produce(*partition, 1);
    ++count;
  }
  produce(*partition, 3);
  CHECK(offsets_of(*partition) == from_to(0, count + 3));
}

TEST_CASE("records above the high watermark wait for it, or follow at the exchange") {
  Bench bench;
  // Another replica is in sync and has fetched nothing: nothing is committed.
  auto partition = bench.lead({.replicas = {test_support::kSelf, test_support::kOther}});
  for (int i = 0; i < 10; ++i)
    REQUIRE(append(*partition, {.values = {std::string(100, 'v')}}, replication::Acks::leader).ok());
  bench.move_and_wait(partition, bench.other_than(*partition));
  const auto read = partition->read(
      {.from = Offset{0}, .isolation = replication::Isolation::log_end, .limits = {.max_bytes = 1 << 20}});
  CHECK(read.value().slice.records.size_bytes > 0);
  CHECK(partition->describe_log()->offset_lag == -10);
}

TEST_CASE("what idempotent producers wrote before is remembered after a move") {
  Bench bench;
  auto partition = bench.lead({});
  test_support::BatchText batch{.values = {"once"}};
  batch.spec.producer_id = base::ProducerId{5};
  batch.spec.producer_epoch = base::ProducerEpoch{0};
  batch.spec.base_sequence = 0;
  REQUIRE(append(*partition, batch).ok());
  bench.move_and_wait(partition, bench.other_than(*partition));
  const auto again = append(*partition, batch);
  REQUIRE(again.ok());
  CHECK(again->info.duplicate);
  CHECK(offsets_of(*partition) == from_to(0, 1));
}

TEST_CASE("a move to where the log lies is no move, and a replica that goes takes its copy with it") {
  Bench bench;
  auto partition = bench.lead({});
  produce(*partition, 5);
  const auto here = bench.logs->directory_of({"orders", 0});
  REQUIRE(bench.moves.move(partition, here).ok());
  CHECK(bench.moves.copies().empty());
  REQUIRE(bench.moves.move(partition, bench.other_than(*partition)).ok());
  REQUIRE(bench.stop_replica({.partition = {"orders", 0}, .remove = true}).partitions.empty());
  CHECK(bench.moves.copies().empty());
  for (const auto& directory : bench.dirs->all())
    for (const auto& name : directories_in(directory->path())) CHECK(name.ends_with("-delete"));
}

TEST_CASE("a directory that fails while a replica moves there leaves the replica where it is") {
  Bench bench;
  auto partition = bench.lead({});
  produce(*partition, 5);
  const auto to = bench.other_than(*partition);
  to->retire(base::fail(base::ErrorCode::kafka_storage_error, "on purpose"));
  CHECK_FALSE(bench.moves.move(partition, to).ok());
  CHECK(bench.moves.copies().empty());
  produce(*partition, 1);
  CHECK(offsets_of(*partition) == from_to(0, 6));
}

TEST_CASE("moves keep to their limit, and hear at once of another one, of a stop and of a replica that goes") {
  Bench bench;
  auto partition = bench.lead({});
  produce(*partition, 200);
  bench.moves.limit(1);  // hours
  REQUIRE(bench.moves.move(partition, bench.other_than(*partition)).ok());
  produce(*partition, 100);
  CHECK(bench.moves.copies().size() == 1);
  SECTION("another limit") {
    bench.moves.limit(std::int64_t{1} << 40);
    Bench::wait_until([&] { return bench.moves.copies().empty(); });
    CHECK(offsets_of(*partition) == from_to(0, 300));
  }
  SECTION("a stop") { bench.moves.stop(); }
  SECTION("a replica that goes") {
    REQUIRE(bench.stop_replica({.partition = {"orders", 0}, .remove = true}).partitions.empty());
    CHECK(bench.moves.copies().empty());
  }
}

TEST_CASE("a replica that has moved is compacted from where it had been, as far as the copy can be trusted") {
  Bench bench;
  auto partition = bench.lead({});
  produce(*partition, 20);
  const auto set_cleaned_to = [&](Offset to) {
    REQUIRE(partition->with_log([&](storage::Log& log) { log.set_cleaned_to(to, log.ticket()); }));
  };
  const auto cleaned_to = [&] {
    auto found = base::kNoOffset;
    REQUIRE(partition->with_log([&](storage::Log& log) { found = log.marks()->cleaned_to; }));
    return found;
  };
  const auto checkpoint = [&](const std::string& directory) {
    return base::read_file(bench.files, directory + "/cleaner-offset-checkpoint").value();
  };
  set_cleaned_to(Offset{12});
  const auto from = partition->describe_log()->directory;
  const auto to = bench.other_than(*partition);
  bench.move_and_wait(partition, to);
  CHECK(cleaned_to() == Offset{12});
  CHECK(checkpoint(to->path()) == "0\n1\norders 0 12\n");
  CHECK(checkpoint(from) == "0\n0\n");

  // Cleaned once more while it is copied: what was copied before that is not unique as far as that.
  bench.moves.limit(1);
  REQUIRE(bench.moves.move(partition, bench.other_than(*partition)).ok());
  set_cleaned_to(Offset{18});
  bench.moves.limit(std::int64_t{1} << 40);
  Bench::wait_until([&] { return bench.moves.copies().empty(); });
  CHECK(cleaned_to() == Offset{12});
}

TEST_CASE("what was begun on a log that has moved since is not done to the one in its place") {
  Bench bench;
  auto partition = bench.lead({});
  produce(*partition, 20);
  std::optional<storage::RecoveryPoint::Ticket> seen;
  std::vector<Offset> bases;
  REQUIRE(partition->with_log([&](storage::Log& log) {
    seen = log.ticket();
    for (std::size_t i = 0; i < 2; ++i) bases.push_back(log.segments().at(i).base_offset());
  }));
  bench.move_and_wait(partition, bench.other_than(*partition));
  REQUIRE(partition->with_log([&](storage::Log& log) {
    const auto swapped = log.swap_in({.replaced = bases, .seen = *seen});
    REQUIRE(swapped.ok());
    CHECK_FALSE(swapped->has_value());
    log.set_cleaned_to(Offset{9}, *seen);
    CHECK(log.marks()->cleaned_to.load() == base::kNoOffset);
  }));
  CHECK(offsets_of(*partition) == from_to(0, 20));
}
