#include "broker/peers/allocated_ids.h"

#include <catch2/catch.hpp>

#include "protocol/messages/allocate_producer_ids.h"
#include "tests/support/broker/transaction_bench.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::ErrorCode;
using protocol::AllocateProducerIdsRequest;
using protocol::AllocateProducerIdsResponse;

namespace {

struct Bench : TransactionBench {
  Bench() { controller_is(kOther); }
  void controller_is(base::BrokerId id) {
    brokers = {broker(kSelf), broker(kOther)};
    metadata.update([&](replication::ClusterMetadata& cluster) {
      cluster.apply({.from = {.controller = id}, .brokers = brokers});
    });
  }
  void controller_gives(std::int64_t start, std::int32_t count, ErrorCode code = ErrorCode::none) {
    peers.serve<AllocateProducerIdsRequest, AllocateProducerIdsResponse>(
        kOther, [=, this](const AllocateProducerIdsRequest& request, std::int16_t) {
          CHECK(request.broker_id == kSelf);
          CHECK(request.broker_epoch == 77);
          ++asked;
          AllocateProducerIdsResponse out;
          out.error_code = code;
          out.producer_id_start = start;
          out.producer_id_len = count;
          return out;
        });
  }
  base::Result<base::ProducerId> next() {
    auto later = std::make_shared<Later<base::Result<base::ProducerId>>>();
    allocated.next([later](const base::Result<base::ProducerId>& id) { later->set(id); });
    return later->get();
  }

  std::atomic<int> asked{0};
  replication::ProducerIds allocated{
      allocated_producer_ids(kSelf, others, metadata, replication::stored_producer_ids(kSelf, lone.embedded, lone.loop),
                             [] { return 77; }),
      ErrorCode::coordinator_load_in_progress};
};

}  // namespace

TEST_CASE("producer ids come from the controller's blocks") {
  Bench bench;
  bench.controller_gives(5000, 1000);
  CHECK(bench.next().value() == base::ProducerId{5000});
  CHECK(bench.next().value() == base::ProducerId{5001});
  CHECK(bench.asked == 1);
}

TEST_CASE("the controller takes its blocks itself") {
  Bench bench;
  bench.controller_is(kSelf);
  CHECK(bench.next().value() == base::ProducerId{0});
  CHECK(bench.asked == 0);
}

TEST_CASE("while the controller gives nothing, or nonsense, clients are told to come again") {
  Bench bench;
  SECTION("it is not there") {}
  SECTION("it is none any more") { bench.controller_gives(0, 0, ErrorCode::not_controller); }
  SECTION("it takes us for an earlier life") { bench.controller_gives(0, 0, ErrorCode::stale_broker_epoch); }
  SECTION("it gives an empty block") { bench.controller_gives(5, 0); }
  SECTION("it gives less than nothing") { bench.controller_gives(-5, 1000); }
  CHECK(bench.next().error().code == ErrorCode::coordinator_load_in_progress);
  bench.controller_gives(1000, 1000);
  CHECK(bench.next().value() == base::ProducerId{1000});
}
