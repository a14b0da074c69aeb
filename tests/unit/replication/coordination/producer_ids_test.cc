#include "replication/coordination/producer_ids.h"

#include <catch2/catch.hpp>

#include <set>
#include <thread>

#include "replication/coordination/embedded_store.h"
#include "tests/support/replication/lone_broker.h"

using namespace replication;
using namespace test_support;

namespace {

struct Fixture {
  Fixture() : embedded(directory.path + "/db", loop, clock) {
    loop.start();
    REQUIRE(embedded.start().ok());
    REQUIRE(create_top_level(store).ok());
  }
  ~Fixture() { stop(); }
  // Before what waits for its answers goes: the next block is fetched ahead of need.
  void stop() {
    embedded.stop();
    loop.stop();
  }
  TemporaryDirectory directory;
  base::SystemClock clock;
  base::Loop loop{"coordination"};
  EmbeddedStore embedded;
  BlockingStore store{embedded};
};

}  // namespace

TEST_CASE("producer ids come from blocks of 1000 and never twice, from any thread and any broker") {
  Fixture fixture;
  ProducerIds one(stored_producer_ids(base::BrokerId{1}, fixture.embedded, fixture.loop),
                  base::ErrorCode::coordinator_not_available);
  ProducerIds two(stored_producer_ids(base::BrokerId{2}, fixture.embedded, fixture.loop),
                  base::ErrorCode::coordinator_not_available);
  Collected<std::int64_t> ids;
  std::vector<std::thread> askers;
  for (int thread = 0; thread < 4; ++thread)
    askers.emplace_back([&, thread] {
      for (int i = 0; i < 1500; ++i) (thread % 2 ? one : two).next([&](auto id) { ids.add(id.ok() ? id->raw : -1); });
    });
  for (auto& asker : askers) asker.join();
  REQUIRE(ids.wait_for_count(6000));
  const auto values = ids.values();
  CHECK(std::set<std::int64_t>(values.begin(), values.end()).size() == 6000);
  CHECK(*std::ranges::min_element(values) == 0);
  const auto block = decode_producer_id_block("p", fixture.store.get("/latest_producer_id_block").value.data).value();
  CHECK(block.last % 1000 == 999);
  CHECK(block.last - block.first == 999);
  fixture.stop();
}

TEST_CASE("producer ids go on behind the block another broker took") {
  Fixture fixture;
  REQUIRE(fixture.store
              .commit({Set{.path = "/latest_producer_id_block",
                           .data = R"({"version":1,"broker":9,"block_start":"5000","block_end":"5999"})"}})
              .ok());
  ProducerIds ids(stored_producer_ids(base::BrokerId{1}, fixture.embedded, fixture.loop),
                  base::ErrorCode::coordinator_not_available);
  Collected<std::int64_t> got;
  ids.next([&](auto id) { got.add(id->raw); });
  REQUIRE(got.wait_for_count(1));
  CHECK(got.values()[0] == 6000);
  fixture.stop();
}

TEST_CASE("a broken block node fails those who ask, and heals when the node does") {
  Fixture fixture;
  REQUIRE(fixture.store.commit({Set{.path = "/latest_producer_id_block", .data = "{"}}).ok());
  ProducerIds ids(stored_producer_ids(base::BrokerId{1}, fixture.embedded, fixture.loop),
                  base::ErrorCode::coordinator_not_available);
  Collected<base::ErrorCode> codes;
  const auto ask = [&] { ids.next([&](auto id) { codes.add(id.ok() ? base::ErrorCode::none : id.error().code); }); };
  ask();
  REQUIRE(codes.wait_for_count(1));
  CHECK(codes.values()[0] == base::ErrorCode::coordinator_not_available);
  REQUIRE(fixture.store.commit({Set{.path = "/latest_producer_id_block", .data = ""}}).ok());
  ask();
  REQUIRE(codes.wait_for_count(2));
  CHECK(codes.values()[1] == base::ErrorCode::none);
  fixture.stop();
}
