#include "replication/partition/replica_selector.h"

#include <catch2/catch.hpp>

using namespace replication;
using base::BrokerId;
using base::Offset;

namespace {

base::Instant at(int seconds) { return base::Instant{std::chrono::seconds(seconds)}; }

}  // namespace

TEST_CASE("a consumer reads in its rack, from the leader if it is there, else from who holds most and did so last") {
  std::vector<ReadableReplica> replicas = {
      {.id = BrokerId{2}, .log_end = Offset{9}, .last_caught_up = at(1), .rack = "b"},
      {.id = BrokerId{3}, .log_end = Offset{8}, .last_caught_up = at(5), .rack = "b"},
      {.id = BrokerId{4}, .log_end = Offset{10}, .last_caught_up = at(5), .rack = "c"},
      {.id = BrokerId{1}, .leads = true, .log_end = Offset{10}, .rack = "a"},
  };
  CHECK(preferred_replica(replicas, "b") == BrokerId{2});
  CHECK(preferred_replica(replicas, "c") == BrokerId{4});
  CHECK(preferred_replica(replicas, "a") == std::nullopt);
  CHECK(preferred_replica(replicas, "d") == std::nullopt);
  CHECK(preferred_replica(replicas, "") == std::nullopt);
  CHECK(preferred_replica({}, "a") == std::nullopt);
  replicas[1].log_end = Offset{9};
  CHECK(preferred_replica(replicas, "b") == BrokerId{3});
  replicas[0].last_caught_up = at(5);
  CHECK(preferred_replica(replicas, "b") == BrokerId{3});
  replicas[3].rack = std::string("b");
  CHECK(preferred_replica(replicas, "b") == std::nullopt);
  replicas[3].rack = std::nullopt;
  replicas[1].rack = std::nullopt;  // not alive
  CHECK(preferred_replica(replicas, "b") == BrokerId{2});
}
