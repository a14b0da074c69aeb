#include "broker/group/offset_store.h"

#include <catch2/catch.hpp>

#include "base/bytes.h"
#include "base/random.h"
#include "protocol/internal/versioned.h"
#include "protocol/records/batch.h"
#include "protocol/records/record.h"

namespace {

using namespace broker;
using base::Offset;
using base::ProducerId;
using base::TopicPartition;

const base::Timestamp kNoon = base::timestamp_from_ms(1'700'000'000'000);

CommittedOffset committed(std::int64_t offset, std::string metadata = {}) {
  CommittedOffset out;
  out.offset = Offset{offset};
  out.leader_epoch = base::LeaderEpoch{3};
  out.metadata = std::move(metadata);
  out.committed = kNoon;
  return out;
}

OffsetRecords records(GroupRecordVersions versions = {}, protocol::Codec codec = protocol::Codec::none) {
  return {versions, codec};
}

// A log: batches are replayed in order, each record at its own offset.
struct Replayed {
  OffsetReplay replay;
  std::int64_t next = 0;

  void batch(const base::Buffer& bytes) {
    const auto parsed = protocol::BatchView::parse(bytes.bytes());
    REQUIRE(parsed);
    REQUIRE(*parsed);
    const auto& view = **parsed;
    const LoadedBatch about{view.producer_id(), view.producer_epoch(), view.is_transactional()};
    protocol::RecordReader reader(view);
    protocol::RecordView record;
    while (reader.next(record)) replay.record(about, {Offset{next++}, kNoon, record.key, record.value});
    REQUIRE(reader.status().ok());
  }
  void marker(std::int64_t producer, bool commit) {
    replay.marker({Offset{next++}, ProducerId{producer}, base::ProducerEpoch{0}, commit});
  }
};

base::StringMap<LoadedGroup> taken(Replayed log) { return std::move(log.replay).take(); }

std::int64_t stored(const base::StringMap<LoadedGroup>& groups, const std::string& group, const TopicPartition& which) {
  const auto found = groups.find(group);
  if (found == groups.end()) return -1;
  const auto* offset = found->second.offsets.find(which.topic, which.partition);
  return offset ? offset->offset.raw : -1;
}

const TopicPartition kOrders{"orders", 0};
const TopicPartition kMore{"more", 2};

TEST_CASE("what is written is read back") {
  const auto codec = GENERATE(protocol::Codec::none, protocol::Codec::gzip, protocol::Codec::zstd);
  Replayed log;
  std::vector<PartitionOffset> offsets{{kOrders, committed(17, "where I was")}, {kMore, committed(0)}};
  offsets[1].second.expires = kNoon + std::chrono::hours(1);
  log.batch(records({}, codec).commits("g", offsets, {}, kNoon).value());
  protocol::GroupRecordValue state;
  state.protocol_type = "consumer";
  state.generation = 4;
  log.batch(records({}, codec).state("g", state, kNoon).value());
  const auto groups = taken(std::move(log));
  REQUIRE(groups.size() == 1);
  const auto& group = groups.begin()->second;
  CHECK(group.state->generation == 4);
  const auto* orders = group.offsets.find("orders", 0);
  REQUIRE(orders);
  CHECK(orders->offset == Offset{17});
  CHECK(orders->leader_epoch == base::LeaderEpoch{3});
  CHECK(orders->metadata == "where I was");
  CHECK(orders->committed == kNoon);
  CHECK_FALSE(orders->expires);
  CHECK(group.offsets.find("more", 2)->expires == kNoon + std::chrono::hours(1));
}

TEST_CASE("batches bear the sequences Kafka gives them") {
  const std::vector<PartitionOffset> offsets{{kOrders, committed(1)}};
  const auto plain = records().commits("g", offsets, {}, kNoon).value();
  const auto batch = protocol::BatchView::parse(plain.bytes()).value();
  CHECK(batch->base_sequence() == 0);
  CHECK(batch->producer_id() == base::kNoProducerId);
  CHECK_FALSE(batch->is_transactional());
  const auto state = records().state("g", {}, kNoon).value();
  CHECK(protocol::BatchView::parse(state.bytes()).value()->base_sequence() == -1);
  const auto in_transaction = records().commits("g", offsets, {ProducerId{5}, base::ProducerEpoch{2}}, kNoon).value();
  const auto other = protocol::BatchView::parse(in_transaction.bytes()).value();
  CHECK(other->is_transactional());
  CHECK(other->producer_id() == ProducerId{5});
  CHECK(other->producer_epoch() == base::ProducerEpoch{2});
}

TEST_CASE("a cluster that is being upgraded is written what all its brokers read") {
  const auto of = [](std::string_view release) {
    return GroupRecordVersions::of(*config::find_protocol_version(release));
  };
  CHECK(of("3.9").offset == 3);
  CHECK(of("3.9").group == 3);
  CHECK(of("2.3-IV0").group == 3);
  CHECK(of("2.2").group == 2);
  CHECK(of("2.1-IV1").offset == 3);
  CHECK(of("2.1-IV0").offset == 2);
  CHECK(of("2.0").offset == 1);
  CHECK(of("2.0").group == 1);
  CHECK(of("0.10.0").group == 0);
}

TEST_CASE("tombstones remove offsets and groups") {
  Replayed log;
  log.batch(records()
                .commits("g", std::vector<PartitionOffset>{{kOrders, committed(1)}, {kMore, committed(2)}}, {}, kNoon)
                .value());
  log.batch(records().state("g", {}, kNoon).value());
  log.batch(records().tombstones("g", {.offsets = std::vector{kOrders}, .group = false}, kNoon).value());
  SECTION("one offset") {
    const auto groups = taken(std::move(log));
    CHECK(stored(groups, "g", kOrders) == -1);
    CHECK(stored(groups, "g", kMore) == 2);
    CHECK(groups.begin()->second.state);
  }
  SECTION("all there is") {
    log.batch(records().tombstones("g", {.offsets = std::vector{kMore}, .group = true}, kNoon).value());
    CHECK(taken(std::move(log)).empty());
  }
  SECTION("the group, whose offsets stay") {
    log.batch(records().tombstones("g", {.offsets = {}, .group = true}, kNoon).value());
    const auto groups = taken(std::move(log));
    REQUIRE(groups.size() == 1);
    CHECK_FALSE(groups.begin()->second.state);
  }
}

TEST_CASE("a transaction in the log: pending, committed, aborted, and behind a later commit") {
  const auto in = [](std::int64_t producer, std::int64_t offset) {
    return records()
        .commits("g", std::vector<PartitionOffset>{{kOrders, committed(offset)}},
                 {ProducerId{producer}, base::ProducerEpoch{0}}, kNoon)
        .value();
  };
  Replayed log;
  log.batch(in(1, 10));
  log.batch(in(2, 20));
  SECTION("still open") {
    const auto groups = taken(std::move(log));
    CHECK(stored(groups, "g", kOrders) == -1);
    CHECK(groups.begin()->second.offsets.is_unstable("orders", 0));
    CHECK(groups.begin()->second.offsets.open_transactions().size() == 2);
  }
  SECTION("one aborts, one commits") {
    log.marker(2, false);
    log.marker(1, true);
    CHECK(stored(taken(std::move(log)), "g", kOrders) == 10);
  }
  SECTION("the later in the log counts, not the later to commit") {
    log.marker(2, true);
    log.marker(1, true);
    CHECK(stored(taken(std::move(log)), "g", kOrders) == 20);
  }
  SECTION("a marker of nobody we know") {
    log.marker(9, true);
    CHECK(stored(taken(std::move(log)), "g", kOrders) == -1);
  }
}

TEST_CASE("records that cannot be read are skipped and counted; those of newer coordinators are none of ours") {
  OffsetReplay replay;
  const auto feed = [&](const std::optional<std::string>& key, const std::optional<std::string>& value) {
    LoadedRecord record{Offset{0}, kNoon, std::nullopt, std::nullopt};
    if (key) record.key = base::as_bytes(*key);
    if (value) record.value = base::as_bytes(*value);
    replay.record({}, record);
  };
  using namespace std::string_literals;
  feed(std::nullopt, "v");
  feed("", "v");
  feed("\0\1\0\5ab"s, "v");
  CHECK(replay.unreadable() == 3);
  feed("\0\3\0\1g"s, "v");
  feed("\x7f\xff"s, "v");
  CHECK(replay.unreadable() == 3);
  feed("\0\1\0\1g\0\1t\0\0\0\0"s, "\0\11"s);  // value version 9
  feed("\0\2\0\1g"s, "");
  CHECK(replay.unreadable() == 5);
  base::SeededRandom random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string key(random.below(24), '\0');
    std::string value(random.below(40), '\0');
    random.fill(std::as_writable_bytes(std::span(key)));
    random.fill(std::as_writable_bytes(std::span(value)));
    if (key.size() > 1) key[0] = 0, key[1] = static_cast<char>(random.below(4));
    if (value.size() > 1) value[0] = 0, value[1] = static_cast<char>(random.below(5));
    feed(key, value);
  }
  CHECK(replay.unreadable() > 5);
}

}  // namespace
