#include "replication/controller/placement.h"

#include <catch2/catch.hpp>

#include <set>

using namespace replication;
using base::BrokerId;

namespace {

std::vector<PlacementBroker> brokers(int count, int racks = 0) {
  std::vector<PlacementBroker> out;
  for (int i = 0; i < count; ++i) {
    PlacementBroker broker{.id = BrokerId{i}};
    if (racks) broker.rack = "rack" + std::to_string(i % racks);
    out.push_back(broker);
  }
  return out;
}

std::string text(const ReplicaLists& lists) {
  std::string out;
  for (const auto& [partition, replicas] : lists) {
    out += (out.empty() ? "" : " ") + std::to_string(partition) + ":";
    for (const auto id : replicas) out += std::to_string(id.raw);
  }
  return out;
}

}  // namespace

TEST_CASE("followers shift by one more each time the leaders have gone round") {
  // The table in Kafka's own description of the rule: 5 brokers, 10 partitions, 3 replicas, start and shift 0.
  base::SeededRandom random(1);
  const auto placed =
      place_replicas({.partitions = 10, .replication_factor = 3, .start = BrokerId{0}}, brokers(5), random);
  CHECK(text(placed.value()) == "0:012 1:123 2:234 3:340 4:401 5:023 6:134 7:240 8:301 9:412");
}

TEST_CASE("an expansion goes on where the topic began") {
  base::SeededRandom random(1);
  const auto placed =
      place_replicas({.partitions = 2, .replication_factor = 2, .first = 3, .start = BrokerId{1}}, brokers(3), random);
  // Partition p is led by (p + 1) mod 3; the shift begins at 1 and grows at 3.
  CHECK(text(placed.value()) == "3:12 4:20");
}

TEST_CASE("whatever the numbers, replicas are distinct, leaders balanced and racks spread") {
  base::SeededRandom random(20260102);
  for (int round = 0; round < 2000; ++round) {
    const int n = 1 + static_cast<int>(random.below(12));
    const int racks = random.below(2) ? 1 + static_cast<int>(random.below(static_cast<std::uint64_t>(n))) : 0;
    const int factor = 1 + static_cast<int>(random.below(static_cast<std::uint64_t>(n)));
    const int count = 1 + static_cast<int>(random.below(60));
    const auto all = brokers(n, racks);
    const auto placed = place_replicas({.partitions = count, .replication_factor = factor}, all, random);
    REQUIRE(placed.ok());
    REQUIRE(placed->size() == static_cast<std::size_t>(count));
    std::map<BrokerId, int> led;
    for (const auto& [partition, replicas] : *placed) {
      ++led[replicas.front()];
      CHECK(std::set<BrokerId>(replicas.begin(), replicas.end()).size() == static_cast<std::size_t>(factor));
      if (racks) {
        std::set<std::string> used;
        for (const auto id : replicas) used.insert(*all[static_cast<std::size_t>(id.raw)].rack);
        CHECK(used.size() == static_cast<std::size_t>(std::min(factor, racks)));
      }
    }
    for (const auto& broker : all) CHECK(led[broker.id] <= (count + n - 1) / n);
  }
}

TEST_CASE("placements that cannot be are refused in Kafka's words") {
  base::SeededRandom random(1);
  const auto why = [&](PlacementRequest request, std::vector<PlacementBroker> all) {
    auto placed = place_replicas(request, std::move(all), random);
    return placed.ok() ? std::string("placed") : placed.error().detail;
  };
  CHECK(why({.partitions = 0}, brokers(1)) == "Number of partitions must be larger than 0.");
  CHECK(why({.replication_factor = 0}, brokers(1)) == "Replication factor must be larger than 0.");
  CHECK(why({.replication_factor = 2}, brokers(1)) == "Replication factor: 2 larger than available brokers: 1.");
  CHECK(why({}, {}) == "Replication factor: 1 larger than available brokers: 0.");
  auto some = brokers(2);
  some[0].rack = "r";
  CHECK(why({}, some).starts_with("Not all brokers have rack information"));
}
