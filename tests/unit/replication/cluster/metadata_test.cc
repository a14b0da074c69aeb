#include "replication/cluster/metadata.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

#include "base/random.h"

using namespace replication;
using base::BrokerId;

namespace {

PartitionState state(std::string topic, base::PartitionIndex partition, std::int32_t leader) {
  PartitionState state{.topic = std::move(topic), .partition = partition, .leader = BrokerId{leader}};
  state.replicas = state.isr = {BrokerId{leader}};
  return state;
}

base::Uuid id_of(std::uint8_t x) {
  base::Uuid id;
  id.bytes[15] = x;
  return id;
}

}  // namespace

TEST_CASE("announced partitions are merged and announced brokers replace the list") {
  ClusterMetadata metadata;
  auto first = state("a", 0, 1);
  first.topic_id = id_of(7);
  metadata.apply({.from = {.controller = BrokerId{1}, .controller_epoch = 4},
                  .partitions = {first, state("b", 1, 1)},
                  .brokers = {{.id = BrokerId{2}}, {.id = BrokerId{1}}}});
  CHECK(metadata.controller() == BrokerId{1});
  CHECK(metadata.brokers().front().id == BrokerId{1});
  CHECK(metadata.find_topic("a")->id == id_of(7));
  CHECK(metadata.find_topic(id_of(7))->name == "a");
  CHECK(metadata.find_topic("c") == nullptr);
  CHECK(metadata.find_partition("b", 0) == nullptr);
  CHECK(metadata.find_partition("b", 1)->leader == BrokerId{1});
  CHECK(metadata.find_partition("b", -1) == nullptr);

  metadata.apply({.partitions = {state("b", 0, 2)}, .brokers = {{.id = BrokerId{2}}}});
  CHECK(metadata.find_broker(BrokerId{1}) == nullptr);
  CHECK(metadata.find_partition("b", 0)->leader == BrokerId{2});
  CHECK(metadata.find_partition("b", 1)->leader == BrokerId{1});
  CHECK(metadata.topic_names() == std::vector<std::string>{"a", "b"});

  metadata.apply({.partitions = {state("b", 0, -2)}});
  CHECK(metadata.find_partition("b", 0) == nullptr);
  CHECK(metadata.find_partition("b", 1) != nullptr);
  metadata.apply({.partitions = {state("b", 1, -2), state("a", 0, -2)}});
  CHECK(metadata.topic_count() == 0);
  CHECK(metadata.find_topic(id_of(7)) == nullptr);
}

TEST_CASE("a published picture never changes, and unchanged topics are shared with the next") {
  MetadataCache cache;
  cache.update([](ClusterMetadata& metadata) {
    UpdateMetadata all;
    for (int i = 0; i < 10000; ++i) all.partitions.push_back(state("topic-" + std::to_string(i), 0, 1));
    metadata.apply(all);
  });
  const auto before = cache.snapshot();
  cache.update([](ClusterMetadata& metadata) { metadata.apply({.partitions = {state("topic-77", 0, 2)}}); });
  const auto after = cache.snapshot();
  CHECK(before->find_partition("topic-77", 0)->leader == BrokerId{1});
  CHECK(after->find_partition("topic-77", 0)->leader == BrokerId{2});
  CHECK(before->find_topic("topic-78") == after->find_topic("topic-78"));
  CHECK(after->topic_count() == 10000);
}

TEST_CASE("the picture equals a plain map after any series of announcements") {
  base::SeededRandom random(11);
  ClusterMetadata metadata;
  std::map<std::pair<std::string, int>, int> model;
  std::vector<ClusterMetadata> published;
  for (int round = 0; round < 3000; ++round) {
    UpdateMetadata update;
    for (auto n = random.below(4) + 1; n > 0; --n) {
      const std::string topic = "t" + std::to_string(random.below(40));
      const int partition = static_cast<int>(random.below(5));
      const int leader = random.below(3) == 0 ? -2 : static_cast<int>(random.below(9));
      auto one = state(topic, partition, leader);
      one.topic_id = id_of(static_cast<std::uint8_t>(std::stoi(topic.substr(1)) + 1));
      update.partitions.push_back(one);
      if (leader == -2)
        model.erase({topic, partition});
      else
        model[{topic, partition}] = leader;
    }
    if (round % 7 == 0) published.push_back(metadata);  // keeps shards shared
    if (published.size() > 3) published.erase(published.begin());
    metadata.apply(update);
  }
  std::map<std::pair<std::string, int>, int> found;
  metadata.for_each_topic([&](const ClusterMetadata::Topic& topic) {
    CHECK(metadata.find_topic(topic->id) == topic);
    for (const auto& partition : topic->partitions) found[{topic->name, partition.index}] = partition.leader.raw;
  });
  CHECK(found == model);
}

TEST_CASE("readers on other threads always see a whole picture") {
  MetadataCache cache;
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0};
  std::thread reader([&] {
    while (!stop) {
      const auto seen = cache.snapshot();
      const auto a = seen->find_topic("a");
      const auto b = seen->find_topic("b");
      if ((a == nullptr) != (b == nullptr) || (a && a->partitions[0].leader != b->partitions[0].leader)) ++torn;
    }
  });
  for (int i = 0; i < 2000; ++i)
    cache.update([&](ClusterMetadata& metadata) {
      metadata.apply({.partitions = {state("a", 0, i), state("b", 0, i)}});
    });
  stop = true;
  reader.join();
  CHECK(torn == 0);
}

TEST_CASE("configuration of a topic stays through announcements") {
  ClusterMetadata metadata;
  metadata.apply({.partitions = {state("a", 0, 1)}});
  metadata.set_topic_config("a", {{"retention.ms", "1"}});
  metadata.set_topic_config("unknown", {{"retention.ms", "1"}});
  metadata.apply({.partitions = {state("a", 1, 1)}});
  CHECK(metadata.find_topic("a")->config.at("retention.ms") == "1");
  CHECK(metadata.topic_count() == 1);
}
