#include "replication/isr/state_node_isr_changes.h"

#include <catch2/catch.hpp>

#include <deque>

#include "replication/coordination/znodes.h"
#include "tests/support/replication/stepped_loop.h"

using namespace replication;
using namespace std::chrono_literals;
using base::BrokerId;
using base::ErrorCode;
using base::LeaderEpoch;

namespace {

constexpr BrokerId kSelf{1};

// Keeps what was asked until the test answers it.
class HandStore final : public MetadataStore {
 public:
  struct Commit {
    std::vector<Operation> operations;
    std::function<void(CommitReply)> then;
  };
  struct Get {
    std::string path;
    std::function<void(Reply<Node>)> then;
  };
  std::deque<Commit> commits;
  std::deque<Get> gets;

  void answer(CommitReply reply) {
    auto next = std::move(commits.front());
    commits.pop_front();
    next.then(std::move(reply));
  }
  void written(std::int32_t version) { answer({.done = {Committed{.stat = {.version = version}}}}); }
  void read(Reply<Node> reply) {
    auto next = std::move(gets.front());
    gets.pop_front();
    next.then(std::move(reply));
  }

  base::Status start() override { return {}; }
  void stop() override {}
  void get(std::string path, std::function<void(Reply<Node>)> then) override {
    gets.push_back({std::move(path), std::move(then)});
  }
  void exists(std::string, std::function<void(Reply<Stat>)>) override {}
  void children(std::string, std::function<void(Reply<std::vector<std::string>>)>) override {}
  void commit(std::vector<Operation> operations, std::function<void(CommitReply)> then) override {
    commits.push_back({std::move(operations), std::move(then)});
  }
  WatchHandle watch_data(std::string, std::function<void()>) override { return {}; }
  WatchHandle watch_children(std::string, std::function<void()>) override { return {}; }
  void on_session(std::function<void(SessionEvent)>) override {}
  std::int64_t session_id() const override { return 1; }
};

constexpr const char* kState = R"({"controller_epoch":9,"leader":1,"version":1,"leader_epoch":3,"isr":[1,2]})";

struct Bench {
  void ask(std::int32_t partition = 0) {
    changes.ask({.partition = {"t", partition},
                 .leader_epoch = LeaderEpoch{3},
                 .controller_epoch = 9,
                 .partition_epoch = 7,
                 .isr = {kSelf, BrokerId{2}}},
                [this](base::Result<IsrOutcome> outcome) {
                  codes.push_back(outcome ? ErrorCode::none : outcome.error().code);
                  if (outcome) last = *outcome;
                });
  }
  const Set& set() const { return std::get<Set>(store.commits.front().operations.at(0)); }
  const Create& notification() const { return std::get<Create>(store.commits.front().operations.at(0)); }

  base::ManualClock clock;
  test_support::SteppedLoop loop{clock};
  HandStore store;
  std::vector<ErrorCode> codes;
  IsrOutcome last;
  StateNodeIsrChanges changes{kSelf, store, loop, clock};
};

}  // namespace

TEST_CASE("the state is written for the version it starts from, with the controller epoch it was told under") {
  Bench bench;
  bench.ask();
  REQUIRE(bench.store.commits.size() == 1);
  CHECK(bench.set().path == "/brokers/topics/t/partitions/0/state");
  CHECK(bench.set().data == kState);
  CHECK(bench.set().version == 7);
  bench.store.written(8);
  REQUIRE(bench.codes == std::vector{ErrorCode::none});
  CHECK(bench.last.partition_epoch == 8);
  CHECK(bench.last.leader_epoch == LeaderEpoch{3});
  CHECK(bench.last.isr == std::vector{kSelf, BrokerId{2}});
}

TEST_CASE("a version that has moved on may be our own write, whose answer was lost; anything else is final") {
  Bench bench;
  bench.ask();
  bench.store.answer({.code = StoreCode::bad_version});
  REQUIRE(bench.store.gets.size() == 1);
  SECTION("ours") {
    bench.store.read({.value = {kState, {.version = 8}}});
    CHECK(bench.codes == std::vector{ErrorCode::none});
    CHECK(bench.last.partition_epoch == 8);
  }
  SECTION("another leader epoch") {
    bench.store.read(
        {.value = {R"({"controller_epoch":9,"leader":1,"version":1,"leader_epoch":4,"isr":[1,2]})", {.version = 8}}});
    CHECK(bench.codes == std::vector{ErrorCode::invalid_update_version});
  }
  SECTION("another set") {
    bench.store.read(
        {.value = {R"({"controller_epoch":9,"leader":1,"version":1,"leader_epoch":3,"isr":[1]})", {.version = 8}}});
    CHECK(bench.codes == std::vector{ErrorCode::invalid_update_version});
  }
  SECTION("not JSON") {
    bench.store.read({.value = {"garbage", {.version = 8}}});
    CHECK(bench.codes == std::vector{ErrorCode::invalid_update_version});
  }
  SECTION("gone") {
    bench.store.read({.code = StoreCode::no_node});
    CHECK(bench.codes == std::vector{ErrorCode::invalid_update_version});
  }
  SECTION("not to be read now") {
    bench.store.read({.code = StoreCode::failed});
    CHECK(bench.codes.empty());
    bench.loop.pass(500ms);
    REQUIRE(bench.store.commits.size() == 1);
    CHECK(bench.set().version == 7);
  }
}

TEST_CASE("a partition without a state is final, a session that expired is not") {
  Bench bench;
  bench.ask();
  bench.store.answer({.code = StoreCode::no_node});
  CHECK(bench.codes == std::vector{ErrorCode::unknown_topic_or_partition});
  bench.ask(1);
  bench.ask(2);
  bench.store.answer({.code = StoreCode::session_expired});
  bench.store.answer({.code = StoreCode::full});
  bench.loop.pass(499ms);
  CHECK(bench.store.commits.empty());
  bench.loop.pass(1ms);
  REQUIRE(bench.store.commits.size() == 2);
  bench.store.written(8);
  bench.store.written(8);
  CHECK(bench.codes.size() == 3);
}

TEST_CASE("the controller is told of what has changed once nothing has changed for five seconds") {
  Bench bench;
  CHECK(bench.loop.timers() == 0);
  bench.clock.advance(1s);
  bench.ask(1);
  bench.store.written(8);
  bench.loop.pass(4s);
  bench.ask(0);
  bench.store.written(8);
  bench.ask(1);
  bench.store.written(9);
  bench.loop.pass(4900ms);
  CHECK(bench.store.commits.empty());
  bench.loop.pass(2500ms);
  REQUIRE(bench.store.commits.size() == 1);
  CHECK(bench.notification().path == "/isr_change_notification/isr_change_");
  CHECK(bench.notification().mode == CreateMode::persistent_sequential);
  CHECK(bench.notification().data ==
        R"({"version":1,"partitions":[{"topic":"t","partition":0},{"topic":"t","partition":1}]})");
  bench.store.written(0);
  CHECK(bench.loop.timers() == 0);
  bench.loop.pass(60s);
  CHECK(bench.store.commits.empty());
}

TEST_CASE("while changes go on the controller is told every minute") {
  Bench bench;
  int told = 0;
  for (int second = 0; second < 130; ++second) {
    bench.ask(second);
    bench.store.written(8);
    bench.loop.pass(1s);
    while (!bench.store.commits.empty()) {
      ++told;
      bench.store.written(0);
    }
  }
  CHECK(told == 2);
}

TEST_CASE("news that could not be written are written later, and many of them into several nodes") {
  Bench bench;
  for (int i = 0; i < 2001; ++i) {
    bench.ask(i);
    bench.store.written(8);
  }
  bench.loop.pass(5s);
  REQUIRE(bench.store.commits.size() == 1);
  bench.store.answer({.code = StoreCode::session_expired});
  std::size_t told = 0;
  for (int i = 0; i < 100 && told < 2001; ++i) {
    bench.loop.pass(1s);
    while (!bench.store.commits.empty()) {
      const auto node = decode_isr_change("p", bench.notification().data);
      REQUIRE(node.ok());
      CHECK(node->partitions.size() <= 2000);
      told += node->partitions.size();
      bench.store.written(0);
    }
  }
  CHECK(told == 2001);
}

TEST_CASE("once stopped nothing is written any more") {
  Bench bench;
  bench.ask(0);
  bench.store.written(8);
  bench.ask(1);
  bench.changes.stop();
  bench.store.written(8);
  CHECK(bench.codes.size() == 1);
  bench.loop.pass(60s);
  CHECK(bench.store.commits.empty());
  CHECK(bench.loop.timers() == 0);
}
