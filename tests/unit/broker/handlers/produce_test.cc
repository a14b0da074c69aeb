#include "broker/handlers/produce.h"

#include <catch2/catch.hpp>

#include "protocol/messages/produce.h"
#include "tests/support/broker/handler_bench.h"
#include "tests/support/storage/batches.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::ErrorCode;
using base::Offset;
using protocol::ProduceRequest;
using protocol::ProduceResponse;

namespace {

constexpr std::int16_t kLatest = 11;

struct Bench : HandlerBench {
  ProduceHandler handler{{.clock = clock, .metadata = metadata, .partitions = table}};
};

struct Sent {
  base::Buffer records = batch_of({{"a"}});
  std::int32_t partition = 0;
  std::int16_t acks = -1;
  std::int32_t timeout_ms = 30'000;
  std::string topic = "orders";
};

// Borrows the records.
ProduceRequest produce(const Sent& sent) {
  ProduceRequest out;
  out.acks = sent.acks;
  out.timeout_ms = sent.timeout_ms;
  auto& topic = out.topic_data.emplace_back();
  topic.name = sent.topic;
  auto& one = topic.partition_data.emplace_back();
  one.index = sent.partition;
  one.records.view = sent.records.bytes();
  return out;
}

ProduceResponse::Topic::Partition only(const ProduceResponse& response) {
  REQUIRE(response.responses.size() == 1);
  REQUIRE(response.responses[0].partition_responses.size() == 1);
  return response.responses[0].partition_responses[0];
}

ProduceResponse::Topic::Partition ask(Bench& bench, const Sent& sent, std::int16_t version = kLatest) {
  return only(bench.ask<ProduceResponse>(bench.handler, produce(sent), version));
}

// A log that begins at offset 2.
std::shared_ptr<replication::Partition> begun_later(Bench& bench) {
  auto partition = bench.announce({});
  REQUIRE(append(*partition, {{"a", "b", "c"}}).ok());
  partition->stop();
  auto log = partition->release_log();
  REQUIRE(log->advance_log_start(Offset{2}).ok());
  bench.table.remove({"orders", 0});
  auto again = std::make_shared<replication::Partition>(kSelf, std::move(log), replication::PartitionSettings{});
  bench.table.put(again);
  REQUIRE(again->lead_or_follow(HandlerBench::state({.leader_epoch = base::LeaderEpoch{1}})).ok());
  return again;
}

}  // namespace

TEST_CASE("records get the next offsets and are there when they are acknowledged") {
  Bench bench;
  auto partition = bench.announce({});
  for (const std::int16_t version : {3, 8, 11})
    for (const std::int16_t acks : {1, -1}) {
      const auto end = partition->latest({})->offset;
      const auto answer = ask(bench, {.records = batch_of({{"x", "y"}}), .acks = acks}, version);
      CHECK(answer.error_code == ErrorCode::none);
      CHECK(answer.base_offset == end);
      CHECK(answer.log_append_time_ms == -1);
      CHECK(partition->latest({})->offset == end + 2);
    }
}

TEST_CASE("acks=0 has no answer, and closes the connection when it failed") {
  Bench bench;
  auto partition = bench.announce({});
  CHECK(bench.send(bench.handler, produce({.acks = 0}), kLatest)->get().kind == Answer::Kind::none);
  CHECK(partition->latest({})->offset == Offset{1});
  CHECK(bench.send(bench.handler, produce({.partition = 1, .acks = 0}), kLatest)->get().kind == Answer::Kind::close);
}

TEST_CASE("what cannot be taken is refused, partition by partition") {
  Bench bench;
  bench.announce({});
  bench.announce({.topic = "__consumer_offsets"});
  bench.tell_metadata({.topic = "elsewhere", .leader = kOther, .replicas = {kOther}});
  CHECK(ask(bench, {.partition = 3}).error_code == ErrorCode::unknown_topic_or_partition);
  CHECK(ask(bench, {.acks = 2}).error_code == ErrorCode::invalid_required_acks);
  CHECK(ask(bench, {.partition = 3, .acks = 2}).error_code == ErrorCode::unknown_topic_or_partition);
  CHECK(ask(bench, {.topic = "elsewhere"}).error_code == ErrorCode::not_leader_or_follower);
  CHECK(ask(bench, {.topic = "__consumer_offsets"}).error_code == ErrorCode::invalid_topic_exception);
  bench.session.client_id = "__admin_client";
  CHECK(ask(bench, {.topic = "__consumer_offsets"}).error_code == ErrorCode::none);
  const auto refused = ask(bench, {.records = base::Buffer()});
  CHECK(refused.error_code == ErrorCode::invalid_record);
  CHECK(refused.base_offset == base::kNoOffset);
}

TEST_CASE("a refusal from inside the log tells where the log starts, one of the request's shape does not") {
  Bench bench;
  begun_later(bench);
  CHECK(ask(bench, {}).log_start_offset == Offset{2});

  const auto misplaced = ask(bench, {.records = batch_of({{"x"}, kNoon, {.base_offset = Offset{5}}})});
  CHECK(misplaced.error_code == ErrorCode::invalid_record);
  CHECK(misplaced.log_start_offset == Offset{2});
  protocol::BatchSpec gap{
      .producer_id = base::ProducerId{4}, .producer_epoch = base::ProducerEpoch{0}, .base_sequence = 0};
  REQUIRE(ask(bench, {.records = batch_of({{"x"}, kNoon, gap})}).error_code == ErrorCode::none);
  gap.base_sequence = 7;
  const auto out_of_order = ask(bench, {.records = batch_of({{"x"}, kNoon, gap})});
  CHECK(out_of_order.error_code == ErrorCode::out_of_order_sequence_number);
  CHECK(out_of_order.log_start_offset == Offset{2});

  auto broken = batch_of({{"x"}});
  broken.bytes().back() ^= std::byte{1};
  const auto corrupt = ask(bench, {.records = std::move(broken)});
  CHECK(corrupt.error_code == ErrorCode::corrupt_message);
  CHECK(corrupt.log_start_offset == base::kNoOffset);
  auto two = batch_of({{"x"}});
  two.append(batch_of({{"y"}}).bytes());
  const auto shape = ask(bench, {.records = std::move(two)});
  CHECK(shape.error_code == ErrorCode::invalid_record);
  CHECK(shape.log_start_offset == base::kNoOffset);
}

TEST_CASE("a transactional batch without a transactional id refuses the whole request") {
  Bench bench;
  auto partition = bench.announce({});
  const protocol::BatchSpec transactional{.producer_id = base::ProducerId{4},
                                          .producer_epoch = base::ProducerEpoch{0},
                                          .base_sequence = 0,
                                          .transactional = true};
  Sent plain;
  Sent bad{.records = batch_of({{"x"}, kNoon, transactional}), .partition = 1};
  auto both = produce(plain);
  both.topic_data.push_back(produce(bad).topic_data[0]);
  const auto answer = bench.ask<ProduceResponse>(bench.handler, both, kLatest);
  for (const auto& topic : answer.responses)
    CHECK(topic.partition_responses[0].error_code == ErrorCode::transactional_id_authorization_failed);
  CHECK(answer.responses[1].partition_responses[0].index == 1);
  CHECK(partition->latest({})->offset == Offset{0});
}

TEST_CASE("rejected records are named from version 8 on") {
  Bench bench;
  bench.overrides["orders"] = {{"message.timestamp.after.max.ms", "1000"}};
  bench.announce({});
  const auto late = base::timestamp_from_ms(base::to_ms(kNoon) + 5000);
  const auto answer = ask(bench, {.records = batch_of({{"x"}, late})}, 8);
  CHECK(answer.error_code == ErrorCode::invalid_timestamp);
  CHECK(answer.error_message == "One or more records have been rejected due to invalid timestamp");
  REQUIRE(answer.record_errors.size() == 1);
  CHECK(answer.record_errors[0].batch_index == 0);
  CHECK(ask(bench, {.records = batch_of({{"x"}, late})}, 7).record_errors.empty());
}

TEST_CASE("acks=all waits for the other replicas, and says so when they do not come in time") {
  Bench bench;
  const HandlerBench::Told shared{.replicas = {kSelf, kOther}};
  auto partition = bench.announce(shared);
  auto patient = bench.send(bench.handler, produce({}), kLatest);
  CHECK(partition->waiting() == 1);
  CHECK_FALSE(patient->is_there());
  const auto late = ask(bench, {.timeout_ms = 5});
  CHECK(late.error_code == ErrorCode::request_timed_out);
  CHECK(late.base_offset == base::kNoOffset);
  CHECK(partition->waiting() == 1);

  auto alone = shared;
  alone.leader_epoch = base::LeaderEpoch{1};
  alone.isr = {kSelf};
  CHECK(bench.tell(alone).partitions.empty());
  const auto done = only(bench.decode<ProduceResponse>(patient->get(), kLatest));
  CHECK(done.error_code == ErrorCode::none);
  CHECK(done.base_offset == Offset{0});
  CHECK(partition->waiting() == 0);
}

TEST_CASE("acks=all is told when the leader goes, and keeps nothing waiting") {
  Bench bench;
  auto partition = bench.announce({.replicas = {kSelf, kOther}});
  auto waiting = bench.send(bench.handler, produce({}), kLatest);
  bench.stop_replica({.partition = {"orders", 0}, .remove = true});
  CHECK(only(bench.decode<ProduceResponse>(waiting->get(), kLatest)).error_code == ErrorCode::not_leader_or_follower);
  CHECK(partition->waiting() == 0);
}

TEST_CASE("from version 10 on a producer at the wrong broker is told the right one") {
  Bench bench;
  bench.brokers.push_back(HandlerBench::broker(kOther));
  bench.tell_metadata({.leader_epoch = base::LeaderEpoch{3}, .leader = kOther, .replicas = {kOther}});
  const auto answer = bench.ask<ProduceResponse>(bench.handler, produce({}), 10);
  REQUIRE(only(answer).current_leader);
  CHECK(only(answer).current_leader->leader_id == kOther);
  REQUIRE(answer.node_endpoints);
  CHECK(answer.node_endpoints->at(0).host == "host2");
  CHECK_FALSE(ask(bench, {}, 9).current_leader);
}

TEST_CASE(
    "a topic that is flushed before it is acknowledged: the answer comes with the flush, however long that takes") {
  storage::testing::LogBench disk;
  Bench bench;
  bench.announce({});
  disk.settings.flush_messages = 1;
  disk.settings.index.interval_bytes = 4096;
  REQUIRE(disk.create().ok());
  replication::PartitionSettings settings;
  settings.log = disk.settings;
  auto flushing = std::make_shared<replication::Partition>(kSelf, std::move(disk.log), settings);
  bench.table.put(flushing);
  REQUIRE(flushing->lead_or_follow(HandlerBench::state({})).ok());

  const std::int16_t acks = GENERATE(1, -1);
  auto first = bench.send(bench.handler, produce({.acks = acks, .timeout_ms = 0}), kLatest);
  auto second = bench.send(bench.handler, produce({.acks = acks}), kLatest);
  CHECK(bench.send(bench.handler, produce({.acks = 0}), kLatest)->get().kind == Answer::Kind::none);
  CHECK_FALSE(first->is_there());
  REQUIRE(disk.background.size() == 1);
  const bool fails = GENERATE(false, true);
  if (fails) disk.files.fail_paths_with(".log");
  disk.run_background();
  disk.run_background();
  const auto expected = fails ? ErrorCode::kafka_storage_error : ErrorCode::none;
  CHECK(only(bench.decode<ProduceResponse>(first->get(), kLatest)).error_code == expected);
  const auto last = only(bench.decode<ProduceResponse>(second->get(), kLatest));
  CHECK(last.error_code == expected);
  CHECK(last.base_offset == (fails ? base::kNoOffset : Offset{1}));
  CHECK(flushing->waiting() == 0);
  bench.table.remove({"orders", 0});
}
