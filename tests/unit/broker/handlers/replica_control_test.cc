#include "broker/handlers/replica_control.h"

#include <catch2/catch.hpp>

#include <filesystem>

#include "replication/cluster/announcement_messages.h"
#include "tests/support/broker/handler_bench.h"

using namespace broker;
using namespace broker::test;
using base::BrokerId;
using base::ErrorCode;
using base::LeaderEpoch;
using test_support::kOther;
using test_support::kSelf;

namespace {

constexpr std::int64_t kBrokerEpoch = 40;

base::Uuid id_of(std::uint8_t x) {
  base::Uuid id;
  id.bytes[15] = x;
  return id;
}

struct Bench : HandlerBench {
  replication::Announcements calls() {
    return {
        .leader_and_isr = [this](const auto& request, const auto& done) { done(replicas->lead_or_follow(request)); },
        .stop_replica = [this](const auto& request, const auto& done) { done(replicas->stop(request)); },
        .update_metadata =
            [this](const auto& request, const auto& done) {
              if (replicas->is_stale(request.from.controller_epoch))
                return done({.code = ErrorCode::stale_controller_epoch});
              metadata.update([&](replication::ClusterMetadata& cluster) { cluster.apply(request); });
              done({});
            }};
  }
  static replication::FromController from(std::int64_t broker_epoch = kBrokerEpoch, std::int32_t controller_epoch = 5) {
    return {.controller = kOther, .controller_epoch = controller_epoch, .broker_epoch = broker_epoch};
  }
  replication::LeaderAndIsr told(const Told& what, const replication::FromController& sender = from()) {
    return {.from = sender, .partitions = {state(what)}};
  }
  protocol::LeaderAndIsrResponse ask_to_lead(const replication::LeaderAndIsr& request, std::int16_t version = 4) {
    return ask<protocol::LeaderAndIsrResponse>(
        [this](Request& in, AnswerSlot out) { control.leader_and_isr(in, std::move(out)); },
        replication::to_message(request, version, "PLAINTEXT"), version);
  }
  protocol::StopReplicaResponse ask_to_stop(const replication::StopReplica& request, std::int16_t version = 3) {
    return ask<protocol::StopReplicaResponse>(
        [this](Request& in, AnswerSlot out) { control.stop_replica(in, std::move(out)); },
        replication::to_messages(request, version).at(0), version);
  }
  ErrorCode ask_to_learn(const replication::UpdateMetadata& request, std::int16_t version = 6) {
    return ask<protocol::UpdateMetadataResponse>(
               [this](Request& in, AnswerSlot out) { control.update_metadata(in, std::move(out)); },
               replication::to_message(request, version), version)
        .error_code;
  }

  ReplicaControl control{calls(), [] { return kBrokerEpoch; }};
};

ErrorCode only_code(const protocol::LeaderAndIsrResponse& answer) {
  REQUIRE(answer.error_code == ErrorCode::none);
  REQUIRE(answer.partition_errors.size() == 1);
  return answer.partition_errors[0].error_code;
}

}  // namespace

TEST_CASE("a partition is led when the controller of another broker says so, at every version") {
  const auto version = static_cast<std::int16_t>(GENERATE(range(0, 8)));
  CAPTURE(version);
  Bench bench;
  auto request = bench.told({.topic_id = id_of(3)});
  const auto reply = replication::from_message(bench.ask_to_lead(request, version), request);
  CHECK(reply.code == ErrorCode::none);
  CHECK(reply.partitions.empty());
  CHECK(bench.table.find("orders", 0)->is_leader());
}

TEST_CASE("what is meant for an earlier life of this broker is refused, for each partition of LeaderAndIsr too") {
  Bench bench;
  const auto stale = Bench::from(kBrokerEpoch - 1);
  const auto led = bench.ask_to_lead(bench.told({}, stale));
  CHECK(led.error_code == ErrorCode::stale_broker_epoch);
  REQUIRE(led.partition_errors.size() == 1);
  CHECK(led.partition_errors[0].error_code == ErrorCode::stale_broker_epoch);
  CHECK(bench.table.find("orders", 0) == nullptr);

  const auto stopped = bench.ask_to_stop({.from = stale, .partitions = {{.partition = {"orders", 0}}}});
  CHECK(stopped.error_code == ErrorCode::stale_broker_epoch);
  CHECK(stopped.partition_errors.empty());

  CHECK(bench.ask_to_learn({.from = stale, .brokers = {Bench::broker(kOther)}}) == ErrorCode::stale_broker_epoch);
  CHECK(bench.metadata.snapshot()->brokers().empty());
}

TEST_CASE("a broker epoch that is unknown, or that the controller saw before us, is taken") {
  const auto epoch = GENERATE(std::int64_t{-1}, kBrokerEpoch, kBrokerEpoch + 1);
  Bench bench;
  CHECK(only_code(bench.ask_to_lead(bench.told({}, Bench::from(epoch)))) == ErrorCode::none);
  CHECK(bench.ask_to_learn({.from = Bench::from(epoch), .brokers = {Bench::broker(kOther)}}) == ErrorCode::none);
  CHECK(bench.metadata.snapshot()->find_broker(kOther));
}

TEST_CASE("a controller that was replaced is refused whatever it says") {
  Bench bench;
  REQUIRE(only_code(bench.ask_to_lead(bench.told({}))) == ErrorCode::none);
  const auto old = Bench::from(kBrokerEpoch, 4);
  const auto led = bench.ask_to_lead(bench.told({.leader_epoch = LeaderEpoch{9}}, old));
  CHECK(led.error_code == ErrorCode::stale_controller_epoch);
  REQUIRE(led.partition_errors.size() == 1);
  CHECK(led.partition_errors[0].error_code == ErrorCode::stale_controller_epoch);
  CHECK(bench.table.find("orders", 0)->leader_epoch() == LeaderEpoch{0});

  const auto stopped = bench.ask_to_stop({.from = old, .partitions = {{.partition = {"orders", 0}, .remove = true}}});
  CHECK(stopped.error_code == ErrorCode::stale_controller_epoch);
  CHECK(stopped.partition_errors.empty());
  CHECK(bench.table.find("orders", 0));

  CHECK(bench.ask_to_learn({.from = old, .brokers = {Bench::broker(kOther)}}) == ErrorCode::stale_controller_epoch);
  CHECK(bench.metadata.snapshot()->brokers().empty());
}

TEST_CASE("metadata of a newer controller fences the older one's leaderships") {
  Bench bench;
  REQUIRE(bench.ask_to_learn({.from = Bench::from(kBrokerEpoch, 6)}) == ErrorCode::none);
  CHECK(bench.ask_to_lead(bench.told({})).error_code == ErrorCode::stale_controller_epoch);
}

TEST_CASE("a leader epoch that is known, or over, changes nothing") {
  Bench bench;
  REQUIRE(only_code(bench.ask_to_lead(bench.told({.leader_epoch = LeaderEpoch{5}}))) == ErrorCode::none);
  const auto epoch = GENERATE(4, 5);
  const auto forged = bench.told({.leader_epoch = LeaderEpoch{epoch}, .leader = kOther, .replicas = {kSelf, kOther}});
  CHECK(only_code(bench.ask_to_lead(forged)) == ErrorCode::stale_controller_epoch);
  CHECK(bench.table.find("orders", 0)->is_leader());
}

TEST_CASE("forged leaderships are refused and leave no trace on the disk") {
  Bench bench;
  REQUIRE(only_code(bench.ask_to_lead(bench.told({.topic_id = id_of(1)}))) == ErrorCode::none);  // v4: without the id

  SECTION("of a partition that has no replica here") {
    CHECK(only_code(bench.ask_to_lead(bench.told({.partition = 1, .leader = kOther, .replicas = {kOther}}))) ==
          ErrorCode::unknown_topic_or_partition);
    CHECK(bench.table.find("orders", 1) == nullptr);
  }
  SECTION("of a topic whose name would be a path") {
    for (const std::string topic : {"../elsewhere", "a/b", "..", "", std::string(300, 'x').c_str()}) {
      CHECK(only_code(bench.ask_to_lead(bench.told({.topic = topic}))) == ErrorCode::invalid_topic_exception);
    }
    CHECK(only_code(bench.ask_to_lead(bench.told({.partition = -4}))) == ErrorCode::invalid_topic_exception);
    CHECK_FALSE(std::filesystem::exists(bench.root.file("elsewhere-0")));
  }
  SECTION("of a topic that was made anew under the same name") {
    REQUIRE(bench.ask_to_lead(bench.told({.leader_epoch = LeaderEpoch{1}, .topic_id = id_of(1)}), 5).error_code ==
            ErrorCode::none);
    const auto request = bench.told({.leader_epoch = LeaderEpoch{2}, .topic_id = id_of(2)});
    const auto reply = replication::from_message(bench.ask_to_lead(request, 5), request);
    REQUIRE(reply.partitions.size() == 1);
    CHECK(reply.partitions[0].code == ErrorCode::inconsistent_topic_id);
    CHECK(bench.table.find("orders", 0)->leader_epoch() == LeaderEpoch{1});
  }
}

TEST_CASE("replicas are stopped and deleted at every version") {
  const auto version = static_cast<std::int16_t>(GENERATE(range(0, 5)));
  CAPTURE(version);
  Bench bench;
  REQUIRE(only_code(bench.ask_to_lead(bench.told({.leader_epoch = LeaderEpoch{3}}))) == ErrorCode::none);
  const auto answer = bench.ask_to_stop(
      {.from = Bench::from(),
       .partitions = {{.partition = {"orders", 0}, .leader_epoch = replication::kEpochDuringDelete, .remove = true}}},
      version);
  CHECK(answer.error_code == ErrorCode::none);
  REQUIRE(answer.partition_errors.size() == 1);
  CHECK(answer.partition_errors[0].error_code == ErrorCode::none);
  CHECK(bench.table.find("orders", 0) == nullptr);
}

TEST_CASE("a replica that leads under a newer epoch is not stopped") {
  Bench bench;
  REQUIRE(only_code(bench.ask_to_lead(bench.told({.leader_epoch = LeaderEpoch{3}}))) == ErrorCode::none);
  const auto answer =
      bench.ask_to_stop({.from = Bench::from(),
                         .partitions = {{.partition = {"orders", 0}, .leader_epoch = LeaderEpoch{2}, .remove = true}}});
  REQUIRE(answer.partition_errors.size() == 1);
  CHECK(answer.partition_errors[0].error_code == ErrorCode::fenced_leader_epoch);
  CHECK(bench.table.find("orders", 0));
}

TEST_CASE("a body that is cut short closes the connection") {
  Bench bench;
  protocol::LeaderAndIsrRequest request;
  request.topic_states.resize(1);
  auto body = base::flatten(protocol::encode_body(4, request)).value();
  const auto awaited = std::make_shared<Awaited>();
  bench.run_on_loop([&] {
    Frame frame(body.bytes().first(body.size() - 3));
    Request cut({4, 4, 7, "c"}, bench.session, base::Instant{}, frame, 0, bench.budget);
    bench.control.leader_and_isr(cut, AnswerSlot(awaited, 0));
  });
  CHECK(awaited->get().kind == Answer::Kind::close);
}
