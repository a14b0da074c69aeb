#include <catch2/catch.hpp>

#include "broker/handlers/produce.h"
#include "protocol/messages/produce.h"
#include "tests/support/broker/transaction_bench.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::ErrorCode;
using base::Offset;
using base::ProducerEpoch;
using base::ProducerId;

namespace {

constexpr Producer kProducer{ProducerId{5}, ProducerEpoch{0}};

struct Bench : HandlerBench {
  // What the coordinator answers; asked once per entry, the last one for ever.
  std::vector<std::function<ErrorCode()>> answers{[] { return ErrorCode::none; }};
  std::size_t asked = 0;
  ProduceHandler handler{
      clock, metadata, table,
      [this](const std::string& id, const Producer& producer, const base::TopicPartition& partition) {
        CHECK(id == "t");
        CHECK(producer == kProducer);
        CHECK(partition == base::TopicPartition{"orders", 0});
        return answers[std::min(asked++, answers.size() - 1)]();
      }};

  protocol::ProduceResponse::Topic::Partition send(std::int32_t sequence, bool transactional = true,
                                                   std::int16_t version = 11) {
    auto records = batch_of({{"a"},
                             clock.wall(),
                             {.producer_id = kProducer.id,
                              .producer_epoch = kProducer.epoch,
                              .base_sequence = sequence,
                              .transactional = transactional}});
    protocol::ProduceRequest request;
    request.transactional_id = "t";
    request.acks = -1;
    request.timeout_ms = 10'000;
    auto& topic = request.topic_data.emplace_back();
    topic.name = "orders";
    topic.partition_data.emplace_back().records.view = records.bytes();
    return ask<protocol::ProduceResponse>(handler, request, version).responses.at(0).partition_responses.at(0);
  }
};

}  // namespace

TEST_CASE("the coordinator is asked about the batch that begins a transaction in a partition, and not about the next") {
  Bench bench;
  bench.announce({});
  CHECK(bench.send(0).error_code == ErrorCode::none);
  CHECK(bench.send(1).error_code == ErrorCode::none);
  CHECK(bench.asked == 1);
}

TEST_CASE("nobody is asked about batches outside of transactions") {
  Bench bench;
  bench.announce({});
  CHECK(bench.send(0, false).error_code == ErrorCode::none);
  CHECK(bench.asked == 0);
}

TEST_CASE("what the coordinator says is told in words the version knows, and nothing is appended") {
  Bench bench;
  const auto partition = bench.announce({});
  const std::vector<std::tuple<ErrorCode, std::int16_t, ErrorCode>> cases{
      {ErrorCode::transaction_abortable, 11, ErrorCode::transaction_abortable},
      {ErrorCode::transaction_abortable, 10, ErrorCode::invalid_txn_state},
      {ErrorCode::producer_fenced, 11, ErrorCode::invalid_producer_epoch},
      {ErrorCode::invalid_producer_id_mapping, 11, ErrorCode::invalid_producer_id_mapping},
      {ErrorCode::concurrent_transactions, 11, ErrorCode::not_enough_replicas},
      {ErrorCode::not_coordinator, 11, ErrorCode::not_enough_replicas},
      {ErrorCode::coordinator_load_in_progress, 11, ErrorCode::not_enough_replicas}};
  for (const auto& [said, version, told] : cases) {
    bench.answers = {[code = said] { return code; }};
    const auto answer = bench.send(0, true, version);
    CHECK(answer.error_code == told);
    CHECK(answer.base_offset == base::kNoOffset);
    CHECK(answer.error_message.has_value() == (told == ErrorCode::not_enough_replicas));
  }
  CHECK(partition->latest({.isolation = replication::Isolation::log_end}).value().offset == Offset{0});
}

TEST_CASE("a transaction that ends while the coordinator is asked is asked about again") {
  Bench bench;
  const auto partition = bench.announce({});
  InternalLeadership leadership(bench.loop, bench.clock);
  MarkerWriter writer(bench.table, leadership, bench.loop, bench.clock);
  bench.answers = {[&] {
                     writer.write({.producer = kProducer, .outcome = Outcome::abort}, {"orders", 0},
                                  std::chrono::seconds(10), [](ErrorCode code) { CHECK(code == ErrorCode::none); });
                     return ErrorCode::none;  // what was true before the marker
                   },
                   [] { return ErrorCode::transaction_abortable; }};
  CHECK(bench.send(0).error_code == ErrorCode::transaction_abortable);
  CHECK(bench.asked == 2);
  CHECK(partition->latest({.isolation = replication::Isolation::last_stable}).value().offset == Offset{1});
}
