#include "broker/internal_topics/leadership.h"

#include <catch2/catch.hpp>

#include "broker/internal_topics/names.h"
#include "tests/support/broker/handler_bench.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::LeaderEpoch;

namespace {

const std::string kGroups(kGroupsTopic);

struct Bench : HandlerBench {
  Bench() {
    leadership.use_for_groups({
        .became_leader = [this](const auto& led) { note("lead", led); },
        .resigned =
            [this](const auto& led) {
              CHECK(led->resigned());
              note("resigned", led);
            },
        .transaction_ended =
            [this](base::PartitionIndex partition, base::ProducerId producer, bool commit) {
              seen.push_back(fmt::format("ended {} {} {}", partition, producer, commit));
            },
    });
    replicas->on_leadership([this](const replication::LeadershipNews& news) { leadership.learn(news); });
  }
  void note(std::string_view what, const std::shared_ptr<LedPartition>& led) {
    seen.push_back(fmt::format("{} {}@{}", what, led->index(), led->epoch()));
  }
  std::vector<std::string> told() {
    run_on_loop([] {});
    return std::exchange(seen, {});
  }

  InternalLeadership leadership{loop, clock};
  std::vector<std::string> seen;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("the coordinator hears of partitions it leads and no longer leads, in order") {
  Bench bench;
  bench.tell({.topic = kGroups, .partition = 3});
  bench.tell({.topic = kGroups, .partition = 4, .leader = kOther, .replicas = {kSelf, kOther}});
  CHECK(bench.told() == Lines{"lead 3@0"});
  bench.tell({.topic = kGroups, .partition = 3, .leader_epoch = LeaderEpoch{1}, .leader = kOther});
  bench.tell({.topic = kGroups, .partition = 3, .leader_epoch = LeaderEpoch{2}});
  CHECK(bench.told() == Lines{"resigned 3@0", "lead 3@2"});
}

TEST_CASE("a new epoch is a new leadership even without another leader in between") {
  Bench bench;
  bench.tell({.topic = kGroups});
  bench.tell({.topic = kGroups, .leader_epoch = LeaderEpoch{5}});
  CHECK(bench.told() == Lines{"lead 0@0", "resigned 0@0", "lead 0@5"});
}

TEST_CASE("what is said twice is heard once") {
  Bench bench;
  bench.tell({.topic = kGroups});
  bench.tell({.topic = kGroups});
  bench.tell({.topic = kGroups, .topic_id = base::Uuid{{1}}});
  CHECK(bench.told() == Lines{"lead 0@0"});
}

TEST_CASE("a topic that is deleted and made anew is led anew, at any epoch") {
  Bench bench;
  bench.tell({.topic = kGroups});
  bench.stop_replica({.partition = {kGroups, 0}, .remove = true});
  bench.tell({.topic = kGroups});
  CHECK(bench.told() == Lines{"lead 0@0", "resigned 0@0", "lead 0@0"});
}

TEST_CASE("nobody hears of other topics, or of topics without a coordinator") {
  Bench bench;
  bench.tell({});
  bench.tell({.topic = std::string(kTransactionsTopic)});
  bench.leadership.transaction_ended({"orders", 0}, base::ProducerId{1}, true);
  CHECK(bench.told().empty());
}

TEST_CASE("the group coordinator hears how a transaction ended that wrote to its partition") {
  Bench bench;
  bench.leadership.transaction_ended({kGroups, 7}, base::ProducerId{11}, true);
  CHECK(bench.told() == Lines{"ended 7 11 true"});
}

TEST_CASE("a stop resigns everything and lets nothing in any more") {
  Bench bench;
  bench.tell({.topic = kGroups});
  bench.leadership.stop();
  bench.tell({.topic = kGroups, .partition = 1});
  CHECK(bench.told() == Lines{"lead 0@0", "resigned 0@0"});
}
