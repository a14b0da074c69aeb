// The parts of the simulated world: do they behave as what they stand for?
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "broker/dispatch/reply.h"
#include "protocol/messages/heartbeat.h"
#include "tests/simulation/ensemble.h"
#include "tests/simulation/network.h"
#include "tests/simulation/process.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/sim_store.h"
#include "tests/support/replication/store_suite.h"
#include "tests/support/storage/faulty_files.h"

using namespace simulation;
using namespace replication;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Everything at once, but on the loop and in order: for a suite whose threads are real.
class LoopTimeline final : public Timeline {
 public:
  explicit LoopTimeline(base::Loop& loop) : loop_(loop) {}
  void after(base::Duration, std::function<void()> work) override { loop_.post(std::move(work)); }
  base::Instant now() const override { return {}; }

 private:
  base::Loop& loop_;
};

struct World {
  explicit World(std::uint64_t seed = 1) : scheduler(seed) {}
  void run(base::Duration time) { scheduler.run_until(scheduler.now() + time); }

  Scheduler scheduler;
  SimClock clock{scheduler, milliseconds(0)};
  Ensemble ensemble{scheduler, clock, 7, {.session_timeout = seconds(6)}};
  SimNetwork network{scheduler, 8};
};

// A process with a store.
struct Member {
  explicit Member(World& world, const std::string& name = "b1")
      : process(world.scheduler, name), loop(process, name), store(world.ensemble, loop) {
    store.on_session([this](SessionEvent event) { events.push_back(event); });
    on_loop([this] { store.begin(); });
  }
  void on_loop(std::function<void()> work) { loop.post(std::move(work)); }

  Process process;
  SimLoop loop;
  SimStore store;
  std::vector<SessionEvent> events;
};

}  // namespace

TEST_CASE("the simulated store is a metadata store like the others") {
  base::Loop loop("coordination");
  loop.start();
  LoopTimeline timeline(loop);
  base::SystemClock clock;
  Ensemble ensemble(timeline, clock, 1, {});
  SimStore store(ensemble, loop);
  REQUIRE(store.start().ok());
  test_support::store_suite(store, loop);
  store.stop();
  loop.stop();
}

TEST_CASE("a write that has lost its answer is sent again and refused") {
  World world;
  Member member(world);
  world.run(seconds(1));
  CommitReply reply{.code = StoreCode::failed};
  member.on_loop([&] {
    member.store.commit({Create{.path = "/once", .data = "x"}}, [&](CommitReply given) { reply = std::move(given); });
  });
  const auto limit = world.scheduler.now() + seconds(1);
  while (!world.ensemble.tree().get("/once").ok() && world.scheduler.step(limit)) {
  }
  member.store.break_connection();
  world.run(seconds(5));
  CHECK(reply.code == StoreCode::node_exists);
  CHECK(world.ensemble.tree().get("/once").value.data == "x");
  CHECK(member.events == std::vector{SessionEvent::connected, SessionEvent::disconnected, SessionEvent::connected});
}

TEST_CASE("a session ends when nothing is heard of its client, and not before") {
  World world;
  Member member(world);
  world.run(seconds(1));
  const auto first = member.store.session_id();
  member.on_loop(
      [&] { member.store.commit({Create{.path = "/me", .mode = CreateMode::ephemeral}}, [](const CommitReply&) {}); });
  world.run(seconds(60));
  REQUIRE(world.ensemble.tree().get("/me").value.stat.ephemeral_owner == first);

  SECTION("a short silence does no harm") {
    member.store.cut();
    world.run(seconds(3));
    member.store.mend();
    world.run(seconds(20));
    CHECK(world.ensemble.tree().get("/me").ok());
    CHECK(member.store.session_id() == first);
    CHECK(member.events.size() == 1);
  }
  SECTION("a long one does, and a new session follows when it ends") {
    member.store.cut();
    world.run(seconds(20));
    CHECK_FALSE(world.ensemble.tree().get("/me").ok());
    member.store.mend();
    world.run(seconds(5));
    CHECK(member.events == std::vector{SessionEvent::connected, SessionEvent::disconnected, SessionEvent::expired,
                                       SessionEvent::new_session});
    CHECK(member.store.session_id() != first);
  }
  SECTION("a paused process learns of its end when it goes on") {
    member.process.pause();
    member.store.process_paused();
    world.run(seconds(20));
    CHECK_FALSE(world.ensemble.tree().get("/me").ok());
    CHECK(member.events.size() == 1);
    member.process.resume();
    member.store.process_resumed();
    world.run(seconds(5));
    CHECK(member.events.back() == SessionEvent::new_session);
  }
  SECTION("a killed one is mourned after the session timeout") {
    member.process.end();
    member.store.process_killed();
    world.run(seconds(5));
    CHECK(world.ensemble.tree().get("/me").ok());
    world.run(seconds(5));
    CHECK_FALSE(world.ensemble.tree().get("/me").ok());
  }
  SECTION("an ensemble that does not serve lets nobody's session end") {
    world.ensemble.stop_serving();
    world.run(seconds(60));
    CHECK(world.ensemble.tree().get("/me").ok());
    world.ensemble.serve_again();
    world.run(seconds(10));
    CHECK(world.ensemble.tree().get("/me").ok());
    CHECK(member.events == std::vector{SessionEvent::connected, SessionEvent::disconnected, SessionEvent::connected});
  }
}

TEST_CASE("a change is told although the connection broke when it was on its way") {
  World world;
  Member watcher(world);
  Member writer(world, "b2");
  world.run(seconds(1));
  std::vector<std::string> seen;
  WatchHandle handle;
  watcher.on_loop([&] {
    handle = watcher.store.watch_data(
        "/x", [&] { watcher.store.get("/x", [&](Reply<Node> reply) { seen.push_back(reply.value.data); }); });
  });
  world.run(seconds(1));
  for (int i = 0; i < 50; ++i) {
    const auto changed = world.ensemble.commit({i == 0 ? Operation(Create{.path = "/x", .data = "0"})
                                                       : Operation(Set{.path = "/x", .data = std::to_string(i)})});
    REQUIRE(changed.ok());
    world.run(milliseconds(static_cast<int>(world.scheduler.dice().below(4))));
    if (i % 3 == 0) watcher.store.break_connection();
    if (i % 5 == 0) world.run(milliseconds(400));
  }
  world.run(seconds(5));
  REQUIRE_FALSE(seen.empty());
  CHECK(seen.back() == "49");
}

TEST_CASE("work of a process runs in order, waits while it is paused, and never comes once it has ended") {
  World world;
  Process process(world.scheduler, "p");
  SimLoop loop(process, "loop");
  SimPool pool(process, 1);
  std::string done;
  for (char c = 'a'; c < 'e'; ++c) loop.post([&, c] { done += c; });
  auto timer = loop.make_timer();
  auto other = loop.make_timer();
  loop.post([&] {
    CHECK(loop.in_loop());
    timer->arm(seconds(2), [&] { done += 'T'; });
    other->arm(seconds(2), [&] { done += '!'; });
    timer->arm(seconds(1), [&] { done += 't'; });
    other->cancel();
  });
  world.run(milliseconds(500));
  CHECK(done == "abcd");
  process.pause();
  pool.submit([&] {
    CHECK_FALSE(loop.in_loop());
    done += 'p';
  });
  world.run(seconds(5));
  CHECK(done == "abcd");
  process.resume();
  world.run(seconds(1));
  CHECK(done.size() == 6);
  CHECK(done.find('t') != std::string::npos);

  loop.post([&] { done += '!'; });
  process.end();
  world.run(seconds(5));
  CHECK(done.size() == 6);
  process.drain();
  CHECK(done.back() == '!');
}

TEST_CASE("the same seed is the same run") {
  const auto run = [](std::uint64_t seed) {
    World world(seed);
    Member a(world), b(world, "b2");
    for (int i = 0; i < 20; ++i)
      a.on_loop([&] {
        a.store.commit({Create{.path = "/n_", .mode = CreateMode::persistent_sequential}}, [](const CommitReply&) {});
      });
    world.run(seconds(30));
    return world.scheduler.fingerprint();
  };
  CHECK(run(1) == run(1));
  CHECK(run(1) != run(2));
}

namespace {

// A host that answers heartbeats with the generation asked about, in whatever order it comes to it.
struct Server {
  Server(World& world, HostId id) : process(world.scheduler, "server"), clock(world.scheduler, {}) {
    table.add({.api = protocol::HeartbeatRequest::api,
               .versions = {0, 4},
               .handler = [this](broker::Request& request, broker::AnswerSlot answer) {
                 protocol::HeartbeatRequest in;
                 if (!broker::read_body(request, answer, in)) return;
                 ++handled;
                 protocol::HeartbeatResponse out;
                 out.throttle_time_ms = in.generation_id;
                 auto slot = std::make_shared<broker::AnswerSlot>(std::move(answer));
                 auto frame = std::make_shared<base::BufferChain>(
                     protocol::encode_response(request.correlation_id(), request.version(), out));
                 auto timer = std::make_shared<std::unique_ptr<base::Timer>>(loop.make_timer());
                 (*timer)->arm(milliseconds(dice.below(20)), [slot, frame, timer] { slot->fill(std::move(*frame)); });
               }});
    world.network.listen(id, {.loops = {&loop}, .router = &router, .clock = &clock});
  }
  ~Server() {
    process.end();
    process.drain();
  }

  Process process;
  SimClock clock;
  SimLoop loop{process, "net"};
  Dice dice{3};
  broker::ApiTable table;
  broker::DiagnosisLog diagnosis;
  broker::Router router{table, diagnosis, std::make_shared<broker::MemoryBudget>(-1)};
  int handled = 0;
};

}  // namespace

TEST_CASE("requests between hosts are answered in order, or fail when the way is broken") {
  World world;
  Server server(world, 1);
  Process process(world.scheduler, "client");
  SimLoop loop(process, "loop");
  SimPeers peers(world.network, 2, world.clock);
  auto peer = peers.connect({.id = base::BrokerId{1}}, loop, {});
  std::vector<int> answers;
  std::vector<base::ErrorCode> failures;
  const auto ask_for = [&](int number) {
    loop.post([&, number] {
      protocol::HeartbeatRequest request;
      request.generation_id = number;
      ask<protocol::HeartbeatResponse>(*peer, request, 4, seconds(2),
                                       [&](base::Result<PeerAnswer<protocol::HeartbeatResponse>> reply) {
                                         if (reply)
                                           answers.push_back(reply->message.throttle_time_ms);
                                         else
                                           failures.push_back(reply.error().code);
                                       });
    });
  };
  for (int i = 0; i < 10; ++i) ask_for(i);
  world.run(seconds(1));
  CHECK(answers == std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});

  SECTION("what a cut holds up goes on when it is mended, or the connection is gone") {
    world.network.cut(1, 2);
    ask_for(10);
    world.run(seconds(1));
    CHECK(server.handled == 11);
    CHECK(answers.size() == 10);
    world.network.mend(1, 2);
    world.run(milliseconds(900));
    CHECK(answers.size() + failures.size() == 11);
  }
  SECTION("an answer that does not come in time ends the connection; the next request makes another") {
    world.network.cut(2, 1);
    ask_for(10);
    ask_for(11);
    world.run(seconds(4));
    CHECK(failures == std::vector{base::ErrorCode::request_timed_out, base::ErrorCode::network_exception});
    world.network.mend(2, 1);
    ask_for(12);
    world.run(seconds(1));
    CHECK(answers.back() == 12);
    CHECK(server.handled == 11);
  }
  SECTION("a server that is gone refuses") {
    world.network.stop_listening(1, SimNetwork::End::closed);
    ask_for(10);
    world.run(seconds(1));
    CHECK(failures == std::vector{base::ErrorCode::network_exception});
  }
  SECTION("a machine that is gone says nothing") {
    world.network.stop_listening(1, SimNetwork::End::vanished);
    ask_for(10);
    world.run(seconds(4));
    CHECK(failures == std::vector{base::ErrorCode::request_timed_out});
  }
}

TEST_CASE("power that fails leaves what was synced, and of the rest what chance leaves") {
  std::size_t shortest = 100, longest = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    storage::testing::FaultyFiles disk;
    Dice dice(seed);
    disk.put("/d/log", "0123456789");
    {
      auto file = std::move(*disk.open("/d/log", base::OpenMode::read_write));
      const std::string more = "abcdefghij";
      REQUIRE(file->write_at(10, std::as_bytes(std::span(more))).ok());
    }
    disk.stop();
    CHECK_FALSE(disk.exists("/d/log").ok());
    disk.restart(storage::testing::FaultyFiles::AfterStop::lost_in_part, &dice);
    const auto left = disk.contents("/d/log");
    const auto real = left.substr(0, left.find('\0'));
    CHECK(std::string("0123456789abcdefghij").starts_with(real));
    shortest = std::min(shortest, real.size());
    longest = std::max(longest, real.size());
  }
  CHECK(shortest == 10);
  CHECK(longest == 20);
}
