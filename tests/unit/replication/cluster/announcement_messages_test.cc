#include "replication/cluster/announcement_messages.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <tuple>

#include "protocol/codec.h"

using namespace replication;
using base::BrokerId;
using base::ErrorCode;
using base::LeaderEpoch;

namespace {

base::Uuid id_of(std::uint8_t x) {
  base::Uuid id;
  id.bytes[15] = x;
  return id;
}

std::vector<BrokerId> brokers(std::initializer_list<std::int32_t> ids) {
  std::vector<BrokerId> out;
  for (const auto id : ids) out.emplace_back(id);
  return out;
}

const FromController kFrom{.controller = BrokerId{3}, .controller_epoch = 9, .broker_epoch = 1234567890123};

// Two topics, named in turns.
std::vector<PartitionState> states() {
  std::vector<PartitionState> out;
  for (std::int32_t i = 0; i < 4; ++i)
    out.push_back({.topic = i % 2 == 0 ? "a" : "b",
                   .topic_id = i % 2 == 0 ? id_of(1) : id_of(2),
                   .partition = i / 2,
                   .controller_epoch = 7 + i,
                   .leader = BrokerId{i - 1},
                   .leader_epoch = LeaderEpoch{20 + i},
                   .isr = brokers({1, 2}),
                   .partition_epoch = 30 + i,
                   .replicas = brokers({1, 2, 3})});
  return out;
}

LiveBroker live_broker() {
  return {.id = BrokerId{1},
          .endpoints = {{.listener = "PLAINTEXT", .security_protocol = "PLAINTEXT", .host = "h1", .port = 9092},
                        {.listener = "OUTSIDE", .security_protocol = "SASL_SSL", .host = "h1.example", .port = 9093}},
          .rack = "r1"};
}

template <class M>
M through_bytes(const M& message, std::int16_t version) {
  const auto body = base::flatten(protocol::encode_body(version, message));
  M out;
  REQUIRE(protocol::decode(body->bytes(), version, out).ok());
  return out;
}

auto by_place(std::vector<PartitionState> states) {
  std::ranges::sort(states, [](const auto& a, const auto& b) {
    return std::tie(a.topic, a.partition) < std::tie(b.topic, b.partition);
  });
  return states;
}

}  // namespace

TEST_CASE("LeaderAndIsr arrives as it was sent, as far as its version can say it") {
  const auto version = static_cast<std::int16_t>(GENERATE(range(0, 8)));
  CAPTURE(version);
  LeaderAndIsr sent{.from = kFrom, .partitions = states(), .leaders = {live_broker()}};
  for (auto& state : sent.partitions) {
    state.adding = brokers({3});
    state.removing = brokers({1});
    state.is_new = state.partition == 0;
    state.recovering = state.partition == 1;
  }
  const auto got = from_message(through_bytes(to_message(sent, version, "OUTSIDE"), version));

  CHECK(got.from.controller == kFrom.controller);
  CHECK(got.from.controller_epoch == kFrom.controller_epoch);
  CHECK(got.from.broker_epoch == (version < 2 ? -1 : kFrom.broker_epoch));
  auto expected = sent.partitions;
  for (auto& state : expected) {
    if (version < 1) state.is_new = false;
    if (version < 3) state.adding = state.removing = {};
    if (version < 5) state.topic_id = {};
    if (version < 6) state.recovering = false;
  }
  CHECK(by_place(got.partitions) == by_place(expected));
  REQUIRE(got.leaders.size() == 1);
  CHECK(got.leaders[0].id == BrokerId{1});
  CHECK(got.leaders[0].endpoints == std::vector<Endpoint>{{.host = "h1.example", .port = 9093}});
}

TEST_CASE("a leader that has no endpoint for brokers is not named in LeaderAndIsr") {
  const LeaderAndIsr sent{.from = kFrom, .partitions = states(), .leaders = {live_broker()}};
  CHECK(to_message(sent, 4, "INSIDE").live_leaders.empty());
}

TEST_CASE("the answer to LeaderAndIsr names every partition, and only failures are taken from it") {
  const auto version = static_cast<std::int16_t>(GENERATE(range(0, 8)));
  CAPTURE(version);
  const LeaderAndIsr asked{.from = kFrom, .partitions = states()};
  const AnnouncementReply reply{.partitions = {{{"a", 1}, ErrorCode::kafka_storage_error}}};
  const auto message = through_bytes(to_message(reply, asked, version), version);
  std::size_t named = message.partition_errors.size();
  for (const auto& topic : message.topics) named += topic.partition_errors.size();
  CHECK(named == 4);
  const auto got = from_message(message, asked);
  CHECK(got.code == ErrorCode::none);
  REQUIRE(got.partitions.size() == 1);
  CHECK(got.partitions[0].partition == base::TopicPartition{"a", 1});
  CHECK(got.partitions[0].code == ErrorCode::kafka_storage_error);

  const auto stale = through_bytes(to_message({.code = ErrorCode::stale_broker_epoch}, asked, version), version);
  CHECK(from_message(stale, asked).code == ErrorCode::stale_broker_epoch);
}

TEST_CASE("an answer to LeaderAndIsr with topics nobody asked for fails nothing") {
  protocol::LeaderAndIsrResponse message;
  message.topics.push_back({id_of(77), {{0, ErrorCode::kafka_storage_error}}});
  CHECK(from_message(message, {.from = kFrom, .partitions = states()}).partitions.empty());
}

TEST_CASE("StopReplica arrives as it was sent; below version 3 in two messages, one of them deletes") {
  const auto version = static_cast<std::int16_t>(GENERATE(range(0, 5)));
  CAPTURE(version);
  const StopReplica sent{
      .from = kFrom,
      .partitions = {
          {{"a", 0}, LeaderEpoch{5}, true}, {{"b", 0}, LeaderEpoch{6}, false}, {{"a", 1}, kEpochDuringDelete, true}}};
  const auto messages = to_messages(sent, version);
  CHECK(messages.size() == (version < 3 ? 2u : 1u));
  std::map<base::TopicPartition, std::pair<LeaderEpoch, bool>> got;
  for (const auto& message : messages) {
    const auto part = from_message(through_bytes(message, version), version);
    CHECK(part.from.controller_epoch == kFrom.controller_epoch);
    CHECK(part.from.broker_epoch == (version < 1 ? -1 : kFrom.broker_epoch));
    for (const auto& stopped : part.partitions)
      CHECK(got.emplace(stopped.partition, std::pair(stopped.leader_epoch, stopped.remove)).second);
  }
  CHECK(got.size() == 3);
  for (const auto& stopped : sent.partitions)
    CHECK(got[stopped.partition] ==
          std::pair(version < 3 ? base::kNoLeaderEpoch : stopped.leader_epoch, stopped.remove));
}

TEST_CASE("StopReplica without partitions is no message, and what only deletes is one") {
  CHECK(to_messages({.from = kFrom}, 2).empty());
  CHECK(to_messages({.from = kFrom}, 3).empty());
  const auto one = to_messages({.from = kFrom, .partitions = {{{"a", 0}, LeaderEpoch{5}, true}}}, 1);
  REQUIRE(one.size() == 1);
  CHECK(one[0].delete_partitions);
}

TEST_CASE("the answer to StopReplica names every partition, but none when the whole was refused") {
  const auto version = static_cast<std::int16_t>(GENERATE(range(0, 5)));
  const StopReplica asked{.from = kFrom, .partitions = {{.partition = {"a", 0}}, {.partition = {"b", 3}}}};
  const AnnouncementReply reply{.partitions = {{{"b", 3}, ErrorCode::fenced_leader_epoch}}};
  const auto message = through_bytes(to_message(reply, asked), version);
  CHECK(message.partition_errors.size() == 2);
  const auto got = from_message(message);
  REQUIRE(got.partitions.size() == 1);
  CHECK(got.partitions[0].partition == base::TopicPartition{"b", 3});

  const auto refused = to_message({.code = ErrorCode::stale_controller_epoch}, asked);
  CHECK(refused.error_code == ErrorCode::stale_controller_epoch);
  CHECK(refused.partition_errors.empty());
}

TEST_CASE("UpdateMetadata arrives as it was sent, as far as its version can say it") {
  const auto version = static_cast<std::int16_t>(GENERATE(range(0, 9)));
  CAPTURE(version);
  UpdateMetadata sent{.from = kFrom, .partitions = states(), .brokers = {live_broker()}};
  for (auto& state : sent.partitions) state.offline = brokers({3});
  const auto got = from_message(through_bytes(to_message(sent, version), version), version);

  CHECK(got.from.controller == kFrom.controller);
  CHECK(got.from.broker_epoch == (version < 5 ? -1 : kFrom.broker_epoch));
  auto expected = sent.partitions;
  for (auto& state : expected) {
    if (version < 4) state.offline = {};
    if (version < 7) state.topic_id = {};
  }
  CHECK(by_place(got.partitions) == by_place(expected));
  auto broker = live_broker();
  if (version == 0) broker.endpoints.pop_back();
  if (version > 0 && version < 3) broker.endpoints[1].listener = "SASL_SSL";
  if (version < 2) broker.rack.reset();
  CHECK(got.brokers == std::vector<LiveBroker>{broker});
}

TEST_CASE("a broker without a plaintext endpoint has no address in the first version of UpdateMetadata") {
  auto broker = live_broker();
  broker.endpoints.erase(broker.endpoints.begin());
  const auto message = to_message({.from = kFrom, .brokers = {broker}}, 0);
  CHECK(message.live_brokers[0].v0_host.empty());
}
