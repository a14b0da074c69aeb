#include "broker/handlers/log_dirs.h"

#include <catch2/catch.hpp>

#include <map>

#include "protocol/messages/alter_replica_log_dirs.h"
#include "protocol/messages/describe_log_dirs.h"
#include "tests/support/broker/handler_bench.h"

using namespace broker;
using namespace broker::test;
using base::ErrorCode;
using protocol::AlterReplicaLogDirsRequest;
using protocol::AlterReplicaLogDirsResponse;
using protocol::DescribeLogDirsRequest;
using protocol::DescribeLogDirsResponse;

namespace {

struct Bench : HandlerBench {
  Bench() : HandlerBench(2) {
    moves.start();
    replicas->use(moves);
  }
  ~Bench() { moves.stop(); }
  replication::LogMoves moves{*logs, clock, 1};

  DescribeLogDirsResponse describe(const DescribeLogDirsRequest& in = {}, std::int16_t version = 4) {
    return ask<DescribeLogDirsResponse>(DescribeLogDirsHandler(*dirs, table, moves, pool), in, version);
  }

  ErrorCode move(const std::string& path, const std::string& topic, std::int32_t partition, std::int16_t version = 2) {
    AlterReplicaLogDirsRequest in;
    in.dirs.push_back({path, {{topic, {partition}}}});
    const AlterReplicaLogDirsHandler handler({metadata, *dirs, table, *logs, moves, pool});
    const auto answer = ask<AlterReplicaLogDirsResponse>(handler, in, version);
    CHECK(answer.results.at(0).topic_name == topic);
    CHECK(answer.results[0].partitions.at(0).partition_index == partition);
    return answer.results[0].partitions[0].error_code;
  }
};

std::map<std::string, std::int64_t> sizes(const DescribeLogDirsResponse& response) {
  std::map<std::string, std::int64_t> out;
  for (const auto& directory : response.results)
    for (const auto& topic : directory.topics)
      for (const auto& partition : topic.partitions)
        out[topic.name + "-" + std::to_string(partition.partition_index)] = partition.partition_size;
  return out;
}

}  // namespace

TEST_CASE("log directories are described with their partitions and sizes, in every version") {
  for (std::int16_t version = 0; version <= 4; ++version) {
    Bench bench;
    auto partition = bench.announce({.partition = 0});
    bench.announce({.partition = 1});
    REQUIRE(test_support::append(*partition, {.values = {"a", "b"}}).ok());
    const auto answer = bench.describe({}, version);
    REQUIRE(answer.results.size() == 2);
    CHECK(answer.results[0].log_dir == bench.root.file("data0"));
    CHECK(answer.results[1].log_dir == bench.root.file("data1"));
    CHECK(sizes(answer)["orders-0"] > 60);
    CHECK(sizes(answer).at("orders-1") == 0);
    for (const auto& directory : answer.results) {
      CHECK(directory.error_code == ErrorCode::none);
      REQUIRE(directory.topics.size() == 1);  // one partition each
      CHECK(directory.topics[0].partitions[0].offset_lag == 0);
      CHECK_FALSE(directory.topics[0].partitions[0].is_future_key);
      CHECK((directory.total_bytes > 0) == (version >= 4));
      CHECK((directory.usable_bytes >= 0) == (version >= 4));
    }
  }
}

TEST_CASE("only the partitions asked for are described") {
  Bench bench;
  for (int p = 0; p < 4; ++p) bench.announce({.partition = p});
  CHECK(sizes(bench.describe()).size() == 4);
  DescribeLogDirsRequest in;
  in.topics = {{"orders", {1, 3, 9}}, {"nosuch", {0}}};
  CHECK(sizes(bench.describe(in)) == std::map<std::string, std::int64_t>{{"orders-1", 0}, {"orders-3", 0}});
  in.topics->clear();
  CHECK(sizes(bench.describe(in)).empty());
  CHECK(bench.describe(in).results.size() == 2);
}

TEST_CASE("a directory that is out of service is told as such") {
  Bench bench;
  bench.announce({.partition = 0});
  bench.dirs->all()[1]->retire(base::fail(ErrorCode::kafka_storage_error, "on purpose"));
  const auto answer = bench.describe();
  CHECK(answer.results[0].error_code == ErrorCode::none);
  CHECK(answer.results[1].error_code == ErrorCode::kafka_storage_error);
  CHECK(answer.results[1].topics.empty());
}

TEST_CASE("a move that cannot be is refused as Kafka does") {
  for (std::int16_t version = 0; version <= 2; ++version) {
    Bench bench;
    bench.announce({});
    bench.tell_metadata({.topic = "elsewhere", .leader = test_support::kOther, .replicas = {test_support::kOther}});
    const auto second = bench.root.file("data1");
    CHECK(bench.move("/nowhere", "orders", 0, version) == ErrorCode::log_dir_not_found);
    CHECK(bench.move("data1", "orders", 0, version) == ErrorCode::log_dir_not_found);
    CHECK(bench.move(second, "nosuch", 0, version) == ErrorCode::unknown_topic_or_partition);
    CHECK(bench.move(second, "orders", 7, version) == ErrorCode::unknown_topic_or_partition);
    CHECK(bench.move(second, "elsewhere", 0, version) == ErrorCode::not_leader_or_follower);
    CHECK(bench.move(bench.logs->directory_of({"orders", 0})->path() + "/", "orders", 0, version) == ErrorCode::none);
    bench.dirs->all()[1]->retire(base::fail(ErrorCode::kafka_storage_error, "on purpose"));
    CHECK(bench.move(second, "orders", 0, version) == ErrorCode::kafka_storage_error);
  }
}

TEST_CASE("a replica asked for moves, and is described in one place only when it has arrived") {
  Bench bench;
  auto partition = bench.announce({});
  REQUIRE(test_support::append(*partition, {.values = {"a"}}).ok());
  const auto from = bench.logs->directory_of({"orders", 0})->path();
  const auto to = bench.root.file(from.ends_with("0") ? "data1" : "data0");
  REQUIRE(bench.move(to, "orders", 0) == ErrorCode::none);
  for (int rounds = 0; partition->describe_log()->directory != to; ++rounds) REQUIRE(rounds < 10'000'000);
  for (int rounds = 0; !bench.moves.copies().empty(); ++rounds) REQUIRE(rounds < 10'000'000);
  std::size_t seen = 0;
  for (const auto& directory : bench.describe().results)
    for (const auto& topic : directory.topics) {
      CHECK(directory.log_dir == to);
      CHECK_FALSE(topic.partitions.at(0).is_future_key);
      seen += topic.partitions.size();
    }
  CHECK(seen == 1);
}
