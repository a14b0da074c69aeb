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
  // Another broker coordinates: what it says is left to the test.
  bool elsewhere = false;
  std::vector<base::TopicPartition> asked_elsewhere;
  std::function<void(std::vector<ErrorCode>)> say;

  VerifyTransaction verify() {
    return {.at_once = [this](const std::string& id, const Producer& producer,
                              const base::TopicPartition& partition) -> std::optional<ErrorCode> {
              CHECK(id == "t");
              CHECK(producer == kProducer);
              CHECK(partition.topic == "orders");
              if (elsewhere) return std::nullopt;
              return answers[std::min(asked++, answers.size() - 1)]();
            },
            .ask =
                [this](const std::string& id, const Producer& producer, std::vector<base::TopicPartition> partitions,
                       std::chrono::milliseconds timeout, std::function<void(std::vector<ErrorCode>)> done) {
                  CHECK(id == "t");
                  CHECK(producer == kProducer);
                  CHECK(timeout == std::chrono::seconds(10));
                  asked_elsewhere = std::move(partitions);
                  say = std::move(done);
                }};
  }
  ProduceHandler handler{{.clock = clock, .metadata = metadata, .partitions = table, .verify = verify()}};

  struct Batch {
    std::int32_t sequence = 0;
    bool transactional = true;
    base::PartitionIndex partition = 0;
    std::string value = "a";
  };
  std::shared_ptr<Awaited> begin(const std::vector<Batch>& batches, std::int16_t version = 11) {
    std::vector<base::Buffer> records;
    protocol::ProduceRequest request;
    request.transactional_id = "t";
    request.acks = -1;
    request.timeout_ms = 10'000;
    auto& topic = request.topic_data.emplace_back();
    topic.name = "orders";
    for (const auto& batch : batches) {
      records.push_back(batch_of({{batch.value},
                                  clock.wall(),
                                  {.producer_id = kProducer.id,
                                   .producer_epoch = kProducer.epoch,
                                   .base_sequence = batch.sequence,
                                   .transactional = batch.transactional}}));
      auto& partition = topic.partition_data.emplace_back();
      partition.index = batch.partition;
      partition.records.view = records.back().bytes();
    }
    return HandlerBench::send(handler, request, version);
  }
  static std::vector<protocol::ProduceResponse::Topic::Partition> answer_of(Awaited& awaited,
                                                                            std::int16_t version = 11) {
    return decode<protocol::ProduceResponse>(awaited.get(), version).responses.at(0).partition_responses;
  }
  protocol::ProduceResponse::Topic::Partition send(std::int32_t sequence, bool transactional = true,
                                                   std::int16_t version = 11) {
    return answer_of(*begin({{.sequence = sequence, .transactional = transactional}}, version), version).at(0);
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

TEST_CASE("a batch that begins a transaction waits for a coordinator elsewhere, and nothing is read behind it") {
  Bench bench;
  const auto partition = bench.announce({});
  bench.announce({.partition = 1});
  bench.elsewhere = true;
  const std::string value(20'000, 'v');
  const auto awaited = bench.begin({{.value = value}, {.partition = 1}, {.transactional = false, .partition = 1}});
  CHECK(bench.held_the_next);
  CHECK_FALSE(awaited->is_there());
  CHECK(bench.asked_elsewhere == std::vector<base::TopicPartition>{{"orders", 0}, {"orders", 1}});
  CHECK(partition->latest({.isolation = replication::Isolation::log_end}).value().offset == Offset{0});
  bench.say({ErrorCode::none, ErrorCode::transaction_abortable});
  const auto answers = Bench::answer_of(*awaited);
  CHECK(answers.at(0).error_code == ErrorCode::none);
  CHECK(answers.at(1).error_code == ErrorCode::transaction_abortable);
  CHECK(partition->latest({.isolation = replication::Isolation::log_end}).value().offset == Offset{1});

  const auto next = bench.begin({{.sequence = 1}});  // its transaction is open by now
  CHECK_FALSE(bench.held_the_next);
  CHECK(Bench::answer_of(*next).at(0).error_code == ErrorCode::none);
}

TEST_CASE("a coordinator elsewhere that cannot be asked makes the producer come again") {
  Bench bench;
  const auto partition = bench.announce({});
  bench.elsewhere = true;
  const auto code = GENERATE(ErrorCode::network_exception, ErrorCode::request_timed_out,
                             ErrorCode::coordinator_not_available, ErrorCode::coordinator_load_in_progress);
  const auto awaited = bench.begin({{}});
  bench.say({code});
  const auto answer = Bench::answer_of(*awaited).at(0);
  CHECK(answer.error_code == ErrorCode::not_enough_replicas);
  CHECK(answer.error_message.has_value());
  CHECK(partition->latest({.isolation = replication::Isolation::log_end}).value().offset == Offset{0});
}

TEST_CASE("a transaction that ends while a coordinator elsewhere is asked makes the producer come again") {
  Bench bench;
  const auto partition = bench.announce({});
  InternalLeadership leadership(bench.loop, bench.clock);
  MarkerWriter writer(bench.table, leadership, bench.loop, bench.clock);
  bench.elsewhere = true;
  const auto awaited = bench.begin({{}});
  writer.write({.producer = kProducer, .outcome = Outcome::abort}, {"orders", 0}, std::chrono::seconds(10),
               [](ErrorCode code) { CHECK(code == ErrorCode::none); });
  bench.say({ErrorCode::none});
  CHECK(Bench::answer_of(*awaited).at(0).error_code == ErrorCode::not_enough_replicas);
  CHECK(partition->latest({.isolation = replication::Isolation::last_stable}).value().offset == Offset{1});
}

TEST_CASE("nobody is asked about batches that are refused anyway") {
  Bench bench;
  bench.elsewhere = true;
  bench.tell_metadata({.leader = test_support::kOther});
  CHECK(bench.send(0).error_code == ErrorCode::not_leader_or_follower);
  CHECK(bench.asked_elsewhere.empty());
}
