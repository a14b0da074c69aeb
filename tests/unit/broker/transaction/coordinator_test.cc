#include "broker/transaction/coordinator.h"

#include <catch2/catch.hpp>

#include "tests/support/broker/transaction_bench.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;
using base::ProducerEpoch;
using std::chrono::milliseconds;
using Statuses = std::vector<TxnStatus>;
using Words = std::vector<std::string>;

namespace {

const base::TopicPartition kOrders{"orders", 0};
const base::TopicPartition kBills{"bills", 0};

struct Bench : TransactionBench {
  Bench() {
    orders = announce({.topic = "orders"});
    bills = announce({.topic = "bills"});
    lead_state_topic();
  }
  Producer begun(const std::string& id, const std::set<base::TopicPartition>& partitions = {kOrders, kBills}) {
    const auto producer = init(id).value();
    REQUIRE(add(id, producer, partitions) == ErrorCode::none);
    return producer;
  }
  Transaction describe(const std::string& id) { return coordinator.describe(id).value(); }
  ErrorCode verify(const std::string& id, const Producer& producer, const base::TopicPartition& partition) {
    return coordinator.verify(id, producer, partition);
  }
  auto list() {
    return coordinator.list([](const Transaction&) { return true; });
  }
  Offset stable(replication::Partition& partition) {
    return partition.latest({.isolation = replication::Isolation::last_stable}).value().offset;
  }

  std::shared_ptr<replication::Partition> orders;
  std::shared_ptr<replication::Partition> bills;
};

std::string marker(const char* what, const Producer& producer, int coordinator_epoch = 0) {
  return fmt::format("{} {}/{} by {}", what, producer.id, producer.epoch, coordinator_epoch);
}

}  // namespace

TEST_CASE("a transaction ends with its marker in every partition, and with its last record in the log") {
  Bench bench;
  const auto commits = GENERATE(true, false);
  const auto producer = bench.begun("t");
  REQUIRE(bench.write(*bench.orders, producer, 0, "one"));
  REQUIRE(bench.write(*bench.bills, producer, 0, "two"));
  CHECK(bench.stable(*bench.orders) == Offset{0});
  CHECK(bench.end("t", producer, commits ? Outcome::commit : Outcome::abort) == ErrorCode::none);
  CHECK(bench.reaches("t", commits ? TxnStatus::complete_commit : TxnStatus::complete_abort));
  const auto word = marker(commits ? "commit" : "abort", producer);
  CHECK(bench.words_of(*bench.orders) == Words{"one", word});
  CHECK(bench.words_of(*bench.bills) == Words{"two", word});
  CHECK(bench.stable(*bench.orders) == Offset{2});
  CHECK(bench.stored() == Statuses{TxnStatus::empty, TxnStatus::ongoing,
                                   commits ? TxnStatus::prepare_commit : TxnStatus::prepare_abort,
                                   commits ? TxnStatus::complete_commit : TxnStatus::complete_abort});
}

TEST_CASE("the next transaction of a producer begins where the last one ended") {
  Bench bench;
  const auto producer = bench.begun("t");
  REQUIRE(bench.end("t", producer, Outcome::commit) == ErrorCode::none);
  CHECK(bench.reaches("t", TxnStatus::complete_commit));
  CHECK(bench.end("t", producer, Outcome::commit) == ErrorCode::none);  // said again
  CHECK(bench.end("t", producer, Outcome::abort) == ErrorCode::invalid_txn_state);
  CHECK(bench.add("t", producer, {kOrders}) == ErrorCode::none);
  CHECK(bench.describe("t").partitions == std::set{kOrders});
}

TEST_CASE("a second producer with the same id ends the transaction of the first, and locks it out") {
  Bench bench;
  const auto first = bench.begun("t");
  REQUIRE(bench.write(*bench.orders, first, 0, "lost"));
  CHECK(bench.init("t").error().code == ErrorCode::concurrent_transactions);
  CHECK(bench.reaches("t", TxnStatus::complete_abort));
  const auto second = bench.init("t").value();
  CHECK(second.id == first.id);
  CHECK(second.epoch == ProducerEpoch{static_cast<std::int16_t>(first.epoch.raw + 2)});
  CHECK(bench.add("t", first, {kOrders}) == ErrorCode::producer_fenced);
  CHECK(bench.end("t", first, Outcome::commit) == ErrorCode::producer_fenced);
  CHECK(bench.words_of(*bench.orders) ==
        Words{"lost", marker("abort", {first.id, ProducerEpoch{static_cast<std::int16_t>(first.epoch.raw + 1)}})});
  CHECK(bench.write(*bench.orders, first, 1, "late").error().code == ErrorCode::invalid_producer_epoch);
}

TEST_CASE("what is said of time-outs and ids") {
  Bench bench;
  const auto longest = bench.settings.snapshot()->broker->transaction_max_timeout_ms;
  for (const auto timeout : {0, -1, longest + 1})
    CHECK(bench.init("t", {.timeout = milliseconds(timeout), .expected = {}}).error().code ==
          ErrorCode::invalid_transaction_timeout);
  CHECK(bench.init("t", {.timeout = milliseconds(longest), .expected = {}}));
  CHECK(bench.init("").error().code == ErrorCode::invalid_request);
  CHECK(bench.add("", {}, {kOrders}) == ErrorCode::invalid_request);
  CHECK(bench.end("", {}, Outcome::commit) == ErrorCode::invalid_request);
  CHECK(bench.end("nobody", {}, Outcome::commit) == ErrorCode::invalid_producer_id_mapping);
}

TEST_CASE("an id that is not coordinated here, or not yet") {
  Bench bench;
  CHECK(bench.init("t"));
  bench.tell({.topic = std::string(kTransactionsTopic), .leader_epoch = LeaderEpoch{1}, .leader = kOther});
  bench.on_coordinators([] {});
  CHECK(bench.init("t").error().code == ErrorCode::not_coordinator);
  CHECK(bench.verify("t", {}, kOrders) == ErrorCode::not_coordinator);
  CHECK(bench.list().value().empty());

  absl::Notification go;
  bench.loading.submit([&] { go.WaitForNotification(); });
  bench.tell({.topic = std::string(kTransactionsTopic), .leader_epoch = LeaderEpoch{2}});
  bench.on_coordinators([] {});
  CHECK(bench.init("t").error().code == ErrorCode::coordinator_load_in_progress);
  CHECK(bench.end("t", {}, Outcome::commit) == ErrorCode::coordinator_load_in_progress);
  CHECK(bench.list().error().code == ErrorCode::coordinator_load_in_progress);
  go.Notify();
  CHECK(bench.reaches("t", TxnStatus::empty));
}

TEST_CASE("verification knows the partitions of the ongoing transaction") {
  Bench bench;
  const auto producer = bench.begun("t", {kOrders});
  CHECK(bench.verify("t", producer, kOrders) == ErrorCode::none);
  CHECK(bench.verify("t", producer, kBills) == ErrorCode::transaction_abortable);
  CHECK(bench.verify("other", producer, kOrders) == ErrorCode::invalid_producer_id_mapping);
}

TEST_CASE("a transaction open for too long is aborted, its producer fenced") {
  Bench bench;
  const auto producer = bench.begun("t");
  REQUIRE(bench.write(*bench.orders, producer, 0, "lost"));
  bench.clock.advance(bench.kTimeout);
  bench.on_coordinators([&] { bench.coordinator.abort_timed_out(); });
  CHECK(bench.describe("t").status == TxnStatus::ongoing);
  bench.clock.advance(milliseconds(1));
  bench.on_coordinators([&] { bench.coordinator.abort_timed_out(); });
  CHECK(bench.reaches("t", TxnStatus::complete_abort));
  CHECK(bench.end("t", producer, Outcome::commit) == ErrorCode::producer_fenced);
  CHECK(bench.stable(*bench.orders) == Offset{2});
}

TEST_CASE("an id nobody uses any more is forgotten, in the log too") {
  Bench bench;
  REQUIRE(bench.init("idle"));
  bench.clock.advance(std::chrono::hours(24 * 7));
  bench.begun("busy");
  bench.on_coordinators([&] { bench.coordinator.forget_expired(); });
  CHECK(broker::test::eventually([&] { return !bench.coordinator.describe("idle"); }));
  CHECK(bench.stored().back() == TxnStatus::dead);
  CHECK(bench.describe("busy").status == TxnStatus::ongoing);
}

TEST_CASE("a marker waits for the leader of its partition") {
  Bench bench;
  const auto producer = bench.begun("t");
  bench.tell_metadata({.topic = "bills", .leader_epoch = LeaderEpoch{1}, .leader = kOther});
  REQUIRE(bench.end("t", producer, Outcome::commit) == ErrorCode::none);
  CHECK(broker::test::eventually([&] { return !bench.words_of(*bench.orders).empty(); }));
  CHECK(bench.init("t").error().code == ErrorCode::concurrent_transactions);
  CHECK(bench.describe("t").status == TxnStatus::prepare_commit);
  bench.tell_metadata({.topic = "bills", .leader_epoch = LeaderEpoch{2}});
  CHECK(bench.reaches("t", TxnStatus::complete_commit));
  CHECK(bench.words_of(*bench.orders).size() == 1);  // once
  CHECK(bench.words_of(*bench.bills) == Words{marker("commit", producer)});
}

TEST_CASE("a partition that is gone needs no marker") {
  Bench bench;
  const auto producer = bench.begun("t", {kOrders, {"deleted", 3}});
  REQUIRE(bench.end("t", producer, Outcome::commit) == ErrorCode::none);
  CHECK(bench.reaches("t", TxnStatus::complete_commit));
}

TEST_CASE("a marker that is refused for good leaves its producer waiting") {
  Bench bench;
  const auto producer = bench.begun("t", {kOrders});
  REQUIRE(bench.write(*bench.orders, {producer.id, ProducerEpoch{9}}, 0, "too high"));
  REQUIRE(bench.end("t", producer, Outcome::commit) == ErrorCode::none);
  bench.on_coordinators([] {});
  CHECK(bench.add("t", producer, {kOrders}) == ErrorCode::concurrent_transactions);
  CHECK(bench.markers.waiting() == 0);
}

TEST_CASE("a record that cannot be written changes nothing, and the client is told to look elsewhere") {
  Bench bench;
  const auto producer = bench.begun("t", {kOrders});
  auto& state = bench.state_partition();
  REQUIRE(state.lead_or_follow(bench.state({.topic = std::string(kTransactionsTopic), .leader_epoch = LeaderEpoch{1}}))
              .ok());  // and nobody has told the coordinator yet
  CHECK(bench.add("t", producer, {kBills}) == ErrorCode::not_coordinator);
  CHECK(bench.end("t", producer, Outcome::commit) == ErrorCode::not_coordinator);
  CHECK(bench.init("new").error().code == ErrorCode::not_coordinator);
  CHECK(bench.coordinator.describe("new").error().code == ErrorCode::transactional_id_not_found);
  CHECK(bench.describe("t").status == TxnStatus::ongoing);
  CHECK(bench.describe("t").partitions == std::set{kOrders});
  SECTION("but a fence holds") {
    CHECK(bench.init("t").error().code == ErrorCode::not_coordinator);
    CHECK(bench.end("t", producer, Outcome::commit) == ErrorCode::producer_fenced);
    const auto fenced = bench.describe("t").producer.epoch;
    CHECK(bench.init("t").error().code == ErrorCode::not_coordinator);
    CHECK(bench.describe("t").producer.epoch == fenced);
  }
}

TEST_CASE("whatever the log ends with, the next coordinator goes on from there") {
  // The log of a transaction that was committed, and of one that was aborted by the next producer.
  std::vector<base::Buffer> batches;
  Producer producer;
  {
    Bench bench;
    producer = bench.begun("t", {kOrders});
    REQUIRE(bench.end("t", producer, Outcome::commit) == ErrorCode::none);
    REQUIRE(bench.reaches("t", TxnStatus::complete_commit));
    REQUIRE(bench.add("t", producer, {kOrders, kBills}) == ErrorCode::none);
    REQUIRE(bench.init("t").error().code == ErrorCode::concurrent_transactions);
    REQUIRE(bench.reaches("t", TxnStatus::complete_abort));
    const auto log = bench.log_of(bench.state_partition());
    protocol::EntryCursor cursor(log.bytes());
    while (const auto entry = cursor.next()) batches.emplace_back().append(entry->bytes());
  }
  REQUIRE(batches.size() == 7);
  const auto kept = GENERATE(range(std::size_t{0}, std::size_t{8}));

  TransactionBench bench;
  auto orders = bench.announce({.topic = "orders"});
  auto bills = bench.announce({.topic = "bills"});
  bench.seed_state_topic(std::span(batches).first(kept));
  bench.lead_state_topic(LeaderEpoch{1});
  const Producer raised{producer.id, ProducerEpoch{1}};
  switch (kept) {
    case 0:
      CHECK(bench.coordinator.describe("t").error().code == ErrorCode::transactional_id_not_found);
      CHECK(bench.init("t"));
      break;
    case 1:
      CHECK(bench.reaches("t", TxnStatus::empty));
      CHECK(bench.add("t", producer, {kOrders}) == ErrorCode::none);
      break;
    case 2:  // still open: the producer goes on
      CHECK(bench.coordinator.describe("t")->status == TxnStatus::ongoing);
      CHECK(bench.words_of(*orders).empty());
      CHECK(bench.end("t", producer, Outcome::commit) == ErrorCode::none);
      CHECK(bench.reaches("t", TxnStatus::complete_commit));
      break;
    case 3:  // decided: carried out
      CHECK(bench.reaches("t", TxnStatus::complete_commit));
      CHECK(bench.words_of(*orders) == Words{marker("commit", producer, 1)});
      break;
    case 4:
      CHECK(bench.reaches("t", TxnStatus::complete_commit));
      CHECK(bench.words_of(*orders).empty());  // its marker was written before
      CHECK(bench.end("t", producer, Outcome::commit) == ErrorCode::none);
      break;
    case 5:
      CHECK(bench.coordinator.describe("t")->partitions == std::set{kBills, kOrders});
      CHECK(bench.end("t", producer, Outcome::abort) == ErrorCode::none);
      CHECK(bench.reaches("t", TxnStatus::complete_abort));
      break;
    case 6:
      CHECK(bench.reaches("t", TxnStatus::complete_abort));
      CHECK(bench.words_of(*orders) == Words{marker("abort", raised, 1)});
      CHECK(bench.words_of(*bills) == Words{marker("abort", raised, 1)});
      CHECK(bench.end("t", producer, Outcome::commit) == ErrorCode::producer_fenced);
      break;
    default:
      CHECK(bench.reaches("t", TxnStatus::complete_abort));
      CHECK(bench.words_of(*orders).empty());
      CHECK(bench.init("t").value().epoch == ProducerEpoch{2});
      break;
  }
}

TEST_CASE("a coordinator that has just been told of its partition does not take unknown topics for deleted ones") {
  std::vector<base::Buffer> batches;
  {
    Bench bench;
    const auto producer = bench.begun("t", {kOrders});
    REQUIRE(bench.end("t", producer, Outcome::commit) == ErrorCode::none);
    const auto log = bench.log_of(bench.state_partition());
    protocol::EntryCursor cursor(log.bytes());
    while (const auto entry = cursor.next()) batches.emplace_back().append(entry->bytes());
  }
  TransactionBench bench;
  auto orders = bench.lead({.topic = "orders"});
  bench.seed_state_topic(std::span(batches).first(3));
  bench.tell(bench.state_topic(LeaderEpoch{1}));
  CHECK(broker::test::eventually([&] {
    std::size_t waiting = 0;
    bench.on_coordinators([&] { waiting = bench.markers.waiting(); });
    return waiting == 1;
  }));
  CHECK(bench.words_of(*orders).empty());
  bench.tell_metadata({.topic = "orders"});
  bench.tell_metadata(bench.state_topic(LeaderEpoch{1}));
  CHECK(bench.reaches("t", TxnStatus::complete_commit));
  CHECK(bench.words_of(*orders).size() == 1);
}
