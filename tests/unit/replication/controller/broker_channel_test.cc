#include "replication/controller/broker_channel.h"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "tests/support/replication/store_suite.h"

using namespace replication;
using namespace test_support;
using base::BrokerId;
using base::ErrorCode;

namespace {

// A broker at the other end, whose answers the test gives.
struct Bench {
  Bench() { loop.start(); }
  ~Bench() {
    run_on(loop, [&] { channel.reset(); });
    loop.stop();
  }
  void open(bool remote, std::size_t max_waiting = 1000) {
    Announcements calls;
    calls.leader_and_isr = [this](const LeaderAndIsr&, auto done) { called("lead", done); };
    calls.update_metadata = [this](const UpdateMetadata&, auto done) { called("metadata", done); };
    calls.stop_replica = [this](const StopReplica&, auto done) { called("stop", done); };
    std::function<void()> reconnect;
    if (remote) reconnect = [this] { calls_made.add("reconnect"); };
    run_on(loop, [&] {
      channel = std::make_shared<BrokerChannel>(
          BrokerChannel::Settings{.broker = BrokerId{2}, .epoch = 5, .max_waiting = max_waiting}, loop, calls,
          reconnect,
          BrokerChannel::Hooks{.answered =
                                   [this](BrokerId, const Announcement& what, const AnnouncementReply& reply) {
                                     answered.add(fmt::format("{} {}", what.index(), base::error_name(reply.code)));
                                   },
                               .fell_behind = [this](BrokerId id) { answered.add(fmt::format("behind {}", id)); }});
    });
  }
  void called(const std::string& what, const Announcements::Done& done) {
    pending.add(done);
    calls_made.add(what);
  }
  void push(Announcement what) {
    run_on(loop, [&] { channel->push(std::move(what)); });
  }
  void answer(std::size_t call, ErrorCode code) { pending.values().at(call)({.code = code}); }

  base::Loop loop{"coordination"};
  Collected<Announcements::Done> pending;
  Collected<std::string> calls_made, answered;
  std::shared_ptr<BrokerChannel> channel;
};

}  // namespace

TEST_CASE("the next announcement goes out when the one before is answered") {
  Bench bench;
  bench.open(false);
  bench.push(LeaderAndIsr{});
  bench.push(UpdateMetadata{});
  bench.push(StopReplica{});
  CHECK(bench.calls_made.values() == std::vector<std::string>{"lead"});
  bench.answer(0, ErrorCode::none);
  REQUIRE(bench.calls_made.wait_for_count(2));
  bench.answer(1, ErrorCode::stale_controller_epoch);
  REQUIRE(bench.calls_made.wait_for_count(3));
  bench.answer(2, ErrorCode::none);
  REQUIRE(bench.answered.wait_for_count(3));
  CHECK(bench.calls_made.values() == std::vector<std::string>{"lead", "metadata", "stop"});
  CHECK(bench.answered.values() == std::vector<std::string>{"0 NONE", "1 STALE_CONTROLLER_EPOCH", "2 NONE"});
}

TEST_CASE("what the network lost is sent again over a fresh connection") {
  Bench bench;
  bench.open(true);
  bench.push(LeaderAndIsr{});
  bench.push(StopReplica{});
  bench.answer(0, ErrorCode::network_exception);
  REQUIRE(bench.calls_made.wait_for_count(3));
  bench.answer(0, ErrorCode::none);  // late: not the answer to what is in flight
  bench.answer(1, ErrorCode::request_timed_out);
  REQUIRE(bench.calls_made.wait_for_count(5));
  bench.answer(2, ErrorCode::none);
  REQUIRE(bench.calls_made.wait_for_count(6));
  CHECK(bench.calls_made.values() ==
        std::vector<std::string>{"lead", "reconnect", "lead", "reconnect", "lead", "stop"});
  CHECK(bench.answered.values() == std::vector<std::string>{"0 NONE"});
}

TEST_CASE("a broker that is too far behind misses announcements, and that is said when it answers again") {
  Bench bench;
  bench.open(true, 3);
  bench.push(LeaderAndIsr{});
  bench.push(UpdateMetadata{});
  bench.push(StopReplica{});
  CHECK(bench.answered.values().empty());
  bench.push(UpdateMetadata{});
  bench.push(StopReplica{});
  const std::vector<std::string> dropped{"2 NETWORK_EXCEPTION", "1 NETWORK_EXCEPTION", "1 NETWORK_EXCEPTION",
                                         "2 NETWORK_EXCEPTION"};
  CHECK(bench.answered.values() == dropped);
  bench.answer(0, ErrorCode::none);
  REQUIRE(bench.answered.wait_for_count(6));
  CHECK(bench.answered.values().at(5) == "behind 2");
  bench.push(UpdateMetadata{});
  CHECK(bench.calls_made.values() == std::vector<std::string>{"lead", "metadata"});
}

TEST_CASE("a channel that was cleared ignores the answer to what it had sent, and goes on behind it") {
  Bench bench;
  bench.open(false);
  bench.push(LeaderAndIsr{});
  bench.push(UpdateMetadata{});
  run_on(bench.loop, [&] { bench.channel->clear(); });
  bench.push(StopReplica{});
  CHECK(bench.calls_made.values().size() == 1);
  bench.answer(0, ErrorCode::none);
  REQUIRE(bench.calls_made.wait_for_count(2));
  CHECK(bench.calls_made.values().at(1) == "stop");
  CHECK(bench.answered.values().empty());
}
