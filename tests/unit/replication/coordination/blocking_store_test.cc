#include "replication/coordination/blocking_store.h"

#include <catch2/catch.hpp>

#include <thread>

#include "replication/coordination/embedded_store.h"
#include "tests/support/replication/lone_broker.h"
#include "tests/support/replication/silent_store.h"

using namespace replication;
using namespace test_support;

TEST_CASE("whoever waits for a store that never answers is sent away by stop()") {
  SilentStore silent;
  BlockingStore store(silent);
  std::vector<std::thread> waiting;
  Collected<StoreCode> codes;
  waiting.emplace_back([&] { codes.add(store.get("/a").code); });
  waiting.emplace_back([&] { codes.add(store.exists("/a").code); });
  waiting.emplace_back([&] { codes.add(store.children("/a").code); });
  waiting.emplace_back([&] { codes.add(store.commit({Create{.path = "/a"}}).code); });
  waiting.emplace_back([&] {
    for (const auto& reply : store.get_all({"/a", "/b"})) codes.add(reply.code);
  });
  REQUIRE(eventually([&] { return silent.asked() == 7; }));  // of get_all three
  store.stop();
  for (auto& thread : waiting) thread.join();
  CHECK(codes.values() == std::vector<StoreCode>(6, StoreCode::closed));
  CHECK(store.get("/later").code == StoreCode::closed);
  silent.answer_all();  // answers that come after all find nobody, and do no harm
}

TEST_CASE("many nodes are read in one go, each with its own outcome") {
  TemporaryDirectory directory;
  base::SystemClock clock;
  base::Loop loop{"coordination"};
  loop.start();
  EmbeddedStore embedded(directory.path + "/db", loop, clock);
  REQUIRE(embedded.start().ok());
  BlockingStore store(embedded);
  REQUIRE(store.commit({Create{.path = "/a", .data = "1"}, Create{.path = "/c", .data = "3"}}).ok());
  const auto replies = store.get_all({"/a", "/b", "/c"});
  REQUIRE(replies.size() == 3);
  CHECK(replies[0].value.data == "1");
  CHECK(replies[1].code == StoreCode::no_node);
  CHECK(replies[2].value.data == "3");
  CHECK(store.get_all({}).empty());
  embedded.stop();
  CHECK(store.get_all({"/a"}).at(0).code == StoreCode::closed);
  loop.stop();
}

TEST_CASE("a store that was stopped before it started does not start") {
  TemporaryDirectory directory;
  base::SystemClock clock;
  base::Loop loop{"coordination"};
  loop.start();
  EmbeddedStore embedded(directory.path + "/db", loop, clock);
  embedded.stop();
  CHECK_FALSE(embedded.start().ok());
  loop.stop();
}
