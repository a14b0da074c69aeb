#include "broker/transaction/remote_markers.h"

#include <catch2/catch.hpp>

#include "tests/support/broker/transaction_bench.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::BrokerId;
using base::ErrorCode;
using base::ProducerEpoch;
using base::ProducerId;
using protocol::WriteTxnMarkersRequest;
using protocol::WriteTxnMarkersResponse;

namespace {

constexpr BrokerId kThird{3};

WriteTxnMarkersResponse answer_all(const WriteTxnMarkersRequest& request, ErrorCode code = ErrorCode::none) {
  WriteTxnMarkersResponse out;
  for (const auto& marker : request.markers) {
    auto& to = out.markers.emplace_back();
    to.producer_id = marker.producer_id;
    for (const auto& topic : marker.topics) {
      auto& topic_to = to.topics.emplace_back();
      topic_to.name = topic.name;
      for (const auto partition : topic.partition_indexes) topic_to.partitions.push_back({partition, code});
    }
  }
  return out;
}

// "5/0 commit by 2: orders-0 orders-1 bills-0"
std::string text_of(const WriteTxnMarkersRequest::Marker& marker) {
  auto text = fmt::format("{}/{} {} by {}:", marker.producer_id, marker.producer_epoch,
                          marker.transaction_result ? "commit" : "abort", marker.coordinator_epoch);
  for (const auto& topic : marker.topics)
    for (const auto partition : topic.partition_indexes) text += fmt::format(" {}-{}", topic.name, partition);
  return text;
}

struct Bench : TransactionBench {
  Bench() {
    brokers = {broker(kSelf), broker(kOther), broker(kThird)};
    lead_state_topic();
  }
  void led_by(const std::string& topic, BrokerId leader, base::PartitionIndex partition = 0) {
    tell_metadata({.topic = topic, .partition = partition, .leader = leader, .replicas = {leader}});
  }
  // From now on that broker answers so, and what it is asked is kept.
  void answers(
      BrokerId broker, std::function<std::optional<WriteTxnMarkersResponse>(const WriteTxnMarkersRequest&)> how =
                           [](const auto& request) { return answer_all(request); }) {
    peers.serve<WriteTxnMarkersRequest, WriteTxnMarkersResponse>(
        broker, [this, how = std::move(how)](const WriteTxnMarkersRequest& request, std::int16_t) {
          asked.push_back({});
          for (const auto& marker : request.markers) asked.back().push_back(text_of(marker));
          return how(request);
        });
  }
  Producer begun(const std::string& id, const std::set<base::TopicPartition>& partitions) {
    const auto producer = init(id).value();
    REQUIRE(add(id, producer, partitions) == ErrorCode::none);
    return producer;
  }
  std::vector<std::vector<std::string>> requests() {
    std::vector<std::vector<std::string>> now;
    on_coordinators([&] { now = asked; });
    return now;
  }

  std::vector<std::vector<std::string>> asked;  // a word per marker, a list per request; on the coordinators' loop
};

TransactionEnd end_of(std::int64_t id, Outcome outcome = Outcome::commit) {
  return {.producer = {ProducerId{id}, ProducerEpoch{0}}, .outcome = outcome, .coordinator_epoch = 2};
}

}  // namespace

TEST_CASE("a transaction ends in the partitions that other brokers lead too") {
  Bench bench;
  bench.led_by("orders", kOther);
  bench.led_by("bills", kThird);
  bench.answers(kOther);
  bench.answers(kThird);
  const auto here = bench.announce({.topic = "here"});
  const auto producer = bench.begun("t", {{"orders", 0}, {"bills", 0}, {"here", 0}});
  CHECK(bench.end("t", producer, Outcome::commit) == ErrorCode::none);
  CHECK(bench.reaches("t", TxnStatus::complete_commit));
  const auto asked = bench.requests();
  REQUIRE(asked.size() == 2);
  CHECK(asked[0].size() == 1);
  CHECK(asked[0][0].starts_with(fmt::format("{}/{} commit by 0:", producer.id, producer.epoch)));
  CHECK(bench.words_of(*here) ==
        std::vector<std::string>{fmt::format("commit {}/{} by 0", producer.id, producer.epoch)});
}

TEST_CASE("markers for one broker share a request; a producer's next end waits for the first") {
  Bench bench;
  bench.answers(kOther);
  std::atomic<int> done{0};
  const auto settle = [&](ErrorCode code) { done += code == ErrorCode::none; };
  bench.on_coordinators([&] {
    const std::chrono::seconds timeout(10);
    bench.remote.write(kOther, end_of(5), {"orders", 0}, timeout, settle);
    bench.remote.write(kOther, end_of(5), {"orders", 1}, timeout, settle);
    bench.remote.write(kOther, end_of(6, Outcome::abort), {"orders", 0}, timeout, settle);
    bench.remote.write(kOther, end_of(5, Outcome::abort), {"orders", 0}, timeout, settle);
    CHECK(done == 0);
  });
  REQUIRE(broker::test::eventually([&] { return done == 4; }));
  CHECK(bench.requests() ==
        std::vector<std::vector<std::string>>{{"5/0 commit by 2: orders-0 orders-1", "6/0 abort by 2: orders-0"},
                                              {"5/0 abort by 2: orders-0"}});
}

TEST_CASE("what comes while a request is on its way goes with the next one, all of it") {
  Bench bench;
  std::atomic<int> done{0};
  const auto settle = [&](ErrorCode) { ++done; };
  bench.answers(kOther, [&](const WriteTxnMarkersRequest& request) {
    if (bench.asked.size() == 1)
      for (int i = 0; i < 50; ++i)
        bench.remote.write(kOther, end_of(100 + i), {"orders", 0}, std::chrono::seconds(10), settle);
    return answer_all(request);
  });
  bench.on_coordinators([&] {
    bench.remote.write(kOther, end_of(5), {"orders", 0}, std::chrono::seconds(10), settle);
  });
  REQUIRE(broker::test::eventually([&] { return done == 51; }));
  const auto asked = bench.requests();
  REQUIRE(asked.size() == 2);
  CHECK(asked[1].size() == 50);
}

TEST_CASE("a leader that cannot be reached is asked again, and then whoever leads next") {
  Bench bench;
  bench.led_by("orders", kOther);
  const auto producer = bench.begun("t", {{"orders", 0}});
  std::atomic<int> tries{0};
  bench.answers(kOther, [&](const WriteTxnMarkersRequest&) -> std::optional<WriteTxnMarkersResponse> {
    ++tries;
    return std::nullopt;
  });
  CHECK(bench.end("t", producer, Outcome::abort) == ErrorCode::none);
  REQUIRE(broker::test::eventually([&] { return tries >= 2; }));
  CHECK(bench.coordinator.describe("t").value().status == TxnStatus::prepare_abort);
  bench.answers(kThird);
  bench.led_by("orders", kThird);
  CHECK(bench.reaches("t", TxnStatus::complete_abort));
}

TEST_CASE("a partition that its leader says nothing about is asked for again") {
  Bench bench;
  bench.led_by("orders", kOther);
  const auto producer = bench.begun("t", {{"orders", 0}});
  std::atomic<int> tries{0};
  bench.answers(kOther, [&](const WriteTxnMarkersRequest& request) {
    return ++tries == 1 ? WriteTxnMarkersResponse{} : answer_all(request);
  });
  CHECK(bench.end("t", producer, Outcome::commit) == ErrorCode::none);
  CHECK(bench.reaches("t", TxnStatus::complete_commit));
  CHECK(tries == 2);
}

TEST_CASE("a broker that nobody knows is asked nothing") {
  Bench bench;
  std::optional<ErrorCode> code;
  bench.on_coordinators([&] {
    bench.remote.write(BrokerId{9}, end_of(5), {"orders", 0}, std::chrono::seconds(10),
                       [&](ErrorCode outcome) { code = outcome; });
  });
  REQUIRE(broker::test::eventually([&] {
    bool told = false;
    bench.on_coordinators([&] { told = code.has_value(); });
    return told;
  }));
  CHECK(code == ErrorCode::network_exception);
  CHECK(bench.peers.connected().empty());
}

TEST_CASE("a broker that moved is connected anew, one that stayed is not") {
  Bench bench;
  bench.answers(kOther);
  std::atomic<int> done{0};
  const auto write = [&] {
    const int before = done;
    bench.on_coordinators([&] {
      bench.remote.write(kOther, end_of(5), {"orders", 0}, std::chrono::seconds(10), [&](ErrorCode) { ++done; });
    });
    REQUIRE(broker::test::eventually([&] { return done > before; }));
  };
  write();
  write();
  CHECK(bench.peers.connected().size() == 1);
  bench.brokers[1].endpoints[0].port = 9999;
  bench.led_by("orders", kOther);
  write();
  REQUIRE(bench.peers.connected().size() == 2);
  CHECK(bench.peers.connected()[1].endpoint.port == 9999);
}
