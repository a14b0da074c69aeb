#include "replication/coordination/stored_configs.h"

#include <absl/synchronization/notification.h>
#include <catch2/catch.hpp>

#include "replication/coordination/embedded_store.h"
#include "tests/support/replication/lone_broker.h"

using namespace replication;
using namespace test_support;
using Mode = StoredConfigs::Mode;

namespace {

struct Fixture {
  Fixture() {
    loop.start();
    REQUIRE(embedded.start().ok());
    REQUIRE(create_top_level(store).ok());
  }
  ~Fixture() {
    embedded.stop();
    loop.stop();
  }

  base::Status change(StoredConfigs::Alter alter, Mode mode = Mode::store) {
    Collected<std::string> answers;
    configs.change({"topics", "t"}, mode, std::move(alter),
                   [&](const base::Status& s) { answers.add(s.ok() ? "" : s.error().detail); });
    REQUIRE(answers.wait_for_count(1));
    const auto answer = answers.values().at(0);
    return answer.empty() ? base::Status() : base::fail(base::ErrorCode::invalid_request, "{}", answer);
  }
  std::string node() { return store.get("/config/topics/t").value.data; }
  std::size_t announced() { return store.children("/config/changes").value.size(); }

  TemporaryDirectory directory;
  base::SystemClock clock;
  base::Loop loop{"coordination"};
  EmbeddedStore embedded{directory.path + "/db", loop, clock};
  BlockingStore store{embedded};
  StoredConfigs configs{embedded, loop};
};

StoredConfigs::Alter put(std::string key, std::string value) {
  return [=](ConfigEntries entries) -> base::Result<ConfigEntries> {
    entries[key] = value;
    return entries;
  };
}

}  // namespace

TEST_CASE("a changed configuration is stored and announced together") {
  Fixture fixture;
  CHECK(fixture.change(put("a", "1")).ok());
  CHECK(fixture.node() == R"({"version":1,"config":{"a":"1"}})");
  CHECK(fixture.change(put("b", "2")).ok());
  CHECK(fixture.node() == R"({"version":1,"config":{"a":"1","b":"2"}})");
  const auto names = fixture.store.children("/config/changes").value;
  REQUIRE(names.size() == 2);
  CHECK(fixture.store.get("/config/changes/" + names[1]).value.data == R"({"version":2,"entity_path":"topics/t"})");
}

TEST_CASE("a change refused or only checked leaves nothing behind") {
  Fixture fixture;
  const auto refuse = [](const ConfigEntries&) -> base::Result<ConfigEntries> {
    return base::fail(base::ErrorCode::invalid_request, "no");
  };
  for (const auto mode : {Mode::store, Mode::only_check}) {
    const auto refused = fixture.change(refuse, mode);
    CHECK(refused.error().detail == "no");
  }
  CHECK(fixture.change(put("a", "1"), Mode::only_check).ok());
  CHECK_FALSE(fixture.store.exists("/config/topics/t").ok());
  CHECK(fixture.announced() == 0);
}

TEST_CASE("a change is made anew on what another wrote meanwhile") {
  Fixture fixture;
  // Both changes read before either writes: the second meets the version, or the node, of the first.
  const bool exists = GENERATE(false, true);
  if (exists) REQUIRE(fixture.change(put("a", "0")).ok());
  Collected<bool> done;
  absl::Notification both_asked;
  fixture.loop.post([&] { both_asked.WaitForNotification(); });
  for (const auto* key : {"x", "y", "z"})
    fixture.configs.change({"topics", "t"}, Mode::store, put(key, "1"),
                           [&](const base::Status& s) { done.add(s.ok()); });
  both_asked.Notify();
  REQUIRE(done.wait_for_count(3));
  CHECK(done.values() == std::vector<bool>{true, true, true});
  const auto entries = decode_config("t", fixture.node()).value();
  for (const auto* key : {"x", "y", "z"}) CHECK(entries.contains(key));
  CHECK(entries.contains("a") == exists);
}

TEST_CASE("a node that cannot be read is told and left as it is") {
  Fixture fixture;
  REQUIRE(fixture.change(put("a", "1")).ok());
  std::vector<Operation> damage;
  damage.push_back(Set{.path = "/config/topics/t", .data = "{broken"});
  REQUIRE(fixture.store.commit(std::move(damage)).ok());
  CHECK_FALSE(fixture.change(put("b", "1")).ok());
  CHECK(fixture.node() == "{broken");
}
