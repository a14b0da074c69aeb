#include "storage/log/loader.h"

#include <catch2/catch.hpp>

#include <set>

#include "storage/log/producer_replay.h"
#include "tests/support/storage/batches.h"

using namespace storage;
using namespace storage::testing;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;

namespace {

std::string value_of(std::int64_t offset) { return "r" + std::to_string(offset) + std::string(80, '.'); }

void append_many(LogBench& bench, int count) {
  for (int i = 0; i < count; ++i) REQUIRE(bench.append({.values = {value_of(bench.log->log_end_offset().raw)}}).ok());
}

// Every record the log holds, in order and unharmed; `count` of them from `from` on.
void require_records(Log& log, std::int64_t from, std::int64_t count) {
  const auto seen = read_all(log, Offset{from});
  REQUIRE(seen.size() == static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < seen.size(); ++i) {
    REQUIRE(seen[i].offset.raw == from + static_cast<std::int64_t>(i));
    REQUIRE(seen[i].value == value_of(seen[i].offset.raw));
  }
}

std::string path_of(const LogBench& bench, std::int64_t base, FileKind kind) {
  return bench.directory + "/" + file_name(Offset{base}, kind);
}

// A log of several segments, closed in order.
void make_closed(LogBench& bench, int records) {
  REQUIRE(bench.create().ok());
  append_many(bench, records);
  bench.run_background();
  REQUIRE(bench.log->close().ok());
}

}  // namespace

TEST_CASE("an orderly stop trims the indexes and leaves a snapshot at the log end") {
  LogBench bench;
  make_closed(bench, 30);
  const auto end = bench.log->log_end_offset();
  CHECK(bench.log->recovery_point() == end);
  for (std::size_t i = 0; i < bench.log->segments().size(); ++i) {
    const auto base = bench.log->segments().at(i).base_offset().raw;
    const auto index = bench.files.contents(path_of(bench, base, FileKind::offset_index));
    const auto times = bench.files.contents(path_of(bench, base, FileKind::time_index));
    CHECK(index.size() % 8 == 0);
    CHECK(index.size() < bench.settings.index.max_bytes);
    // One batch before the first entry; all share one timestamp, so one time entry.
    CHECK(times.size() == 12);
    CHECK(base::load_big_endian<std::int64_t>(base::as_bytes(times).data()) == 1'700'000'000'000);
  }
  CHECK(bench.files.contents(path_of(bench, end.raw, FileKind::snapshot)).size() == 10);
  REQUIRE(bench.load({.clean_stop = true, .recovery_point = end}).ok());
  require_records(*bench.log, 0, 30);
  append_many(bench, 20);
  require_records(*bench.log, 0, 50);
}

TEST_CASE("the active segment's indexes are preallocated as Kafka's are") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  append_many(bench, 4);
  bench.run_background();
  CHECK(bench.files.contents(path_of(bench, 0, FileKind::offset_index)) == std::string(800, '\0'));
  CHECK(bench.files.contents(path_of(bench, 0, FileKind::time_index)) == std::string(792, '\0'));
}

TEST_CASE("without witnesses of its end a cleanly stopped log is read at its end only") {
  LogBench bench;
  make_closed(bench, 30);
  REQUIRE(bench.load({.clean_stop = true}).ok());
  CHECK(bench.log->log_end_offset() == Offset{30});
  CHECK(bench.log->recovery_point() == Offset{30});
  // A recovery point nobody confirms by a snapshot is not believed.
  REQUIRE(bench.files.remove(path_of(bench, 30, FileKind::snapshot)).ok());
  REQUIRE(bench.load({.clean_stop = true, .recovery_point = Offset{29}}).ok());
  CHECK(bench.log->log_end_offset() == Offset{30});
}

TEST_CASE("a cleanly stopped log that was damaged afterwards is recovered when its end is read") {
  LogBench bench;
  make_closed(bench, 30);
  const auto active = bench.log->segments().active().base_offset().raw;
  auto data = bench.files.contents(path_of(bench, active, FileKind::data));
  data.resize(data.size() - 5);
  bench.files.put(path_of(bench, active, FileKind::data), data);
  auto loaded = bench.load({.clean_stop = true});
  REQUIRE(loaded.ok());
  CHECK(loaded->recovered_segments == 1);
  require_records(*bench.log, 0, 29);
}

TEST_CASE("only segments at or above the recovery point are read after a kill") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  append_many(bench, 40);
  bench.run_background();
  const auto recovery_point = bench.log->recovery_point();
  append_many(bench, 14);
  const auto segments = bench.log->segments().size();
  auto loaded = bench.load({.recovery_point = recovery_point});
  REQUIRE(loaded.ok());
  CHECK(loaded->recovered_segments < segments);
  CHECK(loaded->recovered_segments >= 2);
  CHECK(loaded->dropped_bytes == 0);
  CHECK(bench.log->recovery_point() == recovery_point);
  require_records(*bench.log, 0, 54);
  REQUIRE(bench.load({}).ok());
  CHECK(bench.log->recovery_point() == Offset{0});
  require_records(*bench.log, 0, 54);
}

TEST_CASE("a data file cut at any byte keeps every batch before the cut") {
  LogBench bench;
  bench.settings.segment_bytes = 100'000;
  REQUIRE(bench.create().ok());
  append_many(bench, 6);
  const auto path = path_of(bench, 0, FileKind::data);
  const auto whole = bench.files.contents(path);
  const auto batch = whole.size() / 6;
  REQUIRE(whole.size() == batch * 6);
  for (auto size = batch * 3; size <= whole.size(); ++size) {
    bench.files.put(path, whole.substr(0, size));
    auto loaded = bench.load({});
    REQUIRE(loaded.ok());
    REQUIRE(loaded->dropped_bytes == size % batch);
    REQUIRE(bench.log->log_end_offset().raw == static_cast<std::int64_t>(size / batch));
    REQUIRE(bench.files.contents(path).size() == size / batch * batch);
    append_many(bench, 1);
    require_records(*bench.log, 0, static_cast<std::int64_t>(size / batch) + 1);
  }
}

TEST_CASE("whatever stands behind the last batch is cut away") {
  for (const std::string& tail : {std::string("garbage"), std::string(4096, '\0'), std::string(5000, '\xff'),
                                  std::string("\0\0\0\0\0\0\0\1", 8)}) {
    LogBench bench;
    REQUIRE(bench.create().ok());
    append_many(bench, 3);
    const auto path = path_of(bench, 0, FileKind::data);
    const auto good = bench.files.contents(path);
    bench.files.put(path, good + tail);
    auto loaded = bench.load({});
    REQUIRE(loaded.ok());
    CHECK(loaded->dropped_bytes == tail.size());
    CHECK_FALSE(loaded->why_dropped.empty());
    CHECK(bench.files.contents(path) == good);
    require_records(*bench.log, 0, 3);
  }
}

TEST_CASE("a flipped bit anywhere in a batch ends the log before that batch") {
  LogBench bench;
  bench.settings.segment_bytes = 100'000;
  REQUIRE(bench.create().ok());
  append_many(bench, 3);
  const auto path = path_of(bench, 0, FileKind::data);
  const auto whole = bench.files.contents(path);
  const auto batch = whole.size() / 3;
  for (std::size_t i = 0; i < batch; ++i) {
    if (i >= 12 && i < 16) continue;  // the leader epoch: no checksum covers it
    auto damaged = whole;
    damaged[batch + i] = static_cast<char>(damaged[batch + i] ^ 0x10);
    bench.files.put(path, damaged);
    REQUIRE(bench.load({}).ok());
    // Nor does one cover the base offset: raised, it is a gap; then the record after it makes the order wrong.
    if (i >= 8) REQUIRE(bench.log->log_end_offset() == Offset{1});
    REQUIRE(bench.log->log_end_offset() != Offset{3});
  }
}

TEST_CASE("a bad batch in an older segment takes all later segments with it") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  append_many(bench, 40);
  const auto second = bench.log->segments().at(1).base_offset().raw;
  const auto path = path_of(bench, second, FileKind::data);
  auto damaged = bench.files.contents(path);
  damaged[damaged.size() - 1] ^= 1;
  bench.files.put(path, damaged);
  REQUIRE(bench.load({}).ok());
  CHECK(bench.log->segments().size() == 2);
  const auto end = bench.log->log_end_offset().raw;
  CHECK(end > second);
  require_records(*bench.log, 0, end);
  append_many(bench, 20);
  require_records(*bench.log, 0, end + 20);
}

TEST_CASE("damaged, missing and stale indexes never change an answer") {
  LogBench bench;
  make_closed(bench, 60);
  base::SeededRandom random{GENERATE(range(0, 40))};
  for (std::size_t i = 0; i < bench.log->segments().size(); ++i) {
    const auto base = bench.log->segments().at(i).base_offset().raw;
    for (const auto kind : {FileKind::offset_index, FileKind::time_index}) {
      auto bytes = bench.files.contents(path_of(bench, base, kind));
      switch (random.below(5)) {
        case 0:
          REQUIRE(bench.files.remove(path_of(bench, base, kind)).ok());
          continue;
        case 1:
          bytes.resize(random.below(bytes.size() + 1));
          break;
        case 2:
          bytes += std::string(random.below(40), '\0');
          break;
        case 3:
          for (auto& byte : bytes) byte = static_cast<char>(random.next());
          break;
        default:
          bytes[random.below(bytes.size())] ^= static_cast<char>(1 << random.below(8));
      }
      bench.files.put(path_of(bench, base, kind), bytes);
    }
  }
  REQUIRE(bench.load({.clean_stop = true, .recovery_point = Offset{60}}).ok());
  for (std::int64_t from = 59; from >= 0; from -= 7)
    REQUIRE(read_all(*bench.log, Offset{from}).front() == SeenRecord{Offset{from}, value_of(from)});
  require_records(*bench.log, 0, 60);
  append_many(bench, 10);
  require_records(*bench.log, 0, 70);
}

TEST_CASE("producers and their open transactions are what they were, after any stop") {
  for (const bool clean : {true, false}) {
    for (const bool damage_snapshots : {false, true}) {
      LogBench bench;
      REQUIRE(bench.create().ok());
      protocol::BatchSpec spec;
      spec.producer_id = base::ProducerId{4};
      spec.producer_epoch = base::ProducerEpoch{1};
      spec.transactional = true;
      for (int i = 0; i < 30; ++i) {
        spec.base_sequence = i;
        REQUIRE(bench.append({.values = {value_of(i)}, .spec = spec}).ok());
      }
      bench.run_background();
      const auto recovery_point = bench.log->recovery_point();
      if (clean) REQUIRE(bench.log->close().ok());
      if (damage_snapshots) {
        const auto snapshots = list_snapshots(bench.files, bench.directory);
        for (const auto at : snapshots.value()) bench.files.put(snapshot_path(bench.directory, at), "not a snapshot");
      }
      REQUIRE(bench.load({.clean_stop = clean, .recovery_point = clean ? Offset{30} : recovery_point}).ok());
      const auto* producer = bench.log->producers().find(base::ProducerId{4});
      REQUIRE(producer);
      CHECK(producer->last_sequence() == 29);
      CHECK(producer->open_transaction() == Offset{0});
      spec.base_sequence = 29;
      CHECK(bench.append({.values = {value_of(29)}, .spec = spec})->duplicate);
      spec.base_sequence = 30;
      CHECK(bench.append({.values = {value_of(30)}, .spec = spec})->base_offset == Offset{30});
    }
  }
}

TEST_CASE("leader epochs are rebuilt from the batches and clipped to the log") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  for (int i = 0; i < 12; ++i) REQUIRE(bench.append({.values = {value_of(i)}}, LeaderEpoch{i / 4}).ok());
  const auto expected = bench.log->epochs().entries();
  REQUIRE(expected.size() == 3);
  REQUIRE(bench.files.remove(bench.directory + "/leader-epoch-checkpoint").ok());
  REQUIRE(bench.load({}).ok());
  CHECK(bench.log->epochs().entries() == expected);
  bench.files.put(bench.directory + "/leader-epoch-checkpoint", "0\n4\n0 0\n1 4\n2 8\n3 12\n");
  REQUIRE(bench.load({.log_start = Offset{6}}).ok());
  CHECK(bench.log->epochs().entries() ==
        std::vector<EpochStart>{{LeaderEpoch{1}, Offset{6}}, {LeaderEpoch{2}, Offset{8}}});
  CHECK(bench.log->log_start_offset() == Offset{6});
}

TEST_CASE("the high watermark is clipped to the log, and is its start when nobody wrote it down") {
  LogBench bench;
  make_closed(bench, 10);
  REQUIRE(bench.load({.clean_stop = true, .high_watermark = Offset{99}}).ok());
  CHECK(bench.log->high_watermark() == Offset{10});
  REQUIRE(bench.load({.clean_stop = true, .log_start = Offset{3}, .high_watermark = Offset{1}}).ok());
  CHECK(bench.log->high_watermark() == Offset{3});
  REQUIRE(bench.load({.clean_stop = true}).ok());
  CHECK(bench.log->high_watermark() == Offset{0});
}

TEST_CASE("an empty directory becomes an empty log at its start offset") {
  LogBench bench;
  REQUIRE(bench.files.create_directories(bench.directory).ok());
  REQUIRE(bench.load({.log_start = Offset{12}}).ok());
  CHECK(bench.log->log_start_offset() == Offset{12});
  append_many(bench, 1);
  require_records(*bench.log, 12, 1);
}

TEST_CASE("leftovers of deletions and unfinished compactions are removed, foreign files are left alone") {
  LogBench bench;
  make_closed(bench, 30);
  const auto in = [&](const std::string& name) { return bench.directory + "/" + name; };
  const auto second = bench.log->segments().at(1).base_offset();
  for (const auto& name :
       {file_name(Offset{0}, FileKind::data, FileSuffix::deleted),
        file_name(Offset{0}, FileKind::data, FileSuffix::cleaned),
        file_name(Offset{0}, FileKind::offset_index, FileSuffix::cleaned),
        // at or above the smallest .cleaned: its split was not complete
        file_name(second, FileKind::data, FileSuffix::swap), file_name(Offset{5000}, FileKind::offset_index)})
    bench.files.put(in(name), "leftover");
  bench.files.put(in("notes.txt"), "mine");
  bench.files.put(snapshot_path(bench.directory, Offset{3}), "stray");
  REQUIRE(bench.load({.clean_stop = true, .recovery_point = Offset{30}}).ok());
  require_records(*bench.log, 0, 30);
  const auto paths = bench.files.all_paths();
  for (const auto& path : paths) {
    CHECK_FALSE(path.ends_with(".deleted"));
    CHECK_FALSE(path.ends_with(".cleaned"));
    CHECK_FALSE(path.ends_with(".swap"));
  }
  CHECK(bench.files.contents(in("notes.txt")) == "mine");
  CHECK(bench.files.contents(in(file_name(Offset{5000}, FileKind::offset_index))) == "(missing)");
  CHECK(bench.files.contents(snapshot_path(bench.directory, Offset{3})) == "(missing)");
}

TEST_CASE("a finished swap is carried through, wherever it was interrupted") {
  for (std::size_t stop = 0; stop < 40; ++stop) {
    LogBench bench;
    make_closed(bench, 30);
    const auto in = [&](const std::string& name) { return bench.directory + "/" + name; };
    // What a compaction of the first two segments made: one segment with every other batch.
    const auto first_two =
        bench.files.contents(path_of(bench, 0, FileKind::data)) +
        bench.files.contents(path_of(bench, bench.log->segments().at(1).base_offset().raw, FileKind::data));
    const auto third = bench.log->segments().at(2).base_offset().raw;
    std::string compacted;
    protocol::EntryCursor cursor(base::as_bytes(first_two));
    for (int i = 0; auto entry = cursor.next(); ++i)
      if (i % 2 == 1) compacted += base::as_text(entry->bytes());
    bench.files.put(in(file_name(Offset{0}, FileKind::data, FileSuffix::swap)), compacted);
    bench.files.put(in(file_name(Offset{0}, FileKind::offset_index, FileSuffix::swap)), "");
    bench.files.put(in(file_name(Offset{0}, FileKind::time_index, FileSuffix::swap)), "");
    if (stop > 0) {
      bench.files.stop_at(stop);
      (void)bench.load({.clean_stop = true, .recovery_point = Offset{30}});
      bench.files.restart(FaultyFiles::AfterStop::kept_cache);
    }
    REQUIRE(bench.load({.recovery_point = Offset{30}}).ok());
    const auto seen = read_all(*bench.log, Offset{0});
    std::vector<SeenRecord> expected;
    for (std::int64_t i = 0; i < 30; ++i)
      if (i >= third || i % 2 == 1) expected.push_back({Offset{i}, value_of(i)});
    REQUIRE(seen == expected);
  }
}

// --- stopped at every change of the disk -----------------------------------------------------------------------------

namespace {

struct Step {
  enum Kind { append, roll, truncate, background } kind;
  std::int64_t to = 0;
};

const std::vector<Step>& script() {
  static const std::vector<Step> steps = [] {
    std::vector<Step> all;
    const auto add = [&](Step::Kind kind, int times = 1, std::int64_t to = 0) {
      for (int i = 0; i < times; ++i) all.push_back({kind, to});
    };
    add(Step::append, 15);
    add(Step::background);
    add(Step::append, 9);
    add(Step::roll);
    add(Step::append, 3);
    add(Step::truncate, 1, 20);
    add(Step::append, 5);
    add(Step::background);
    add(Step::truncate, 1, 4);
    add(Step::append, 12);
    return all;
  }();
  return steps;
}

// What must be there after a stop in the middle of the script.
struct Expected {
  std::int64_t at_least = 0;  // acknowledged
  std::int64_t at_most = 0;   // the call that was interrupted may have had its effect
};

Expected run_script(LogBench& bench) {
  Expected expected;
  for (const auto& step : script()) {
    switch (step.kind) {
      case Step::append: {
        expected.at_most = expected.at_least + 1;
        if (!bench.append({.values = {value_of(bench.log->log_end_offset().raw)}}).ok()) return expected;
        expected.at_least = expected.at_most;
        break;
      }
      case Step::roll:
        if (!bench.log->roll().ok()) return expected;
        break;
      case Step::background:
        bench.run_background();
        break;
      case Step::truncate:
        expected.at_least = std::min(expected.at_least, step.to);
        if (!bench.log->truncate_to(Offset{step.to}).ok()) return expected;
        expected.at_most = expected.at_least;
        break;
    }
  }
  return expected;
}

}  // namespace

TEST_CASE("killed at any write, rename or sync, a log loses nothing acknowledged and invents nothing") {
  std::size_t changes = 0;
  {
    LogBench bench;
    REQUIRE(bench.create().ok());
    const auto before = bench.files.changes();
    run_script(bench);
    changes = bench.files.changes() - before;
  }
  REQUIRE(changes > 100);
  for (std::size_t stop = 1; stop <= changes; ++stop) {
    for (const std::size_t torn : {0, 30, 90}) {
      LogBench bench;
      REQUIRE(bench.create().ok());
      bench.files.stop_at(stop, torn);
      const auto expected = run_script(bench);
      REQUIRE(bench.files.stopped());
      const auto recovery_point = bench.log->recovery_point();
      bench.files.restart(FaultyFiles::AfterStop::kept_cache);
      // The checkpoint on disk may be older than what was reached, never newer.
      for (const auto checkpoint : {recovery_point, Offset{0}}) {
        REQUIRE(bench.load({.recovery_point = checkpoint}).ok());
        const auto end = bench.log->log_end_offset().raw;
        INFO("stopped at change " << stop << ", torn after " << torn);
        REQUIRE(end >= expected.at_least);
        REQUIRE(end <= expected.at_most);
        require_records(*bench.log, 0, end);
      }
      append_many(bench, 12);
      require_records(*bench.log, 0, bench.log->log_end_offset().raw);
    }
  }
}

TEST_CASE("when power fails, what was flushed is there and what follows it is in order") {
  std::size_t changes = 0;
  {
    LogBench bench;
    REQUIRE(bench.create().ok());
    const auto before = bench.files.changes();
    run_script(bench);
    changes = bench.files.changes() - before;
  }
  for (std::size_t stop = 1; stop <= changes; ++stop) {
    LogBench bench;
    REQUIRE(bench.create().ok());
    REQUIRE(bench.files.sync_directory(bench.directory).ok());
    bench.files.stop_at(stop);
    const auto expected = run_script(bench);
    const auto recovery_point = bench.log->recovery_point().raw;
    bench.files.restart(FaultyFiles::AfterStop::lost_unsynced);
    REQUIRE(bench.load({.recovery_point = Offset{recovery_point}}).ok());
    INFO("stopped at change " << stop);
    const auto kept = std::min(recovery_point, expected.at_least);
    REQUIRE(bench.log->log_end_offset().raw >= kept);
    // Above the recovery point a whole segment may be missing between two that reached the disk: a gap, as compaction
    // leaves them, and no reason to drop what came after.
    std::int64_t next = 0;
    for (const auto& record : read_all(*bench.log, Offset{0})) {
      REQUIRE((record.offset.raw == next || (record.offset.raw > next && next >= kept)));
      REQUIRE(record.value == value_of(record.offset.raw));
      next = record.offset.raw + 1;
    }
    REQUIRE(next >= kept);
  }
}
