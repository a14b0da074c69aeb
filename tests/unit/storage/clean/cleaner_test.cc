#include "storage/clean/cleaner.h"

#include <catch2/catch.hpp>

#include "tests/support/storage/clean_bench.h"

using namespace storage;
using namespace storage::testing;
using base::Offset;
using protocol::Codec;
using protocol::ControlType;
using std::chrono::milliseconds;
using Kind = CleanOutcome::Kind;

namespace {

std::string padded(const std::string& text) { return text + std::string(60, '.'); }

// `rounds` segments, each with a value of every key.
void fill(CleanBench& bench, int rounds, int keys) {
  for (int round = 0; round < rounds; ++round) {
    for (int key = 0; key < keys; ++key) bench.write({{"key-" + std::to_string(key), padded(std::to_string(round))}});
    bench.roll();
  }
}

std::vector<std::int64_t> offsets(const std::vector<KeyedRecord>& records) {
  std::vector<std::int64_t> found;
  for (const auto& record : records) found.push_back(record.offset.raw);
  return found;
}

}  // namespace

TEST_CASE("a cleaned log holds the newest value of every key, at its old offset, in fewer segments") {
  CleanBench bench;
  bench.start();
  fill(bench, 5, 4);
  bench.write({{"key-0", "of the active segment"}});
  const auto outcome = bench.clean();
  REQUIRE(outcome.kind == Kind::cleaned);
  CHECK(offsets(bench.committed()) == std::vector<std::int64_t>{16, 17, 18, 19, 20});
  bench.require_as_written();
  CHECK(bench.log->marks()->cleaned_to == Offset{20});
  CHECK(outcome.report.keys == 4);
  CHECK(outcome.report.segments_before == 5);
  CHECK(outcome.report.segments_after < 5);
  CHECK(outcome.report.bytes_after < outcome.report.bytes_before);
  CHECK(bench.log->segments().first().base_offset() == Offset{0});
  CHECK(bench.names_with(".cleaned").empty());
  CHECK(bench.names_with(".swap").empty());
  CHECK_FALSE(bench.names_with(".deleted").empty());
  CHECK(bench.log->segment_times().value().size() == bench.log->segments().size());
}

TEST_CASE("a second cleaning of the same log finds nothing to do") {
  CleanBench bench;
  bench.start();
  fill(bench, 3, 4);
  REQUIRE(bench.clean().kind == Kind::cleaned);
  const auto changes = bench.files.changes();
  CHECK(bench.clean().kind == Kind::given_up);
  CHECK(bench.files.changes() == changes);
}

TEST_CASE("readers that hold a piece of a segment go on reading it after it was cleaned") {
  CleanBench bench;
  bench.start();
  fill(bench, 3, 4);
  const auto slice = bench.log->read(Offset{0}, bench.log->log_end_offset(), {.max_bytes = 10'000}).value();
  REQUIRE(bench.clean().kind == Kind::cleaned);
  base::Buffer bytes(slice.records.size_bytes);
  REQUIRE(slice.records.file->read_at(slice.records.position, bytes.bytes()).value() == bytes.size());
  CHECK(offsets(keyed_records_in(bytes.bytes())).front() == 0);
}

TEST_CASE("a segment of which nothing is left stays as an empty file, and joins others later") {
  CleanBench bench;
  bench.clean_settings.segment_bytes = 1;  // every segment by itself
  bench.start();
  fill(bench, 3, 4);
  REQUIRE(bench.clean().kind == Kind::cleaned);
  CHECK(bench.log->segments().at(0).size_bytes() == 0);
  CHECK(bench.log->segments().at(1).size_bytes() == 0);
  const auto first = file_name(Offset{0}, FileKind::data);
  CHECK(bench.files.contents(bench.directory + "/" + first).empty());
  CHECK(bench.files.contents(bench.directory + "/" + file_name(Offset{0}, FileKind::offset_index)).empty());
  CHECK(offsets(bench.committed()) == std::vector<std::int64_t>{8, 9, 10, 11});
  CHECK(bench.log->read(Offset{2}, Offset{12}, {.max_bytes = 1}).value().first_offset == Offset{8});

  bench.flush_all();
  REQUIRE(bench
              .load({.recovery_point = bench.log->log_end_offset(),
                     .high_watermark = bench.log->log_end_offset(),
                     .cleaned_to = Offset{12}})
              .ok());
  bench.require_as_written();
  bench.clean_settings.segment_bytes = 1500;
  fill(bench, 1, 4);
  REQUIRE(bench.clean().kind == Kind::cleaned);
  CHECK(bench.log->segments().size() == 2);
  bench.require_as_written();
}

TEST_CASE("times and offsets are found again in a cleaned segment, by fresh indexes") {
  CleanBench bench;
  bench.settings.segment_bytes = bench.clean_settings.segment_bytes = 20'000;
  bench.start();
  for (int i = 0; i < 400; ++i)
    bench.write({{"key-" + std::to_string(i % 3 == 0 ? 0 : i), padded("v"), 1'700'000'000'000 + i}});
  bench.roll();
  REQUIRE(bench.clean().kind == Kind::cleaned);
  for (std::int64_t i = 0; i < 400; ++i) {
    const std::int64_t next = i % 3 == 0 && i != 399 ? i + 1 : i;
    CHECK(bench.log->read(Offset{i}, Offset{400}, {.max_bytes = 1}).value().first_offset == Offset{next});
    const auto found = bench.log->offset_for_timestamp(base::timestamp_from_ms(1'700'000'000'000 + i), Offset{400});
    REQUIRE(found.value().has_value());
    CHECK((*found)->offset == Offset{next});
  }
}

TEST_CASE("a new segment bears the time of the last one it was made from") {
  CleanBench bench;
  bench.start();
  fill(bench, 3, 2);
  for (std::size_t i = 0; i < 3; ++i)
    REQUIRE(
        bench.files
            .set_modified(bench.directory + "/" + file_name(bench.log->segments().at(i).base_offset(), FileKind::data),
                          base::timestamp_from_ms(1000 * static_cast<std::int64_t>(i + 1)))
            .ok());
  REQUIRE(bench.clean().kind == Kind::cleaned);
  REQUIRE(bench.log->segments().size() == 2);
  CHECK(bench.log->segments().first().modified().value() == base::timestamp_from_ms(3000));
}

TEST_CASE("segments younger than the shortest lag are left alone") {
  CleanBench bench;
  bench.start();
  const auto now = base::to_ms(bench.clock.wall());
  for (const auto age : {5000, 4000, 500}) {
    bench.write({{"key", padded("v"), now - age}});
    bench.roll();
  }
  bench.clean_settings.min_lag = milliseconds{1000};
  REQUIRE(bench.clean().kind == Kind::cleaned);
  CHECK(offsets(bench.committed()) == std::vector<std::int64_t>{1, 2});
  CHECK(bench.log->marks()->cleaned_to == Offset{2});
  bench.clock.advance(milliseconds{1000});
  REQUIRE(bench.clean().kind == Kind::cleaned);
  CHECK(offsets(bench.committed()) == std::vector<std::int64_t>{2});
}

TEST_CASE("the oldest dirty record is told by the first batches of dirty segments") {
  CleanBench bench;
  bench.start();
  bench.write({{"a", "1", 7000}});
  bench.roll();
  bench.write({{"a", "1", 5000}});
  bench.write({{"a", "1", 100}});
  bench.roll();
  const WithLog with_log = [&](const TopicPartition&, const std::function<void(Log&)>& call) {
    call(*bench.log);
    return true;
  };
  const auto look = look_at(with_log, bench.partition).value();
  const auto range = find_dirty_range(bench.files, look, bench.clean_settings, bench.clock.wall()).value();
  CHECK(find_oldest_dirty(bench.files, look, range).value() == base::timestamp_from_ms(5000));
}

TEST_CASE("what the map cannot hold is cleaned by later rounds") {
  CleanBench bench;
  bench.memory.key_bytes = 7 * KeyMap::kSlotBytes;
  bench.start();
  fill(bench, 4, 15);
  int rounds = 0;
  auto last = Offset{0};
  for (; rounds < 100; ++rounds) {
    const auto outcome = bench.clean();
    if (outcome.kind == Kind::given_up) break;
    REQUIRE(outcome.kind == Kind::cleaned);
    CHECK(outcome.report.cleaned_to > last);
    last = outcome.report.cleaned_to;
    bench.require_as_written();
  }
  CHECK(rounds > 2);
  CHECK(last == Offset{60});
  CHECK(offsets(bench.committed()).size() == 15);
}

TEST_CASE("tombstones go in the second cleaning after their retention, and keys with them") {
  CleanBench bench;
  bench.start();
  bench.write({{"gone", padded("v")}});
  bench.write({{"gone", std::nullopt}});
  bench.roll();
  REQUIRE(bench.clean().kind == Kind::cleaned);
  CHECK(offsets(bench.committed()) == std::vector<std::int64_t>{1});
  bench.clock.advance(bench.clean_settings.delete_retention + milliseconds{1});
  bench.write({{"other", "v"}});
  bench.roll();
  REQUIRE(bench.clean().kind == Kind::cleaned);
  CHECK(offsets(bench.committed()) == std::vector<std::int64_t>{2});
  bench.require_as_written();
}

TEST_CASE("tombstones of old messages go by the time of the last clean segment") {
  CleanBench bench;
  bench.start();
  const auto write = [&](const std::optional<std::string>& value) {
    bench.write_old(1, Codec::none, {{"gone", value}});
    bench.roll();
    const auto base = bench.log->segments().at(bench.log->segments().size() - 2).base_offset();
    REQUIRE(bench.files.set_modified(bench.directory + "/" + file_name(base, FileKind::data), bench.clock.wall()).ok());
  };
  write("v");
  write(std::nullopt);
  REQUIRE(bench.clean().kind == Kind::cleaned);
  CHECK(bench.committed().size() == 1);
  bench.clean_settings.segment_bytes = 1;
  bench.clock.advance(bench.clean_settings.delete_retention / 2);
  write("again");
  REQUIRE(bench.clean().kind == Kind::cleaned);  // the tombstone is superseded now
  write(std::nullopt);
  REQUIRE(bench.clean().kind == Kind::cleaned);
  CHECK(offsets(bench.committed()) == std::vector<std::int64_t>{3});
  bench.clock.advance(bench.clean_settings.delete_retention + milliseconds{1});
  bench.write({{"other", "v"}});
  bench.roll();
  const auto base = bench.log->segments().at(bench.log->segments().size() - 2).base_offset();
  REQUIRE(bench.files.set_modified(bench.directory + "/" + file_name(base, FileKind::data), bench.clock.wall()).ok());
  REQUIRE(bench.clean().kind == Kind::cleaned);
  bench.write({{"other", "w"}});
  bench.roll();
  REQUIRE(bench.clean().kind == Kind::cleaned);  // now a clean segment is younger than it by more than the retention
  CHECK(offsets(bench.committed()) == std::vector<std::int64_t>{5});
}

TEST_CASE("aborted data goes, the index names what is left of it, and the marker follows") {
  CleanBench bench;
  bench.start();
  bench.write({{"a", padded("committed")}});
  bench.write({{"a", padded("aborted")}, {"b", padded("aborted")}}, {.producer = 1, .transactional = true});
  bench.end_transaction(1, ControlType::abort);
  bench.write({{"c", "v"}}, {.producer = 1});
  bench.roll();
  REQUIRE(bench.clean().kind == Kind::cleaned);
  bench.require_as_written();
  CHECK(offsets(bench.committed()) == std::vector<std::int64_t>{0, 4});
  CHECK(bench.log->segments().first().txn_index().entries().value()->size() == 1);
  for (int round = 0; round < 2; ++round) {
    bench.write({{"d", "v"}});
    bench.roll();
    REQUIRE(bench.clean().kind == Kind::cleaned);
    CHECK(bench.log->segments().first().txn_index().entries().value()->empty());
    bench.clock.advance(bench.clean_settings.delete_retention + milliseconds{1});
  }
  REQUIRE(bench.log->read(Offset{1}, Offset{6}, {.max_bytes = 1}).value().first_offset == Offset{4});
  bench.require_as_written();
}

TEST_CASE("an open transaction holds the cleaner back") {
  CleanBench bench;
  bench.start();
  fill(bench, 2, 3);
  bench.write({{"key-0", padded("open")}}, {.producer = 1, .transactional = true});
  fill(bench, 2, 3);
  REQUIRE(bench.clean().kind == Kind::cleaned);
  CHECK(bench.log->marks()->cleaned_to == Offset{6});
  bench.end_transaction(1, ControlType::abort);
  bench.roll();
  REQUIRE(bench.clean().kind == Kind::cleaned);
  bench.require_as_written();
  CHECK(bench.committed().size() == 3);
}

TEST_CASE("a log that is cut, or deleted, or loses segments while it is cleaned keeps what it has") {
  CleanBench bench;
  bench.start();
  fill(bench, 5, 4);
  const int at = GENERATE(range(1, 14));
  const int what = GENERATE(0, 1, 2, 3);
  int calls = 0;
  bool done = false;
  bench.go_on = [&](std::size_t) {
    if (++calls != at || done) return true;
    done = true;
    if (what == 0) {
      REQUIRE(bench.log->truncate_to(Offset{9}).ok());
      bench.written.erase(bench.written.lower_bound(Offset{9}), bench.written.end());
    } else if (what == 1) {
      bench.log->abandon();
      REQUIRE(bench.files.rename(bench.directory, "/data/gone").ok());
    } else if (what == 2) {
      REQUIRE(bench.log->delete_leading_segments(1).ok());
      bench.written.erase(bench.written.begin(), bench.written.lower_bound(bench.log->log_start_offset()));
    } else {
      return false;
    }
    return true;
  };
  const auto outcome = bench.clean();
  if (!done) return;
  CHECK(bench.retired.empty());
  // Losing what was exchanged already does not concern it.
  CHECK((outcome.kind == Kind::given_up || (what == 2 && outcome.kind == Kind::cleaned)));
  CHECK((bench.log->marks()->cleaned_to == base::kNoOffset) == (outcome.kind == Kind::given_up));
  if (what == 1) return;
  // Cutting takes newer records away after older ones of their keys have gone: that is not for the cleaner to mend.
  const auto require_sound = [&] { what == 0 ? bench.require_only_written() : bench.require_as_written(); };
  require_sound();
  bench.go_on = [](std::size_t) { return true; };
  fill(bench, 1, 4);
  REQUIRE(bench.clean().kind == Kind::cleaned);
  require_sound();
  CHECK(bench.names_with(".cleaned").empty());
}

TEST_CASE("a log cut below what was cleaned is dirty from there") {
  CleanBench bench;
  bench.start();
  fill(bench, 3, 4);
  REQUIRE(bench.clean().kind == Kind::cleaned);
  REQUIRE(bench.log->truncate_to(Offset{10}).ok());
  CHECK(bench.log->marks()->cleaned_to == Offset{10});
  REQUIRE(bench.log->truncate_fully_and_start_at(Offset{50}).ok());
  CHECK(bench.log->marks()->cleaned_to == base::kNoOffset);
}

TEST_CASE("a damaged batch makes a log uncleanable and changes nothing") {
  CleanBench bench;
  bench.start();
  fill(bench, 3, 4);
  const auto path = bench.directory + "/" + file_name(Offset{4}, FileKind::data);
  const auto sound = bench.files.contents(path);
  const auto names = bench.files.all_paths();
  for (const std::size_t at : {std::size_t{3}, std::size_t{10}, std::size_t{16}, std::size_t{70}, sound.size() - 1}) {
    auto damaged = sound;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    bench.files.put(path, damaged);
    const auto outcome = bench.clean();
    CHECK(outcome.kind == Kind::uncleanable);
    CHECK_FALSE(outcome.why.empty());
    CHECK(bench.retired.empty());
    CHECK(bench.log->marks()->cleaned_to == base::kNoOffset);
    CHECK(bench.names_with(".cleaned").empty());
  }
  bench.files.put(path, sound.substr(0, sound.size() - 5));
  CHECK(bench.clean().kind == Kind::uncleanable);
  bench.files.put(path, sound);
  CHECK(bench.files.all_paths() == names);
  CHECK(bench.clean().kind == Kind::cleaned);
}

TEST_CASE("a disk that fails while a log is cleaned is retired") {
  CleanBench bench;
  bench.start();
  fill(bench, 3, 4);
  bench.files.fail_paths_with(".cleaned");
  CHECK(bench.clean().kind == Kind::disk_failed);
  CHECK(bench.retired.size() == 1);
}
