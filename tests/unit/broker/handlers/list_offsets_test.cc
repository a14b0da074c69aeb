#include "broker/handlers/list_offsets.h"

#include <catch2/catch.hpp>

#include "broker/handlers/offset_for_epoch.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "tests/support/broker/handler_bench.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;
using protocol::ListOffsetsRequest;
using protocol::ListOffsetsResponse;

namespace {

constexpr std::int16_t kLatest = 9;

struct Bench : HandlerBench {
  ListOffsetsHandler handler{metadata, table, reads};
};

struct At {
  std::int64_t time = -1;
  std::int32_t partition = 0;
  std::int32_t most = 1;
};

ListOffsetsRequest list(const std::vector<At>& wanted) {
  ListOffsetsRequest out;
  auto& topic = out.topics.emplace_back();
  topic.name = "orders";
  for (const auto& at : wanted) {
    auto& one = topic.partitions.emplace_back();
    one.partition_index = at.partition;
    one.timestamp = at.time;
    one.max_num_offsets = at.most;
  }
  return out;
}

ListOffsetsResponse::Topic::Partition ask(Bench& bench, const At& at, std::int16_t version = kLatest) {
  return bench.ask<ListOffsetsResponse>(bench.handler, list({at}), version).topics.at(0).partitions.at(0);
}

}  // namespace

TEST_CASE("special times and times are answered, each in the versions that know it") {
  Bench bench;
  auto partition = bench.announce({.leader_epoch = LeaderEpoch{2}});
  REQUIRE(append(*partition, {{"a", "b"}}).ok());
  REQUIRE(append(*partition, {{"c"}, kNoon - std::chrono::seconds(1)}).ok());
  CHECK(ask(bench, {-1}).offset == Offset{3});
  CHECK(ask(bench, {-1}).timestamp == -1);
  CHECK(ask(bench, {-1}).leader_epoch == LeaderEpoch{2});
  CHECK(ask(bench, {-2}).offset == Offset{0});
  CHECK(ask(bench, {-3}, 7).offset == Offset{0});
  CHECK(ask(bench, {-3}, 6).error_code == ErrorCode::unsupported_version);
  CHECK(ask(bench, {-4}, 8).offset == Offset{0});
  CHECK(ask(bench, {-4}, 7).error_code == ErrorCode::unsupported_version);
  CHECK(ask(bench, {-5}, 9).offset == base::kNoOffset);
  CHECK(ask(bench, {-5}, 8).error_code == ErrorCode::unsupported_version);
  CHECK(ask(bench, {-6}).error_code == ErrorCode::unsupported_version);
  CHECK(ask(bench, {base::to_ms(kNoon)}, 1).offset == Offset{0});
  const auto none = ask(bench, {base::to_ms(kNoon) + 1});
  CHECK(none.error_code == ErrorCode::none);
  CHECK(none.offset == base::kNoOffset);
  CHECK(none.timestamp == -1);
  CHECK(ask(bench, {.time = -1, .most = 5}, 0).old_style_offsets == std::vector<Offset>{Offset{3}, Offset{0}});
}

TEST_CASE("a partition named twice is refused each time, the others are answered") {
  Bench bench;
  bench.announce({});
  bench.announce({.partition = 1});
  const auto answer =
      bench.ask<ListOffsetsResponse>(bench.handler, list({{-1}, {.partition = 1}, {-2}, {.partition = 5}}), kLatest);
  const auto& partitions = answer.topics.at(0).partitions;
  REQUIRE(partitions.size() == 4);
  CHECK(partitions[0].error_code == ErrorCode::invalid_request);
  CHECK(partitions[1].error_code == ErrorCode::none);
  CHECK(partitions[2].error_code == ErrorCode::invalid_request);
  CHECK(partitions[3].error_code == ErrorCode::unknown_topic_or_partition);
}

TEST_CASE("a leader that has not caught up with its own epoch has no latest offset, in the words of the version") {
  Bench bench;
  const HandlerBench::Told shared{.replicas = {kSelf, kOther}};
  auto partition = bench.announce(shared);
  REQUIRE(append(*partition, {{"a"}}).ok());
  auto next = shared;
  next.leader_epoch = LeaderEpoch{1};
  CHECK(bench.tell(next).partitions.empty());
  CHECK(ask(bench, {-1}, 5).error_code == ErrorCode::offset_not_available);
  CHECK(ask(bench, {-1}, 4).error_code == ErrorCode::leader_not_available);
  auto debugging = list({{-1}});
  debugging.replica_id = base::BrokerId{-2};
  CHECK(bench.ask<ListOffsetsResponse>(bench.handler, debugging, 5).topics.at(0).partitions.at(0).offset == Offset{1});
}

TEST_CASE("where a leader epoch ends is told to those who ask the leader") {
  Bench bench;
  auto partition = bench.announce({});
  REQUIRE(append(*partition, {{"a", "b"}}).ok());
  bench.tell_metadata({.topic = "elsewhere", .leader = kOther, .replicas = {kOther}});
  OffsetForEpochHandler handler(bench.metadata, bench.table);
  const auto end = [&](const std::string& topic, int index, int epoch) {
    protocol::OffsetForLeaderEpochRequest request;
    request.topics.emplace_back().topic = topic;
    auto& one = request.topics[0].partitions.emplace_back();
    one.partition = index;
    one.leader_epoch = LeaderEpoch{epoch};
    return bench.ask<protocol::OffsetForLeaderEpochResponse>(handler, request, 4).topics.at(0).partitions.at(0);
  };
  CHECK(end("orders", 0, 0).end_offset == Offset{2});
  CHECK(end("orders", 0, 0).leader_epoch == LeaderEpoch{0});
  CHECK(end("orders", 0, 3).end_offset == base::kNoOffset);
  CHECK(end("orders", 0, 3).leader_epoch == base::kNoLeaderEpoch);
  CHECK(end("orders", 0, 3).error_code == ErrorCode::none);
  CHECK(end("orders", 1, 0).error_code == ErrorCode::unknown_topic_or_partition);
  CHECK(end("elsewhere", 0, 0).error_code == ErrorCode::not_leader_or_follower);
}

TEST_CASE("too many look-ups by time that wait for the disk: clients are told to ask again, and nobody else is") {
  Bench bench;
  auto partition = bench.announce({});
  REQUIRE(append(*partition, {{"a"}}).ok());
  absl::Notification disk;
  REQUIRE(bench.reads.submit([&] { disk.WaitForNotification(); }));
  std::vector<std::shared_ptr<Awaited>> waiting;
  for (int i = 0; i < 2; ++i) waiting.push_back(bench.send(bench.handler, list({{0}}), kLatest));
  CHECK(bench.reads.waiting() == 2);
  CHECK(ask(bench, {0}).error_code == ErrorCode::offset_not_available);
  CHECK(ask(bench, {0}, 4).error_code == ErrorCode::leader_not_available);
  CHECK(ask(bench, {-1}).offset == Offset{1});
  CHECK(bench.reads.waiting() == 2);
  disk.Notify();
  for (const auto& one : waiting)
    CHECK(bench.decode<ListOffsetsResponse>(one->get(), kLatest).topics.at(0).partitions.at(0).offset == Offset{0});
  CHECK(ask(bench, {0}).offset == Offset{0});
}
