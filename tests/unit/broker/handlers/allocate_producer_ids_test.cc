#include "broker/handlers/allocate_producer_ids.h"

#include <catch2/catch.hpp>

#include "protocol/messages/allocate_producer_ids.h"
#include "tests/support/broker/lone_controller.h"

using namespace broker;
using namespace broker::test;
using base::ErrorCode;
using protocol::AllocateProducerIdsRequest;
using protocol::AllocateProducerIdsResponse;
using test_support::kOther;
using test_support::kSelf;

namespace {

struct Bench : HandlerBench {
  LoneController lone;
  replication::Controller idle{{.broker = kOther}, lone.embedded, lone.loop, clock, random, metadata, {}};

  AllocateProducerIdsResponse ask_for_ids(const replication::Controller& controller, base::BrokerId broker,
                                          std::int64_t epoch) {
    const AllocateProducerIdsHandler handler(controller, lone.metadata(), [this](base::BrokerId id) {
      return replication::stored_producer_ids(id, lone.embedded, lone.loop);
    });
    AllocateProducerIdsRequest request;
    request.broker_id = broker;
    request.broker_epoch = epoch;
    return ask<AllocateProducerIdsResponse>(handler, request, 0);
  }
  std::int64_t epoch() { return lone.metadata().snapshot()->find_broker(kSelf)->epoch; }
};

}  // namespace

TEST_CASE("the controller gives every broker that is alive blocks of its own") {
  Bench bench;
  for (const std::int64_t start : {0, 1000}) {
    const auto answer = bench.ask_for_ids(bench.lone.controller(), kSelf, bench.epoch());
    CHECK(answer.error_code == ErrorCode::none);
    CHECK(answer.producer_id_start == start);
    CHECK(answer.producer_id_len == 1000);
  }
}

TEST_CASE("blocks are refused to who is not alive, to earlier lives, and by who is not the controller") {
  Bench bench;
  const auto& controller = bench.lone.controller();
  CHECK(bench.ask_for_ids(controller, kOther, 1).error_code == ErrorCode::broker_id_not_registered);
  CHECK(bench.ask_for_ids(controller, kSelf, bench.epoch() - 1).error_code == ErrorCode::stale_broker_epoch);
  CHECK(bench.ask_for_ids(bench.idle, kSelf, bench.epoch()).error_code == ErrorCode::not_controller);
}
