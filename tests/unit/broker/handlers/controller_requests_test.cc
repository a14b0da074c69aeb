#include "broker/handlers/controller_requests.h"

#include <catch2/catch.hpp>

#include "broker/handlers/topics.h"
#include "protocol/messages/alter_partition.h"
#include "protocol/messages/controlled_shutdown.h"
#include "protocol/messages/create_topics.h"
#include "tests/support/broker/lone_controller.h"

using namespace broker;
using namespace broker::test;
using base::BrokerId;
using base::ErrorCode;
using protocol::AlterPartitionRequest;
using protocol::AlterPartitionResponse;
using protocol::ControlledShutdownRequest;
using protocol::ControlledShutdownResponse;
using test_support::kSelf;

namespace {

struct Bench : HandlerBench {
  base::Uuid make_topic(const std::string& name) {
    protocol::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = 1;
    topic.replication_factor = 1;
    return ask<protocol::CreateTopicsResponse>(create, request, 7).topics.at(0).topic_id;
  }
  std::int64_t epoch() { return lone.member->membership.epoch(); }
  AlterPartitionResponse alter_partition(base::Uuid id, std::vector<BrokerId> isr, std::int16_t version) {
    AlterPartitionRequest request;
    request.broker_id = kSelf;
    request.broker_epoch = epoch();
    auto& topic = request.topics.emplace_back();
    topic.topic_id = id;
    topic.topic_name = "t";
    AlterPartitionRequest::Topic::Partition partition;
    partition.leader_epoch = base::LeaderEpoch{0};
    partition.new_isr = isr;
    for (const auto broker : isr) partition.new_isr_with_epochs.push_back({broker, -1});
    topic.partitions.push_back(partition);
    return ask<AlterPartitionResponse>(alter, request, version);
  }

  LoneController lone;
  CreateTopicsHandler create{settings, lone.controller()};
  ControlledShutdownHandler shut_down{lone.controller()};
  AlterPartitionHandler alter{lone.controller()};
};

}  // namespace

TEST_CASE("a leader that asks for the set it has is told so, by name and by id") {
  Bench bench;
  const auto id = bench.make_topic("t");
  for (const std::int16_t version : {0, 1, 2, 3}) {
    const auto out = bench.alter_partition(id, {kSelf}, version);
    CHECK(out.error_code == ErrorCode::none);
    REQUIRE(out.topics.size() == 1);
    if (version >= 2)
      CHECK(out.topics[0].topic_id == id);
    else
      CHECK(out.topics[0].topic_name == "t");
    const auto& partition = out.topics[0].partitions.at(0);
    CHECK(partition.error_code == ErrorCode::none);
    CHECK(partition.leader_id == kSelf);
    CHECK(partition.leader_epoch == base::LeaderEpoch{0});
    CHECK(partition.isr == std::vector{kSelf});
    CHECK(partition.partition_epoch == 0);
  }
  const auto unknown = bench.alter_partition(base::Uuid{{1}}, {kSelf}, 3);
  CHECK(unknown.topics.at(0).partitions.at(0).error_code == ErrorCode::unknown_topic_id);
}

TEST_CASE("a life of a broker that is over, or never was, is refused") {
  Bench bench;
  bench.make_topic("t");
  AlterPartitionRequest stale;
  stale.broker_id = kSelf;
  stale.broker_epoch = bench.epoch() - 1;
  const auto refused = bench.ask<AlterPartitionResponse>(bench.alter, stale, 1);
  CHECK(refused.error_code == ErrorCode::stale_broker_epoch);
  CHECK(refused.topics.empty());

  ControlledShutdownRequest stopping;
  stopping.broker_id = kSelf;
  stopping.broker_epoch = bench.epoch() - 1;
  CHECK(bench.ask<ControlledShutdownResponse>(bench.shut_down, stopping, 3).error_code ==
        ErrorCode::stale_broker_epoch);
  stopping.broker_id = BrokerId{77};
  CHECK(bench.ask<ControlledShutdownResponse>(bench.shut_down, stopping, 3).error_code ==
        ErrorCode::unknown_server_error);
}

TEST_CASE("a broker alone has nobody to hand over to and may stop at once") {
  Bench bench;
  bench.make_topic("t");
  ControlledShutdownRequest stopping;
  stopping.broker_id = kSelf;
  stopping.broker_epoch = bench.epoch();
  for (const std::int16_t version : {0, 3}) {
    const auto out = bench.ask<ControlledShutdownResponse>(bench.shut_down, stopping, version);
    CHECK(out.error_code == ErrorCode::none);
    CHECK(out.remaining_partitions.empty());
  }
}

TEST_CASE("a broker that is not the controller says so to other brokers") {
  Bench bench;
  bench.lone.controller().stop();
  CHECK(bench.ask<ControlledShutdownResponse>(bench.shut_down, ControlledShutdownRequest{}, 3).error_code ==
        ErrorCode::not_controller);
  CHECK(bench.ask<AlterPartitionResponse>(bench.alter, AlterPartitionRequest{}, 3).error_code ==
        ErrorCode::not_controller);
}
