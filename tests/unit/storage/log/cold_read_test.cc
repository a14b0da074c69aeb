// Reads that must not wait for the disk say what somebody else has to bring in first.
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/page_cache.h"
#include "base/posix_files.h"
#include "tests/support/storage/batches.h"
#include "tests/support/storage/temporary_directory.h"
#include "tests/support/storage/watched_files.h"

using namespace storage;
using namespace storage::testing;
using base::LeaderEpoch;
using base::Offset;

namespace {

constexpr std::int64_t kRecords = 3000;

struct Bench {
  support::TemporaryDirectory scratch;
  base::PosixFiles posix;
  WatchedFiles files{posix};
  base::SystemClock clock;
  base::SeededRandom random{1};
  OpenSegments open_segments{100};
  std::vector<std::function<void()>> background;
  LogSettings settings;
  std::unique_ptr<Log> log;

  Bench() {
    settings.segment_bytes = 400'000;
    log = create_log({.files = files,
                      .clock = clock,
                      .random = random,
                      .in_background = [this](auto work) { background.push_back(std::move(work)); },
                      .open_segments = &open_segments},
                     {.partition = {"t", 0},
                      .directory = directory(),
                      .health = std::make_shared<DirectoryHealth>(scratch.path(), nullptr),
                      .settings = settings,
                      .topic_id = std::nullopt})
              .value();
    for (std::int64_t i = 0; i < kRecords; ++i) {
      auto bytes = make_batch({.values = {"r" + std::to_string(i) + std::string(500, '.')}});
      auto batch = protocol::Batch::parse(bytes.bytes());
      REQUIRE(log->append_as_leader(std::span(&**batch, 1), LeaderEpoch{0}).ok());
    }
    log->set_high_watermark(Offset{kRecords});
    settle();
  }
  std::string directory() const { return scratch.path() + "/t-0"; }
  void settle() {
    for (auto& work : std::exchange(background, {})) work();
    log->close_idle_files();
  }
  // Nothing of the log is in the page cache any more; false where the file system keeps it there.
  bool evict() const {
    bool gone = true;
    for (const auto& entry : std::filesystem::directory_iterator(directory())) {
      const auto file = const_cast<base::PosixFiles&>(posix).open(entry.path(), base::OpenMode::read_write).value();
      ::fsync(file->descriptor());
      ::posix_fadvise(file->descriptor(), 0, 0, POSIX_FADV_DONTNEED);
      gone &= entry.file_size() == 0 || !base::page_cache_holds(*file, {0, 1});
    }
    return gone;
  }
  LogSlice look(std::int64_t from, bool may_wait = false) {
    return log->read(Offset{from}, Offset{kRecords}, {.max_bytes = 2000, .may_wait = may_wait}).value();
  }
  // How often somebody else had to wait for the disk.
  int read(std::int64_t from) {
    for (int rounds = 0;; ++rounds) {
      REQUIRE(rounds < 5);
      const auto slice = look(from);
      if (slice.bring_in) {
        slice.bring_in();
        continue;
      }
      REQUIRE(slice.first_offset == Offset{from});
      REQUIRE(records_in(slice.records).front().value.starts_with("r" + std::to_string(from) + "."));
      return rounds;
    }
  }
};

}  // namespace

TEST_CASE("a read that must not wait opens no file: another thread does, and then it is answered") {
  Bench bench;
  REQUIRE(bench.log->segments().size() > 3);
  CHECK(bench.read(kRecords - 1) == 0);
  const auto opened = bench.files.opened().size();
  const auto cold = bench.look(100);
  REQUIRE(cold.bring_in);
  CHECK(cold.records.size_bytes == 0);
  CHECK(bench.files.opened().size() == opened);
  const auto again = bench.look(101);  // somebody else, meanwhile
  REQUIRE(again.bring_in);
  cold.bring_in();
  const auto now_open = bench.files.opened().size();
  CHECK(now_open == opened + 3);
  CHECK(bench.read(100) == 0);
  again.bring_in();
  CHECK(bench.read(101) == 0);
  CHECK(bench.files.opened().size() == now_open);
  // A whole consumer: each segment is opened once.
  int waits = 0;
  for (std::int64_t from = 0; from < kRecords; from += 3) waits += bench.read(from);
  CHECK(waits == static_cast<int>(bench.log->segments().size()) - 2);
}

TEST_CASE("what the page cache has lost is brought in by others, index and records") {
  Bench bench;
  CHECK(bench.read(350) == 1);
  if (!bench.evict()) return;
  CHECK(bench.read(10) > 0);  // the segment is open, and cold
  CHECK(bench.read(11) == 0);
  bench.settle();
  REQUIRE(bench.evict());
  CHECK(bench.read(1200) > 1);
  CHECK(bench.read(1201) == 0);
  // Whoever may wait does.
  REQUIRE(bench.evict());
  CHECK_FALSE(bench.look(20, true).bring_in);
}

TEST_CASE("what is brought in late, twice, or for a segment that is gone does no harm") {
  Bench bench;
  std::vector<BringIn> late;
  for (const std::int64_t from : {5, 800, 1500, 2200, 2900}) {
    auto slice = bench.look(from);
    if (slice.bring_in) late.push_back(std::move(slice.bring_in));
  }
  REQUIRE(late.size() > 2);
  SECTION("cut") { REQUIRE(bench.log->truncate_to(Offset{1000}).ok()); }
  SECTION("deleted") { REQUIRE(bench.log->delete_leading_segments(2).ok()); }
  SECTION("closed in between") { bench.settle(); }
  SECTION("gone") { bench.log.reset(); }
  for (int round = 0; round < 2; ++round)
    for (const auto& bring_in : late) bring_in();
  if (!bench.log) return;
  for (auto from = bench.log->log_start_offset(); from < bench.log->log_end_offset(); from = from + 97) {
    auto slice = bench.log->read(from, bench.log->log_end_offset(), {.max_bytes = 2000, .may_wait = true}).value();
    REQUIRE(records_in(slice.records).front().value.starts_with("r" + std::to_string(from.raw) + "."));
  }
}

TEST_CASE("a read that must not wait ends even when no segment may stay open") {
  Bench bench;
  bench.open_segments.opened();
  for (int i = 0; i < 200; ++i) bench.open_segments.opened();
  CHECK(bench.read(100) <= 2);
  CHECK(bench.read(100) <= 2);
}
