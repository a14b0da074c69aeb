#include "broker/internal_topics/load.h"

#include <catch2/catch.hpp>

#include "broker/internal_topics/names.h"
#include "tests/support/broker/handler_bench.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;

namespace {

const std::string kGroups(kGroupsTopic);

std::string text_of(const protocol::OptionalBytes& bytes) {
  return bytes ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()) : "null";
}

struct Bench : HandlerBench {
  explicit Bench(LeaderEpoch epoch = LeaderEpoch{0})
      : led(std::make_shared<LedPartition>(lead({.topic = kGroups, .leader_epoch = epoch}), epoch, loop, clock)) {}

  base::Result<LoadSummary> load(std::size_t chunk_bytes = 1 << 20) {
    return broker::load(*led, visitor, {.chunk_bytes = chunk_bytes}, clock);
  }
  void append(base::Buffer batch) {
    auto parsed = protocol::Batch::parse(batch.bytes()).value().value();
    base::invariant(led->partition().with_log([&](storage::Log& log) {
      base::invariant(log.append_as_leader({&parsed, 1}, LeaderEpoch{0}, storage::AppendOrigin::coordinator).ok(),
                      "a test's batch is appended");
    }),
                    "there is a log");
  }

  std::shared_ptr<LedPartition> led;
  std::vector<std::string> seen;
  LoadVisitor visitor{
      .record =
          [this](const LoadedBatch& batch, const LoadedRecord& record) {
            seen.push_back(fmt::format("{}: {}{}", record.offset, text_of(record.value),
                                       batch.transactional ? fmt::format(" of {}", batch.producer_id) : ""));
          },
      .marker =
          [this](const LoadedMarker& marker) {
            seen.push_back(fmt::format("{}: {} {}/{}", marker.offset, marker.commit ? "commit" : "abort",
                                       marker.producer_id, marker.producer_epoch));
          },
  };
};

base::Buffer marker(std::int64_t producer, bool commit) {
  return protocol::build_txn_marker(
      {.timestamp = kNoon,
       .producer_id = base::ProducerId{producer},
       .producer_epoch = base::ProducerEpoch{3},
       .marker = {.type = commit ? protocol::ControlType::commit : protocol::ControlType::abort,
                  .coordinator_epoch = 1}});
}

}  // namespace

TEST_CASE("a load shows every record of every codec, what belongs to a transaction, and how that ended") {
  Bench bench;
  for (const auto codec : {protocol::Codec::none, protocol::Codec::gzip, protocol::Codec::snappy, protocol::Codec::lz4,
                           protocol::Codec::zstd})
    bench.append(batch_of({{fmt::format("{}", name(codec))}, kNoon, {.codec = codec}}));
  bench.append(batch_of({{"pending"},
                         kNoon,
                         {.producer_id = base::ProducerId{7},
                          .producer_epoch = base::ProducerEpoch{3},
                          .base_sequence = 0,
                          .transactional = true}}));
  bench.append(marker(7, true));
  bench.append(marker(8, false));
  const auto loaded = bench.load();
  REQUIRE(loaded);
  CHECK(loaded->records == 8);
  CHECK(bench.seen == std::vector<std::string>{"0: none", "1: gzip", "2: snappy", "3: lz4", "4: zstd",
                                               "5: pending of 7", "6: commit 7/3", "7: abort 8/3"});
}

TEST_CASE("a load reads on through chunks smaller than a batch, and segments, and sees what comes meanwhile") {
  Bench bench;
  bench.overrides[kGroups] = {{"segment.bytes", "300"}};
  bench.settings.set_topic_overrides(kGroups, {{"segment.bytes", "300"}});
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    if (i == 10) CHECK(bench.led->partition().with_log([](storage::Log& log) { REQUIRE(log.roll().ok()); }));
    bench.append(batch_of({{fmt::format("value {}", i)}}));
    expected.push_back(fmt::format("{}: value {}", i, i));
  }
  bool came = false;
  const auto plain = bench.visitor.record;
  bench.visitor.record = [&](const LoadedBatch& batch, const LoadedRecord& record) {
    plain(batch, record);
    if (!std::exchange(came, true)) bench.append(batch_of({{"late"}}));
  };
  expected.push_back("20: late");
  REQUIRE(bench.load(1));
  CHECK(bench.seen == expected);
}

TEST_CASE("an empty partition is loaded at once") {
  Bench bench;
  const auto loaded = bench.load();
  REQUIRE(loaded);
  CHECK(loaded->records == 0);
}

TEST_CASE("a load ends when its partition is resigned, or led under a new epoch") {
  Bench bench;
  for (int i = 0; i < 5; ++i) bench.append(batch_of({{"x"}}));
  SECTION("resigned") {
    bench.visitor.record = [&](const LoadedBatch&, const LoadedRecord&) { bench.led->resign(); };
  }
  SECTION("a new epoch, of which nobody has told yet") {
    bench.visitor.record = [&, done = false](const LoadedBatch&, const LoadedRecord&) mutable {
      if (!std::exchange(done, true)) bench.tell({.topic = kGroups, .leader_epoch = LeaderEpoch{1}});
    };
  }
  const auto loaded = bench.load(1);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == ErrorCode::not_leader_or_follower);
}

TEST_CASE("what cannot be read fails the load instead of being left out") {
  Bench bench;
  auto bad = batch_of({{"x"}});
  bad.bytes().back() ^= std::byte{1};
  bench.append(std::move(bad));
  const auto loaded = bench.load();
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == ErrorCode::corrupt_message);
  CHECK(bench.seen.empty());
}
