#include "tests/support/replication/store_suite.h"

#include <absl/synchronization/notification.h>
#include <absl/time/clock.h>
#include <catch2/catch.hpp>

#include "base/clock.h"
#include "replication/coordination/blocking_store.h"

namespace test_support {

using namespace replication;

void run_on(base::Loop& loop, std::function<void()> work) {
  absl::Notification done;
  loop.post([&] {
    work();
    done.Notify();
  });
  done.WaitForNotification();
}

bool eventually(const std::function<bool()>& condition, absl::Duration limit) {
  const base::SystemClock clock;
  const auto deadline = clock.now() + absl::ToChronoNanoseconds(limit);
  absl::Mutex mutex;
  while (!condition()) {
    if (clock.now() > deadline) return false;
    absl::MutexLock lock(&mutex);
    mutex.AwaitWithTimeout(absl::Condition(
                               +[](int*) { return false; }, static_cast<int*>(nullptr)),
                           absl::Milliseconds(5));
  }
  return true;
}

namespace {

void nodes_and_versions(BlockingStore& store) {
  REQUIRE(store.commit({Create{.path = "/suite/a", .data = "one"}}).ok());
  auto node = store.get("/suite/a");
  REQUIRE(node.ok());
  CHECK(node.value.data == "one");
  CHECK(node.value.stat.version == 0);
  CHECK(node.value.stat.ephemeral_owner == 0);
  CHECK(node.value.stat.czxid == node.value.stat.mzxid);

  CHECK(store.commit({Create{.path = "/suite/a"}}).code == StoreCode::node_exists);
  CHECK(store.commit({Create{.path = "/suite/no/where"}}).code == StoreCode::no_node);
  CHECK(store.get("/suite/b").code == StoreCode::no_node);
  CHECK(store.exists("/suite/b").code == StoreCode::no_node);
  CHECK(store.children("/suite/b").code == StoreCode::no_node);

  CHECK(store.commit({Set{.path = "/suite/a", .data = "two", .version = 5}}).code == StoreCode::bad_version);
  CHECK(store.commit({Set{.path = "/suite/b", .data = "two"}}).code == StoreCode::no_node);
  auto set = store.commit({Set{.path = "/suite/a", .data = "two", .version = 0}});
  REQUIRE(set.ok());
  REQUIRE(set.done.size() == 1);
  CHECK(set.done[0].stat.version == 1);
  CHECK(set.done[0].stat.czxid == node.value.stat.czxid);
  CHECK(set.done[0].stat.mzxid > node.value.stat.mzxid);
  CHECK(store.exists("/suite/a").value == set.done[0].stat);
  REQUIRE(store.commit({Set{.path = "/suite/a", .data = ""}}).ok());
  CHECK(store.get("/suite/a").value.data.empty());
  CHECK(store.get("/suite/a").value.stat.version == 2);

  CHECK(store.commit({Remove{.path = "/suite/a", .version = 1}}).code == StoreCode::bad_version);
  CHECK(store.commit({Remove{.path = "/suite"}}).code == StoreCode::not_empty);
  CHECK(store.commit({Remove{.path = "/suite/a", .version = 2}}).ok());
  CHECK(store.commit({Remove{.path = "/suite/a"}}).code == StoreCode::no_node);
  CHECK(store.commit({Create{.path = "/suite//x"}}).code == StoreCode::failed);
  CHECK(store.commit({Create{.path = "relative"}}).code == StoreCode::failed);
}

void children_and_sequences(BlockingStore& store) {
  for (const char* name : {"/suite/b", "/suite/a", "/suite/a/below", "/suite/c-10", "/suite/c-9"})
    REQUIRE(store.commit({Create{.path = name}}).ok());
  CHECK(store.children("/suite").value == std::vector<std::string>{"a", "b", "c-10", "c-9"});
  CHECK(store.exists("/suite").value.child_count == 4);
  CHECK(store.children("/suite/b").value.empty());

  std::vector<std::string> made;
  for (int i = 0; i < 3; ++i) {
    auto reply = store.commit({Create{.path = "/suite/b/n_", .mode = CreateMode::persistent_sequential}});
    REQUIRE(reply.ok());
    made.push_back(reply.done[0].path);
    CHECK(made.back().size() == std::string("/suite/b/n_").size() + 10);
    // Removing must not let a number come back.
    REQUIRE(store.commit({Remove{.path = made.back()}}).ok());
  }
  CHECK(made[0] < made[1]);
  CHECK(made[1] < made[2]);
}

void all_or_nothing(BlockingStore& store) {
  REQUIRE(store.commit({Create{.path = "/suite/guard", .data = "7"}}).ok());
  auto refused = store.commit({Check{.path = "/suite/guard", .version = 0}, Create{.path = "/suite/x"},
                               Set{.path = "/suite/guard", .data = "8", .version = 3}, Create{.path = "/suite/y"}});
  CHECK(refused.code == StoreCode::bad_version);
  CHECK(refused.failed_at == 2);
  CHECK(store.exists("/suite/x").code == StoreCode::no_node);
  CHECK(store.get("/suite/guard").value.data == "7");

  auto fenced = store.commit({Check{.path = "/suite/guard", .version = 9}, Create{.path = "/suite/x"}});
  CHECK(fenced.code == StoreCode::bad_version);
  CHECK(fenced.failed_at == 0);

  // Later operations see earlier ones: the two-step registration.
  auto both = store.commit(
      {Create{.path = "/suite/x", .mode = CreateMode::ephemeral}, Set{.path = "/suite/x", .data = "me", .version = 0}});
  REQUIRE(both.ok());
  CHECK(both.done[1].stat.version == 1);
  CHECK(both.done[1].stat.czxid == both.done[1].stat.mzxid);
  CHECK(store.get("/suite/x").value.data == "me");
  auto gone = store.commit({Remove{.path = "/suite/x"}, Remove{.path = "/suite/guard"}});
  CHECK(gone.ok());
}

void ephemerals(BlockingStore& store, std::int64_t session) {
  REQUIRE(store.commit({Create{.path = "/suite/mine", .mode = CreateMode::ephemeral}}).ok());
  CHECK(store.get("/suite/mine").value.stat.ephemeral_owner == session);
  CHECK(session != 0);
  CHECK(store.commit({Create{.path = "/suite/mine/below"}}).code == StoreCode::no_children_for_ephemeral);
  auto numbered = store.commit({Create{.path = "/suite/e_", .mode = CreateMode::ephemeral_sequential}});
  REQUIRE(numbered.ok());
  CHECK(store.exists(numbered.done[0].path).value.ephemeral_owner == session);
}

void data_watches(MetadataStore& async, BlockingStore& store, base::Loop& loop) {
  Collected<std::string> seen;
  WatchHandle watch = async.watch_data("/suite/w", [&] {
    async.get("/suite/w", [&](Reply<Node> reply) { seen.add(reply.ok() ? reply.value.data : "absent"); });
  });
  // More often than once, without asking again; creation and removal are seen as well.
  const std::vector<std::pair<Operation, std::string>> steps = {
      {Create{.path = "/suite/w", .data = "1"}, "1"}, {Set{.path = "/suite/w", .data = "2"}, "2"},
      {Set{.path = "/suite/w", .data = "3"}, "3"},    {Remove{.path = "/suite/w"}, "absent"},
      {Create{.path = "/suite/w", .data = "4"}, "4"}, {Set{.path = "/suite/w", .data = "5"}, "5"}};
  for (const auto& [operation, expected] : steps) {
    INFO(expected);
    REQUIRE(store.commit({operation}).ok());
    CHECK(seen.wait_until([&](const auto& values) { return !values.empty() && values.back() == expected; }));
  }
  // A change of something else tells nobody; a dropped watch stays silent.
  run_on(loop, [&] { watch.reset(); });
  const auto count = seen.values().size();
  REQUIRE(store.commit({Set{.path = "/suite/w", .data = "6"}}).ok());
  REQUIRE(store.get("/suite/w").ok());
  CHECK(seen.values().size() == count);
}

void child_watches(MetadataStore& async, BlockingStore& store, base::Loop& loop) {
  Collected<std::vector<std::string>> seen;
  WatchHandle watch =
      async.watch_children("/suite", [&] { async.children("/suite", [&](auto reply) { seen.add(reply.value); }); });
  const auto last_is = [&](std::vector<std::string> expected) {
    return seen.wait_until([&](const auto& values) { return !values.empty() && values.back() == expected; });
  };
  REQUIRE(store.commit({Create{.path = "/suite/a"}}).ok());
  CHECK(last_is({"a"}));
  REQUIRE(store.commit({Create{.path = "/suite/b"}, Create{.path = "/suite/c"}}).ok());
  CHECK(last_is({"a", "b", "c"}));
  REQUIRE(store.commit({Remove{.path = "/suite/b"}}).ok());
  CHECK(last_is({"a", "c"}));
  const auto count = seen.values().size();
  REQUIRE(store.commit({Set{.path = "/suite/a", .data = "x"}, Create{.path = "/suite/a/deeper"}}).ok());
  REQUIRE(store.get("/suite").ok());
  CHECK(seen.values().size() == count);
  run_on(loop, [&] { watch.reset(); });
}

void order_and_threads(MetadataStore& async, BlockingStore& store, base::Loop& loop) {
  REQUIRE(store.commit({Create{.path = "/suite/n", .data = "-"}}).ok());
  Collected<std::string> seen;
  std::atomic<int> elsewhere{0};
  for (int i = 0; i < 200; ++i) {
    async.commit({Set{.path = "/suite/n", .data = std::to_string(i)}}, [&](CommitReply) {
      if (!loop.in_loop()) ++elsewhere;
    });
    async.get("/suite/n", [&](Reply<Node> reply) { seen.add(reply.value.data); });
  }
  REQUIRE(seen.wait_for_count(200));
  const auto values = seen.values();
  for (int i = 0; i < 200; ++i) CHECK(values[static_cast<std::size_t>(i)] == std::to_string(i));
  CHECK(elsewhere == 0);
}

}  // namespace

void store_suite(MetadataStore& async, base::Loop& loop) {
  BlockingStore store(async);
  REQUIRE(store.commit({Create{.path = "/suite"}}).ok());
  SECTION("nodes carry data and versions") { nodes_and_versions(store); }
  SECTION("children are listed in order, sequence numbers never return") { children_and_sequences(store); }
  SECTION("a commit happens whole or not at all") { all_or_nothing(store); }
  SECTION("ephemeral nodes belong to the session and have no children") { ephemerals(store, async.session_id()); }
  SECTION("a data watch sees every change until it is dropped") { data_watches(async, store, loop); }
  SECTION("a child watch sees coming and going, not the data") { child_watches(async, store, loop); }
  SECTION("requests are answered in order, on the coordination loop") { order_and_threads(async, store, loop); }
}

}  // namespace test_support
