// Kills, at every change of the disk and at random, and what is seen afterwards.
#include <catch2/catch.hpp>

#include "tests/support/storage/clean_bench.h"

using namespace storage;
using namespace storage::testing;
using base::Offset;
using protocol::Codec;
using protocol::ControlType;
using AfterStop = FaultyFiles::AfterStop;
using Kind = CleanOutcome::Kind;
using std::chrono::milliseconds;

namespace {

std::string padded(const std::string& text) { return text + std::string(40, '.'); }

// Values, tombstones, a committed and an aborted transaction, segments that end in nothing that stays.
void write_history(CleanBench& bench) {
  bench.start();
  bench.write({{"a", padded("1")}, {"b", padded("1")}, {"gone", padded("1")}});
  bench.write({{"t", padded("aborted")}}, {.producer = 1, .transactional = true});
  bench.roll();
  bench.write({{"b", padded("2")}, {"c", padded("1")}}, {.codec = Codec::lz4});
  bench.end_transaction(1, ControlType::abort);
  bench.write({{"t", padded("2")}}, {.producer = 2, .transactional = true});
  bench.end_transaction(2, ControlType::commit);
  bench.roll();
  bench.write({{"gone", std::nullopt}, {"a", padded("2")}});
  bench.roll();
  bench.write({{"a", padded("3")}, {"c", padded("2")}, {"b", padded("3")}});
  bench.write({{"last", padded("of its producer")}}, {.producer = 3});
  bench.roll();
  bench.write({{"a", padded("4")}, {"last", padded("5")}});
  bench.flush_all();
}

void open_again(CleanBench& bench, AfterStop what) {
  const auto end = bench.log->log_end_offset();
  const auto recovery_point = bench.log->recovery_point();
  bench.files.restart(what);
  REQUIRE(bench.load({.recovery_point = recovery_point, .high_watermark = end}).ok());
  REQUIRE(bench.log->log_end_offset() == end);
}

}  // namespace

TEST_CASE("a stop at any change of the disk during a cleaning loses nothing and hides nothing") {
  const auto what = GENERATE(AfterStop::kept_cache, AfterStop::lost_unsynced);
  const std::uint64_t segment_bytes = GENERATE(as<std::uint64_t>{}, 1, 600, 1500);
  std::size_t changes = 0;
  {
    CleanBench bench;
    write_history(bench);
    bench.clean_settings.segment_bytes = segment_bytes;
    const auto before = bench.files.changes();
    REQUIRE(bench.clean().kind == Kind::cleaned);
    changes = bench.files.changes() - before;
    bench.require_as_written();
  }
  REQUIRE(changes > 20);
  for (std::size_t stop = 1; stop <= changes; ++stop) {
    for (const std::size_t torn : {0, 30}) {
      INFO("stopped at change " << stop << " of " << changes << ", " << torn << " bytes written");
      CleanBench bench;
      write_history(bench);
      bench.clean_settings.segment_bytes = segment_bytes;
      bench.files.stop_at(stop, torn);
      REQUIRE(bench.clean().kind == Kind::disk_failed);
      open_again(bench, what);
      bench.require_as_written();
      CHECK(bench.names_with(".cleaned").empty());
      CHECK(bench.names_with(".swap").empty());
      CHECK(bench.names_with(".deleted").empty());
      REQUIRE(bench.clean().kind == Kind::cleaned);
      bench.require_as_written();
    }
  }
}

TEST_CASE("a stop at any change while a swap is carried through at the start can be repeated") {
  const auto swap_step = GENERATE(range(0, 24));
  std::size_t before_swap = 0;
  {
    CleanBench bench;
    write_history(bench);
    const auto before = bench.files.changes();
    REQUIRE(bench.clean().kind == Kind::cleaned);
    before_swap = bench.files.changes() - before;
  }
  for (std::size_t second = 1; second < 30; ++second) {
    CleanBench bench;
    write_history(bench);
    const auto end = bench.log->log_end_offset();
    const auto recovery_point = bench.log->recovery_point();
    bench.files.stop_at(before_swap - static_cast<std::size_t>(swap_step));
    REQUIRE(bench.clean().kind == Kind::disk_failed);
    bench.files.restart(AfterStop::kept_cache);
    bench.files.stop_at(second);
    if (bench.load({.recovery_point = recovery_point, .high_watermark = end}).ok()) {
      bench.files.never_fail();
      bench.require_as_written();
      break;
    }
    bench.files.restart(AfterStop::kept_cache);
    REQUIRE(bench.load({.recovery_point = recovery_point, .high_watermark = end}).ok());
    REQUIRE(bench.log->log_end_offset() == end);
    bench.require_as_written();
  }
}

TEST_CASE("random logs, cleaned and killed again and again, show what was written") {
  const auto seed = GENERATE(range(1, 60));
  INFO("seed " << seed);
  base::SeededRandom random(static_cast<std::uint64_t>(seed));
  const auto one_in = [&](std::uint64_t n) { return random.below(n) == 0; };
  CleanBench bench;
  bench.settings.segment_bytes = 800 + random.below(2500);
  bench.clean_settings.segment_bytes = one_in(3) ? 300 + random.below(4000) : bench.settings.segment_bytes;
  bench.clean_settings.delete_retention = milliseconds{random.below(3000)};
  bench.memory.key_bytes = one_in(3) ? (2 + random.below(12)) * KeyMap::kSlotBytes : 1 << 20;
  bench.memory.buffer_bytes = 200 + random.below(8000);
  bench.start();

  const auto some_records = [&] {
    std::vector<KeyedFields> records;
    const auto count = 1 + random.below(6);
    for (std::uint64_t i = 0; i < count; ++i) {
      KeyedFields record{.key = "k" + std::to_string(random.below(12)),
                         .value = "v" + std::to_string(random.next()),
                         .timestamp_ms = base::to_ms(bench.clock.wall()) + static_cast<std::int64_t>(random.below(50))};
      if (one_in(5)) record.value.reset();
      if (one_in(25)) record.key.reset();
      records.push_back(record);
    }
    return records;
  };
  const int old_messages = one_in(3) ? 30 : 0;
  for (int i = 0; i < old_messages; ++i)
    bench.write_old(i < 15 ? 0 : 1, static_cast<Codec>(random.below(4)), some_records());
  for (int step = 0; step < 220; ++step) {
    bench.clock.advance(milliseconds{20});
    const auto dice = random.below(20);
    const auto producer = static_cast<std::int64_t>(random.below(3));
    const auto codec = static_cast<Codec>(random.below(5));
    if (dice < 10) {
      bench.write(some_records(), {.codec = codec});
    } else if (dice < 12) {
      bench.write(some_records(), {.producer = 10 + producer, .codec = codec});
    } else if (dice < 16) {
      bench.write(some_records(), {.producer = producer, .transactional = true, .codec = codec});
    } else if (dice < 18) {
      if (bench.open.contains(producer))
        bench.end_transaction(producer, one_in(2) ? ControlType::abort : ControlType::commit);
    } else if (dice == 18) {
      const auto outcome = bench.clean();
      REQUIRE((outcome.kind == Kind::cleaned || outcome.kind == Kind::given_up));
      bench.require_as_written();
    } else if (one_in(3)) {
      bench.flush_all();
      const auto cleaned_to = bench.log->marks()->cleaned_to.load();
      bench.files.stop_at(1 + random.below(60), random.below(100));
      const auto outcome = bench.clean();
      const auto end = bench.log->log_end_offset();
      const auto recovery_point = bench.log->recovery_point();
      if (bench.files.stopped()) REQUIRE(outcome.kind == Kind::disk_failed);
      bench.files.restart(one_in(2) ? AfterStop::kept_cache : AfterStop::lost_unsynced);
      bench.files.never_fail();
      REQUIRE(bench.load({.recovery_point = recovery_point, .high_watermark = end, .cleaned_to = cleaned_to}).ok());
      REQUIRE(bench.log->log_end_offset() == end);
      bench.require_as_written();
    }
  }
  for (const auto& [producer, offsets] : std::map(bench.open)) bench.end_transaction(producer, ControlType::commit);
  bench.roll();
  for (;;) {
    const auto outcome = bench.clean();
    if (outcome.kind == Kind::given_up) break;
    REQUIRE(outcome.kind == Kind::cleaned);
    bench.require_as_written();
  }
  // Nothing twice, nothing without a key.
  std::map<std::string, int> count;
  for (const auto& record : bench.committed()) {
    REQUIRE(record.key.has_value());
    CHECK(++count[*record.key] == 1);
  }
}
