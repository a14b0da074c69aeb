#include "storage/clean/filter.h"

#include <catch2/catch.hpp>

#include <map>

#include "base/bytes.h"
#include "protocol/records/builder.h"
#include "tests/support/storage/keyed_log.h"

using namespace storage;
using namespace storage::testing;
using base::Offset;
using base::ProducerEpoch;
using base::ProducerId;
using base::timestamp_from_ms;
using protocol::Codec;
using std::chrono::milliseconds;
using Verdict = Filter::Verdict;

namespace {

const auto kNow = timestamp_from_ms(1'700'000'500'000);

protocol::EntryView view(const base::Buffer& entry) {
  return protocol::EntryView::parse(entry.bytes()).value().value();
}

// A cleaning of entries given one by one, with the newest offset of each key written down by hand.
struct Bench {
  KeyMap newest{{.memory_bytes = 4096}, {3, 4}};
  Producers producers;
  std::vector<AbortedTxn> aborted;
  Offset mapped_to{1000};
  milliseconds delete_retention{1000};
  base::Timestamp now = kNow;
  std::optional<LastBatches> last;
  std::optional<TransactionWalk> walk;
  std::optional<Filter> filter;
  base::Buffer out;

  void key(const std::string& name, std::int64_t offset) {
    REQUIRE(newest.put(newest.hash(base::as_bytes(name)), Offset{offset}));
  }
  void begin() {
    last.emplace(producers);
    walk.emplace(aborted);
    filter.emplace(FilterRules{newest, mapped_to, now, delete_retention, *last}, *walk);
  }
  base::Result<Verdict> try_judge(const base::Buffer& entry) {
    if (!filter) begin();
    return filter->judge(view(entry), out);
  }
  Verdict judge(const base::Buffer& entry) { return try_judge(entry).value(); }
};

using Kept = std::vector<KeyedRecord>;

}  // namespace

TEST_CASE("a batch in which every record is the newest of its key is kept as it is") {
  Bench bench;
  bench.key("a", 10);
  bench.key("b", 11);
  CHECK(bench.judge(keyed_batch({.base_offset = Offset{10}}, {{"a", "1"}, {"b", "2"}})) == Verdict::keep);
  CHECK(bench.judge(keyed_batch({.base_offset = Offset{12}}, {{"unknown", "3"}})) == Verdict::keep);
}

TEST_CASE("a batch whose records all have newer ones goes") {
  Bench bench;
  bench.key("a", 20);
  CHECK(bench.judge(keyed_batch({.base_offset = Offset{10}}, {{"a", "1"}, {"a", "2"}})) == Verdict::drop);
}

TEST_CASE("what is left of a batch keeps offsets, timestamps, headers, codec, sequence and epoch") {
  const auto codec = GENERATE(Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd);
  Bench bench;
  for (const auto& [name, offset] : std::map<std::string, int>{{"a", 15}, {"b", 11}, {"c", 30}, {"d", 13}, {"e", 99}})
    bench.key(name, offset);
  const protocol::BatchSpec spec{.base_offset = Offset{10},
                                 .leader_epoch = base::LeaderEpoch{7},
                                 .codec = codec,
                                 .producer_id = ProducerId{4},
                                 .producer_epoch = ProducerEpoch{2},
                                 .base_sequence = 77};
  const auto batch =
      keyed_batch(spec, {{"a", "1", 50}, {"b", "2", 40}, {"c", "3", 90}, {"d", "4", 45}, {"e", "5", 99}});
  REQUIRE(bench.judge(batch) == Verdict::replace);
  const auto left = view(bench.out).batch();
  CHECK(view(bench.out).size_bytes() == bench.out.size());
  CHECK(left.crc_ok());
  CHECK(left.base_offset() == Offset{10});
  CHECK(left.last_offset() == Offset{14});
  CHECK(left.record_count() == 2);
  CHECK(left.codec() == codec);
  CHECK(left.leader_epoch() == base::LeaderEpoch{7});
  CHECK(left.producer_id() == ProducerId{4});
  CHECK(left.producer_epoch() == ProducerEpoch{2});
  CHECK(left.base_sequence() == 77);
  CHECK(left.last_sequence() == 81);
  CHECK(left.max_timestamp() == timestamp_from_ms(45));
  CHECK(keyed_records_in(bench.out.bytes()) == Kept{{Offset{11}, "b", "2", 40}, {Offset{13}, "d", "4", 45}});
  CHECK(bench.filter->records_seen() == 5);
  CHECK(bench.filter->records_kept() == 2);
}

TEST_CASE("the time a log stamped stays when records go") {
  Bench bench;
  bench.key("a", 90);
  const protocol::BatchSpec spec{.base_offset = Offset{10}, .log_append_time = timestamp_from_ms(5000)};
  REQUIRE(bench.judge(keyed_batch(spec, {{"a", "1", 50}, {"b", "2", 40}})) == Verdict::replace);
  CHECK(view(bench.out).batch().max_timestamp() == timestamp_from_ms(5000));
  CHECK(keyed_records_in(bench.out.bytes()) == Kept{{Offset{11}, "b", "2", 5000}});
}

TEST_CASE("records without a key go") {
  Bench bench;
  REQUIRE(bench.judge(keyed_batch({}, {{std::nullopt, "1"}, {"", "an empty key is one"}})) == Verdict::replace);
  CHECK(keyed_records_in(bench.out.bytes()).size() == 1);
  CHECK(bench.judge(keyed_batch({}, {{std::nullopt, "1"}})) == Verdict::drop);
}

TEST_CASE("what lies above the mapped range stays whatever it is") {
  Bench bench;
  bench.mapped_to = Offset{11};
  bench.key("a", 10);
  const auto batch = keyed_batch({.base_offset = Offset{9}},
                                 {{"a", "old"}, {"a", "newest mapped"}, {"a", "newer"}, {std::nullopt, "x"}});
  REQUIRE(bench.judge(batch) == Verdict::replace);
  CHECK(keyed_records_in(bench.out.bytes()).size() == 3);
  CHECK(bench.judge(keyed_batch({.base_offset = Offset{11}}, {{std::nullopt, "x"}, {"a", std::nullopt}})) ==
        Verdict::keep);
}

TEST_CASE("the first cleaning that meets a tombstone sets its horizon, and one at the horizon drops it") {
  Bench bench;
  bench.key("gone", 11);
  bench.key("a", 10);
  const auto batch = keyed_batch({.base_offset = Offset{10}, .codec = Codec::lz4, .producer_id = ProducerId{3}},
                                 {{"a", "1", 70}, {"gone", std::nullopt, 60}});
  REQUIRE(bench.judge(batch) == Verdict::replace);
  auto first = std::move(bench.out);
  CHECK(view(first).batch().delete_horizon() == kNow + bench.delete_retention);
  CHECK(view(first).batch().max_timestamp() == timestamp_from_ms(70));
  CHECK(view(first).batch().codec() == Codec::lz4);
  CHECK(view(first).batch().crc_ok());
  CHECK(keyed_records_in(first.bytes()) == Kept{{Offset{10}, "a", "1", 70}, {Offset{11}, "gone", std::nullopt, 60}});

  // Earlier than that nothing changes: neither the tombstone nor its horizon.
  bench.now = kNow + milliseconds{999};
  bench.begin();
  CHECK(bench.judge(first) == Verdict::keep);

  bench.now = kNow + milliseconds{1000};
  bench.begin();
  REQUIRE(bench.judge(first) == Verdict::replace);
  CHECK(keyed_records_in(bench.out.bytes()) == Kept{{Offset{10}, "a", "1", 70}});
  CHECK(view(bench.out).batch().last_offset() == Offset{11});
}

TEST_CASE("a tombstone that is not the newest of its key goes at once and sets no horizon") {
  Bench bench;
  bench.key("k", 30);
  CHECK(bench.judge(keyed_batch({.base_offset = Offset{10}}, {{"k", std::nullopt}})) == Verdict::drop);
}

TEST_CASE("a retention without end does not overflow into the past") {
  Bench bench;
  bench.delete_retention = milliseconds::max();
  REQUIRE(bench.judge(keyed_batch({}, {{"k", std::nullopt}})) == Verdict::replace);
  CHECK(view(bench.out).batch().delete_horizon() == base::Timestamp::max());
}

TEST_CASE("a producer's last batch stays without records, others of it go") {
  Bench bench;
  bench.key("a", 90);
  bench.producers.appended({.id = ProducerId{4}, .epoch = ProducerEpoch{1}, .first_sequence = 5, .last_sequence = 6},
                           Offset{20}, Offset{21}, kNow);
  const auto batch_at = [&](std::int64_t offset) {
    return keyed_batch({.base_offset = Offset{offset},
                        .codec = Codec::zstd,
                        .producer_id = ProducerId{4},
                        .producer_epoch = ProducerEpoch{1},
                        .base_sequence = 5},
                       {{"a", "1"}, {"a", "2"}});
  };
  CHECK(bench.judge(batch_at(18)) == Verdict::drop);
  REQUIRE(bench.judge(batch_at(20)) == Verdict::replace);
  const auto emptied = std::move(bench.out);
  const auto left = view(emptied).batch();
  CHECK(left.crc_ok());
  CHECK(left.record_count() == 0);
  CHECK(left.base_offset() == Offset{20});
  CHECK(left.last_offset() == Offset{21});
  CHECK(left.last_sequence() == 6);
  CHECK(bench.judge(emptied) == Verdict::keep);

  Bench later;  // the producer has moved on
  CHECK(later.judge(emptied) == Verdict::drop);
}

TEST_CASE("records of an aborted transaction go, those of a committed one stay") {
  Bench bench;
  bench.aborted = {{ProducerId{1}, Offset{10}, Offset{15}, Offset{16}}};
  const auto data = [&](std::int64_t producer, std::int64_t offset) {
    return keyed_batch({.base_offset = Offset{offset},
                        .producer_id = ProducerId{producer},
                        .producer_epoch = ProducerEpoch{0},
                        .base_sequence = 0,
                        .transactional = true},
                       {{"k" + std::to_string(offset), "v"}});
  };
  CHECK(bench.judge(data(1, 9)) == Verdict::keep);  // of its transaction before
  CHECK(bench.judge(data(1, 10)) == Verdict::drop);
  CHECK(bench.judge(data(2, 11)) == Verdict::keep);
  CHECK(bench.judge(keyed_batch({.base_offset = Offset{12}, .producer_id = ProducerId{1}}, {{"plain", "v"}})) ==
        Verdict::keep);
  CHECK(bench.judge(data(1, 13)) == Verdict::drop);
  CHECK(bench.judge(marker(15, 1, protocol::ControlType::abort)) == Verdict::keep);
  CHECK(bench.judge(data(1, 16)) == Verdict::keep);
  CHECK(bench.walk->take_still_named() == bench.aborted);
  CHECK(bench.walk->take_still_named().empty());
}

TEST_CASE("a marker outlives the data of its transaction by the delete retention") {
  const auto type = GENERATE(protocol::ControlType::abort, protocol::ControlType::commit);
  Bench bench;
  REQUIRE(bench.judge(marker(15, 1, type)) == Verdict::replace);
  const auto waiting = std::move(bench.out);
  const auto left = view(waiting).batch();
  CHECK(left.crc_ok());
  CHECK(left.is_control());
  CHECK(left.is_transactional());
  CHECK(left.delete_horizon() == kNow + bench.delete_retention);
  CHECK(left.base_offset() == Offset{15});
  protocol::RecordReader reader(left);
  protocol::RecordView record;
  REQUIRE(reader.next(record));
  CHECK(protocol::parse_txn_marker(record)->type == type);
  CHECK(bench.walk->take_still_named().empty());

  bench.now += milliseconds{999};
  bench.begin();
  CHECK(bench.judge(waiting) == Verdict::keep);
  bench.now += milliseconds{1};
  bench.begin();
  CHECK(bench.judge(waiting) == Verdict::drop);
}

TEST_CASE("a marker that holds its producer's epoch stays, emptied in the end") {
  Bench bench;
  (void)bench.producers.appended(
      TransactionMarker{.id = ProducerId{1}, .epoch = ProducerEpoch{0}, .coordinator_epoch = 0, .commit = true},
      Offset{15}, kNow);
  REQUIRE(bench.judge(marker(15, 1, protocol::ControlType::commit)) == Verdict::replace);
  const auto waiting = std::move(bench.out);
  bench.now += milliseconds{5000};
  bench.begin();
  REQUIRE(bench.judge(waiting) == Verdict::replace);
  CHECK(view(bench.out).batch().record_count() == 0);
  CHECK(view(bench.out).batch().is_control());
}

TEST_CASE("messages of magic 0 and 1 are cleaned one by one and inside compressed ones") {
  const auto magic = GENERATE(std::int8_t{0}, std::int8_t{1});
  const auto codec = GENERATE(Codec::none, Codec::gzip, Codec::snappy, Codec::lz4);
  Bench bench;
  bench.key("a", 12);
  bench.key("gone", 13);
  const auto message = keyed_messages({.magic = magic, .codec = codec}, {{Offset{10}, "a", "1", 5},
                                                                         {Offset{11}, "b", "2", 6},
                                                                         {Offset{12}, "a", "3", 7},
                                                                         {Offset{13}, "gone", std::nullopt, 8}});
  const auto time = [&](std::int64_t ms) { return magic == 0 ? -1 : ms; };
  for (const bool keep : {true, false}) {
    bench.begin();
    bench.filter->keep_legacy_tombstones(keep);
    base::Buffer left;
    protocol::EntryCursor cursor(message.bytes());
    while (auto entry = cursor.next()) {
      const auto verdict = bench.filter->judge(*entry, bench.out).value();
      if (verdict == Verdict::keep) left.append(entry->bytes());
      if (verdict == Verdict::replace) left.append(bench.out.bytes());
    }
    Kept expected{{Offset{11}, "b", "2", time(6)}, {Offset{12}, "a", "3", time(7)}};
    if (keep) expected.push_back({Offset{13}, "gone", std::nullopt, time(8)});
    CHECK(keyed_records_in(left.bytes()) == expected);
  }
}

TEST_CASE("an entry that does not read is reported, not guessed at") {
  Bench bench;
  bench.key("a", 90);
  auto batch = keyed_batch({.codec = Codec::gzip}, {{"a", "1"}, {"b", "2"}});
  base::store_big_endian(batch.data() + 57, std::int32_t{3});
  CHECK(bench.try_judge(batch).error().code == base::ErrorCode::corrupt_message);
  base::store_big_endian(batch.data() + 57, std::int32_t{1});
  CHECK(bench.try_judge(batch).error().code == base::ErrorCode::corrupt_message);
  base::store_big_endian(batch.data() + 57, std::int32_t{-1});
  CHECK(bench.try_judge(batch).error().code == base::ErrorCode::corrupt_message);
  batch.data()[70] ^= std::byte{0xff};
  CHECK_FALSE(bench.try_judge(batch).ok());
}

TEST_CASE("the collector notes the newest offset of every key and stops where the map is full") {
  KeyMap map({.memory_bytes = 24 * 100, .load_factor = 0.05}, {1, 2});  // five keys
  TransactionWalk walk({{ProducerId{1}, Offset{6}, Offset{8}, Offset{9}}});
  KeyCollector collector(map, walk, Offset{1});
  const auto newest = [&](const std::string& key) { return map.find(map.hash(base::as_bytes(key))).raw; };
  const auto collect = [&](const base::Buffer& entry) { return collector.collect(view(entry)).value(); };

  CHECK(collect(keyed_batch({}, {{"before", "0"}, {"a", "1"}, {"b", "2"}, {std::nullopt, "3"}, {"a", std::nullopt}})));
  CHECK(newest("before") == -1);
  CHECK(newest("a") == 4);
  CHECK(newest("b") == 2);
  CHECK(collector.mapped_to() == Offset{5});
  const auto aborted = [](std::int64_t offset) {
    return keyed_batch({.base_offset = Offset{offset}, .producer_id = ProducerId{1}, .transactional = true},
                       {{"a", "x"}});
  };
  CHECK(collect(aborted(6)));
  CHECK(collect(marker(8, 1, protocol::ControlType::abort)));
  CHECK(newest("a") == 4);
  CHECK(collector.mapped_to() == Offset{9});
  CHECK(collect(
      keyed_messages({.magic = 1, .codec = Codec::gzip}, {{Offset{10}, "b", "1", 5}, {Offset{12}, "c", "1", 5}})));
  CHECK(newest("b") == 10);
  CHECK(collector.mapped_to() == Offset{13});
  CHECK_FALSE(
      collect(keyed_batch({.base_offset = Offset{20}}, {{"d", "0"}, {"b", "1"}, {"e", "2"}, {"f", "3"}, {"a", "4"}})));
  CHECK(collector.mapped_to() == Offset{23});
  CHECK(newest("e") == 22);
  CHECK(newest("b") == 21);
  CHECK(newest("a") == 4);
}
