#include "broker/group/coordinator.h"

#include <catch2/catch.hpp>

#include <future>

#include "broker/internal_topics/names.h"
#include "tests/support/broker/group_bench.h"
#include "tests/support/broker/handler_bench.h"

namespace {

using namespace broker;
using namespace broker::test;
using base::ErrorCode;
using base::Offset;
using base::TopicPartition;
using std::chrono::milliseconds;

const TopicPartition kOrders{"orders", 0};

GroupSettings no_delay() {
  GroupSettings out;
  out.limits.initial_rebalance_delay = milliseconds(0);
  return out;
}

// A broker that leads the one partition of __consumer_offsets, or has just lost it.
struct CoordinatorBench : HandlerBench {
  explicit CoordinatorBench(GroupSettings with = no_delay())
      : groups(with, {.metadata = metadata, .clock = clock, .random = random, .loop = loop, .loading = pool}) {
    calls = groups.calls();
  }
  ~CoordinatorBench() {
    groups.stop();
    resign();
  }

  void become_leader(std::int32_t epoch = 0) {
    const auto partition =
        announce({.topic = std::string(kGroupsTopic), .leader_epoch = base::LeaderEpoch{epoch}, .is_new = epoch == 0});
    led = std::make_shared<LedPartition>(partition, base::LeaderEpoch{epoch}, loop, clock);
    run_on_loop([&] { calls.became_leader(led); });
  }
  void load() {
    run_on_pool([] {});
  }
  void resign() {
    if (!led) return;
    led->resign();
    run_on_loop([&] { calls.resigned(led); });
    led.reset();
  }

  std::vector<ErrorCode> commit(const std::string& group, std::vector<PartitionOffset> offsets,
                                const MemberCall& from = {}, Producer producer = {}) {
    std::promise<std::vector<ErrorCode>> answer;
    CommitRequest request{{from, producer.id != base::kNoProducerId}, producer, std::move(offsets)};
    groups.commit(group, std::move(request), [&](const std::vector<ErrorCode>& codes) { answer.set_value(codes); });
    return answer.get_future().get();
  }
  ErrorCode commit_one(const std::string& group, std::int64_t offset, Producer producer = {}) {
    CommittedOffset what;
    what.offset = Offset{offset};
    what.committed = clock.wall();
    return commit(group, {{kOrders, what}}, {}, producer).front();
  }
  std::int64_t stored(const std::string& group) {
    const auto fetched = groups.fetch(group, std::nullopt, false);
    return fetched.topics.empty() ? -1 : fetched.topics[0].partitions[0].offset.raw;
  }

  std::shared_ptr<std::promise<JoinAnswer>> send_join(const std::string& group, std::string member_id = {}) {
    auto answer = std::make_shared<std::promise<JoinAnswer>>();
    JoinCall call;
    call.member_id = std::move(member_id);
    call.session_timeout = milliseconds(10'000);
    call.rebalance_timeout = milliseconds(60'000);
    call.protocol_type = "consumer";
    call.protocols = {{"range", subscription({"orders"})}};
    call.member_id_required = false;
    groups.join(group, std::move(call), [answer](const JoinAnswer& joined) { answer->set_value(joined); });
    return answer;
  }
  JoinAnswer join(const std::string& group) { return send_join(group)->get_future().get(); }
  SyncAnswer sync(const std::string& group, const JoinAnswer& me, std::string assignment) {
    std::promise<SyncAnswer> answer;
    SyncCall call;
    call.from = {me.member_id, std::nullopt, me.generation};
    call.assignments = {{me.member_id, std::move(assignment)}};
    groups.sync(group, std::move(call), [&](const SyncAnswer& synced) { answer.set_value(synced); });
    return answer.get_future().get();
  }

  GroupCoordinator groups;
  CoordinatorCalls calls;
  std::shared_ptr<LedPartition> led;
};

TEST_CASE("a coordinator answers for the partitions led here, once they are loaded") {
  CoordinatorBench bench;
  CHECK(bench.join("g").error == ErrorCode::not_coordinator);
  CHECK(bench.commit_one("g", 1) == ErrorCode::not_coordinator);
  CHECK(bench.groups.fetch("g", std::nullopt, false).error == ErrorCode::not_coordinator);
  {
    absl::Notification go_on;
    bench.pool.submit([&] { go_on.WaitForNotification(); });
    bench.become_leader();
    CHECK(bench.join("g").error == ErrorCode::coordinator_load_in_progress);
    CHECK(bench.commit_one("g", 1) == ErrorCode::coordinator_load_in_progress);
    CHECK(bench.groups.heartbeat("g", {"m", {}, 1}) == ErrorCode::none);
    CHECK(bench.groups.describe("g").error == ErrorCode::coordinator_load_in_progress);
    CHECK(bench.groups.list().error == ErrorCode::coordinator_load_in_progress);
    CHECK(bench.groups.delete_group("g") == ErrorCode::coordinator_load_in_progress);
    JoinAnswer nobody;
    CHECK(bench.sync("g", nobody, "").error == ErrorCode::rebalance_in_progress);
    go_on.Notify();
  }
  bench.load();
  CHECK(bench.commit_one("g", 1) == ErrorCode::none);
  CHECK(bench.stored("g") == 1);
  CHECK(bench.groups.list().groups.size() == 1);
}

TEST_CASE("names of groups: empty ones keep offsets and nothing else, endless ones nothing at all") {
  CoordinatorBench bench;
  bench.become_leader();
  bench.load();
  CHECK(bench.join("").error == ErrorCode::invalid_group_id);
  CHECK(bench.groups.heartbeat("", {}) == ErrorCode::invalid_group_id);
  CHECK(bench.groups.leave("", {}).error == ErrorCode::invalid_group_id);
  CHECK(bench.groups.delete_offsets("", {}).error == ErrorCode::invalid_group_id);
  CHECK(bench.commit_one("", 1, {base::ProducerId{1}, base::ProducerEpoch{0}}) == ErrorCode::invalid_group_id);
  CHECK(bench.commit_one("", 1) == ErrorCode::none);
  const std::string longest(32767, 'n');
  CHECK(bench.commit_one(longest, 2) == ErrorCode::none);
  CHECK(bench.stored(longest) == 2);
  CHECK(bench.commit_one(longest + "n", 2) == ErrorCode::invalid_group_id);
}

TEST_CASE("what a coordinator knew is known to the next one") {
  CoordinatorBench bench;
  bench.become_leader();
  bench.load();
  const auto me = bench.join("g");
  REQUIRE(me.error == ErrorCode::none);
  CHECK(bench.sync("g", me, "mine").assignment == "mine");
  CHECK(bench.commit_one("plain", 7) == ErrorCode::none);
  bench.resign();
  CHECK(bench.join("g").error == ErrorCode::not_coordinator);
  bench.become_leader(1);
  bench.load();
  CHECK(bench.stored("plain") == 7);
  const auto described = bench.groups.describe("g");
  CHECK(described.state == GroupState::stable);
  REQUIRE(described.members.size() == 1);
  CHECK(described.members[0].assignment == "mine");
  CHECK(bench.groups.heartbeat("g", {me.member_id, {}, me.generation}) == ErrorCode::none);
}

TEST_CASE("who waits in a group that goes elsewhere is told so") {
  CoordinatorBench bench;
  bench.become_leader();
  bench.load();
  const auto me = bench.join("g");
  bench.sync("g", me, "mine");
  const auto waiting = bench.send_join("g");
  bench.resign();
  CHECK(waiting->get_future().get().error == ErrorCode::not_coordinator);
}

TEST_CASE("groups that never came to be leave no trace") {
  CoordinatorBench bench;
  bench.become_leader();
  bench.load();
  JoinCall nothing;
  nothing.session_timeout = milliseconds(10'000);
  bench.groups.join("g", nothing,
                    [](const JoinAnswer& answer) { CHECK(answer.error == ErrorCode::inconsistent_group_protocol); });
  CommittedOffset too_much;
  too_much.metadata = std::string(5000, 'x');
  CHECK(bench.commit("h", {{kOrders, too_much}}).front() == ErrorCode::offset_metadata_too_large);
  CHECK(bench.groups.list().groups.empty());
}

TEST_CASE("offsets of a transaction wait for its end, here and after the next load") {
  CoordinatorBench bench;
  bench.become_leader();
  bench.load();
  const Producer producer{base::ProducerId{5}, base::ProducerEpoch{0}};
  CHECK(bench.commit_one("g", 1) == ErrorCode::none);
  CHECK(bench.commit_one("g", 2, producer) == ErrorCode::none);
  CHECK(bench.stored("g") == 1);
  const auto stable = bench.groups.fetch("g", std::vector<WantedOffsets>{{"orders", {0}}}, true);
  CHECK(stable.topics[0].partitions[0].error == ErrorCode::unstable_offset_commit);
  CHECK(stable.topics[0].partitions[0].offset == base::kNoOffset);
  SECTION("here") {
    bench.run_on_loop([&] { bench.calls.transaction_ended(0, producer.id, true); });
    CHECK(bench.stored("g") == 2);
  }
  SECTION("aborted") {
    bench.run_on_loop([&] { bench.calls.transaction_ended(0, producer.id, false); });
    CHECK(bench.stored("g") == 1);
    CHECK(bench.groups.fetch("g", std::nullopt, true).topics[0].partitions[0].error == ErrorCode::none);
  }
  SECTION("ended while the next coordinator loads") {
    bench.resign();
    absl::Notification go_on;
    bench.pool.submit([&] { go_on.WaitForNotification(); });
    bench.become_leader(1);
    bench.run_on_loop([&] { bench.calls.transaction_ended(0, producer.id, true); });
    go_on.Notify();
    bench.load();
    CHECK(bench.stored("g") == 2);
  }
}

TEST_CASE("offsets expire with their group, which is gone then, also for the next coordinator") {
  auto with = no_delay();
  with.retention = std::chrono::hours(1);
  CoordinatorBench bench(with);
  bench.become_leader();
  bench.load();
  bench.commit_one("g", 1);
  const auto me = bench.join("living");
  bench.sync("living", me, "");
  bench.clock.advance(std::chrono::minutes(59));
  bench.commit_one("young", 1);
  bench.groups.remove_expired();
  CHECK(bench.stored("g") == 1);
  bench.clock.advance(std::chrono::minutes(1));
  bench.groups.remove_expired();
  CHECK(bench.groups.describe("g").state == GroupState::dead);
  CHECK(bench.stored("young") == 1);
  CHECK(bench.groups.describe("living").state == GroupState::stable);
  bench.resign();
  bench.become_leader(1);
  bench.load();
  CHECK(bench.stored("g") == -1);
  CHECK(bench.groups.list().groups.size() == 2);
}

TEST_CASE("offsets of deleted topics go") {
  CoordinatorBench bench;
  bench.become_leader();
  bench.load();
  bench.commit_one("g", 1);
  bench.groups.topics_deleted({"others"});
  bench.load();
  CHECK(bench.stored("g") == 1);
  bench.groups.topics_deleted({"orders"});
  bench.load();
  CHECK(bench.stored("g") == -1);
  CHECK(bench.groups.list().groups.empty());
}

TEST_CASE("a deleted group with thousands of offsets stays deleted") {
  CoordinatorBench bench;
  bench.become_leader();
  bench.load();
  std::vector<PartitionOffset> many;
  for (int i = 0; i < 2500; ++i) many.push_back({{"orders", i}, {}});
  bench.commit("g", many);
  CHECK(bench.groups.fetch("g", std::nullopt, false).topics[0].partitions.size() == 2500);
  CHECK(bench.groups.delete_group("g") == ErrorCode::none);
  CHECK(bench.groups.delete_group("g") == ErrorCode::group_id_not_found);
  bench.resign();
  bench.become_leader(1);
  bench.load();
  CHECK(bench.groups.list().groups.empty());
}

TEST_CASE("a commit that fails in the log is refused as Kafka does, and nothing of it stays") {
  CoordinatorBench bench;
  bench.become_leader();
  bench.load();
  bench.commit_one("g", 1);
  std::vector<PartitionOffset> large;
  for (int i = 0; i < 400; ++i) {
    large.push_back({{"orders", i}, {}});
    large.back().second.metadata = std::string(4096, 'x');
  }
  for (const auto code : bench.commit("g", large)) CHECK(code == ErrorCode::invalid_commit_offset_size);
  bench.led->resign();
  CHECK(bench.commit_one("g", 2) == ErrorCode::not_coordinator);
  CHECK(bench.stored("g") == 1);
  CHECK(bench.groups.fetch("g", std::nullopt, true).topics[0].partitions[0].error == ErrorCode::none);
}

}  // namespace
