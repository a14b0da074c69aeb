// A broker (1) whose replicas follow others through real fetchers; the test plays the leaders, moves the clock and runs
// the loop.
#pragma once

#include <catch2/catch.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "replication/follower/fetcher_manager.h"
#include "tests/support/replication/hand_loop.h"
#include "tests/support/replication/hand_network.h"
#include "tests/support/replication/replica_bench.h"

namespace test_support {

inline constexpr base::BrokerId kThird{3};

// A batch as a leader has it.
inline base::Buffer led_batch(base::Offset at, base::LeaderEpoch epoch, std::vector<std::string> values) {
  auto bytes = batch_of({std::move(values)});
  protocol::Batch::parse(bytes.bytes()).value()->stamp(at, epoch);
  return bytes;
}

inline base::Uuid topic_id(std::uint8_t number) {
  base::Uuid id;
  id.bytes[0] = number;
  return id;
}

struct FetchBench : ReplicaBench {
  explicit FetchBench(std::string_view release = "3.9") {
    settings_of.self = kSelf;
    settings_of.versions = replication::PeerVersions::of(*config::find_protocol_version(release));
    settings_of.truncates_on_fetch =
        *config::find_protocol_version(release) >= *config::find_protocol_version("2.7-IV1");
    for (const auto broker : {kOther, kThird}) alive[broker] = address(broker, 9092);
    make_manager();
  }
  ~FetchBench() {
    manager->stop();
    run();
  }
  void make_manager() {
    manager = std::make_unique<replication::FetcherManager>(
        settings_of,
        replication::FetcherServices{
            .network = network, .pool = disk, .clock = clock, .throttle = throttle, .broker_epoch = [] { return 77; }},
        std::vector<base::Loop*>{&loop}, [this](base::BrokerId broker) -> std::optional<replication::PeerAddress> {
          const auto found = alive.find(broker);
          return found == alive.end() ? std::nullopt : std::optional(found->second);
        });
    replicas->use(*manager);
  }
  static replication::PeerAddress address(base::BrokerId broker, std::int32_t port) {
    return {.id = broker, .endpoint = {.host = "b" + std::to_string(broker.raw), .port = port}};
  }

  // Everything that is due.
  void run() {
    while (loop.step() || disk.step()) continue;
  }
  void advance(std::chrono::milliseconds by) {
    run();
    clock.advance(by);
    run();
  }

  struct Following {
    std::string topic = "orders";
    base::PartitionIndex partition = 0;
    int epoch = 5;
    base::BrokerId leader = kOther;
    std::uint8_t id = 1;  // 0: none
  };
  std::shared_ptr<replication::Partition> follow(const Following& what) {
    auto partition = lead(told(what));
    run();
    return partition;
  }
  static Told told(const Following& what) {
    return {.topic = what.topic,
            .partition = what.partition,
            .leader_epoch = base::LeaderEpoch{what.epoch},
            .leader = what.leader,
            .replicas = {kSelf, kOther, kThird},
            .topic_id = topic_id(what.id)};
  }
  // Without fetching.
  void fill(replication::Partition& partition, const std::vector<int>& epochs, std::int64_t high_watermark = 0) {
    for (const int epoch : epochs) {
      const auto at = partition.follower_position().value();
      const auto records = led_batch(at.log_end, base::LeaderEpoch{epoch}, {"v"});
      REQUIRE(partition
                  .append_from_leader({.fetched_under = at.leader_epoch,
                                       .fetched_from = at.log_end,
                                       .records = records.bytes(),
                                       .high_watermark = base::Offset{high_watermark},
                                       .log_start = base::Offset{0}},
                                      replication::Partition::MayWait::yes)
                  .ok());
    }
  }

  HandNetwork::Question question() {
    auto next = network.take();
    REQUIRE(next);
    return std::move(*next);
  }
  using Request = protocol::FetchRequest;
  using Asked = std::pair<HandNetwork::Question, Request>;
  Asked fetch() {
    auto next = question();
    auto request = next.as<Request>();
    return {std::move(next), std::move(request)};
  }
  static std::size_t count(const Request& request) {
    std::size_t sum = 0;
    for (const auto& topic : request.topics) sum += topic.partitions.size();
    return sum;
  }
  static std::size_t count_forgotten(const Request& request) {
    std::size_t sum = 0;
    for (const auto& topic : request.forgotten_topics_data) sum += topic.partitions.size();
    return sum;
  }

  struct Part {
    std::string topic = "orders";
    std::uint8_t id = 1;
    base::PartitionIndex partition = 0;
    base::ErrorCode error = base::ErrorCode::none;
    std::int64_t high_watermark = 0;
    std::int64_t log_start = 0;
    std::span<const std::byte> records{};
    std::optional<std::pair<int, int>> diverging{};
  };
  static protocol::FetchResponse response(const std::vector<Part>& parts, std::int32_t session = 7) {
    protocol::FetchResponse out;
    out.session_id = session;
    for (const auto& part : parts) {
      protocol::FetchResponse::Topic topic;
      topic.topic = part.topic;
      topic.topic_id = topic_id(part.id);
      protocol::FetchResponse::Topic::Partition partition;
      partition.partition_index = part.partition;
      partition.error_code = part.error;
      partition.high_watermark = base::Offset{part.high_watermark};
      partition.log_start_offset = base::Offset{part.log_start};
      partition.records.view = part.records;
      if (part.diverging)
        partition.diverging_epoch.emplace(protocol::FetchResponse::Topic::Partition::DivergingEpoch{
            base::LeaderEpoch{part.diverging->first}, base::Offset{part.diverging->second}});
      topic.partitions.push_back(std::move(partition));
      out.responses.push_back(std::move(topic));
    }
    return out;
  }
  void answer(const HandNetwork::Question& to, const std::vector<Part>& parts, std::int32_t session = 7) {
    to.answer(response(parts, session));
    run();
  }

  HandNetwork network;
  HandLoop loop{clock};
  HandPool disk;
  replication::ReplicationThrottle throttle{clock};
  std::map<base::BrokerId, replication::PeerAddress> alive;
  replication::FetcherSettings settings_of;
  std::unique_ptr<replication::FetcherManager> manager;
};

}  // namespace test_support
