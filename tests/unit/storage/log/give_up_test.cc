#include <catch2/catch.hpp>

#include <algorithm>

#include "storage/dirs/log_set.h"
#include "tests/support/storage/batches.h"

using namespace storage;
using namespace storage::testing;
using base::LeaderEpoch;
using base::Offset;

namespace {

// `count` batches of one record, four or so to a segment.
void append_many(LogBench& bench, int count, LeaderEpoch epoch = LeaderEpoch{0}) {
  for (int i = 0; i < count; ++i) REQUIRE(bench.append({.values = {std::string(80, '.')}}, epoch).ok());
  bench.log->set_high_watermark(bench.log->log_end_offset());
}

std::size_t files_named(const FaultyFiles& files, std::string_view part) {
  const auto paths = files.all_paths();
  return static_cast<std::size_t>(std::count_if(
      paths.begin(), paths.end(), [&](const std::string& path) { return path.find(part) != std::string::npos; }));
}

}  // namespace

TEST_CASE("leading segments are given up: gone for readers, renamed on disk, readable for who had them") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  std::vector<PutOffRemoval> removals;
  auto services = bench.services();
  services.remove_later = [&](PutOffRemoval what) { removals.push_back(std::move(what)); };
  bench.settings.file_delete_delay = std::chrono::milliseconds(700);
  bench.log = create_log(services, {.partition = bench.partition,
                                    .directory = "/data/given-0",
                                    .health = bench.health,
                                    .settings = bench.settings,
                                    .topic_id = std::nullopt})
                  .value();
  append_many(bench, 10, LeaderEpoch{1});
  append_many(bench, 20, LeaderEpoch{3});
  auto& log = *bench.log;
  const auto held = log.read(Offset{0}, Offset{30}, {.max_bytes = 1}).value();
  const auto before = records_in(held.records);
  REQUIRE(log.segments().size() > 4);
  const auto new_start = log.segments().at(3).base_offset();
  const auto size_left = log.size_bytes() - log.segments().at(0).size_bytes() - log.segments().at(1).size_bytes() -
                         log.segments().at(2).size_bytes();

  REQUIRE(log.delete_leading_segments(3).ok());
  CHECK(log.log_start_offset() == new_start);
  CHECK(log.marks()->first_base.load() == new_start);
  CHECK(log.size_bytes() == size_left);
  CHECK(log.recovery_point() >= new_start);
  CHECK(log.epochs().entries().front().start == new_start);
  CHECK(log.read(Offset{0}, Offset{30}, {.max_bytes = 1}).error().code == base::ErrorCode::offset_out_of_range);
  CHECK(read_all(log, new_start).size() == static_cast<std::size_t>(30 - new_start.raw));
  CHECK(records_in(held.records) == before);

  REQUIRE(removals.size() == 1);
  CHECK(removals[0].after == std::chrono::milliseconds(700));
  CHECK(removals[0].directory == bench.health);
  CHECK(std::count(removals[0].paths.begin(), removals[0].paths.end(),
                   "/data/given-0/00000000000000000000.log.deleted") == 1);
  CHECK(files_named(bench.files, ".deleted") == removals[0].paths.size());
  CHECK_FALSE(bench.files.exists("/data/given-0/00000000000000000000.index").value());
  bench.run_background();
  for (std::size_t i = 0; i < log.segments().size(); ++i) CHECK(log.segments().at(i).base_offset() >= new_start);
  for (const auto& path : bench.files.all_paths())
    if (path.ends_with(".snapshot")) CHECK(path >= "/data/given-0/" + file_name(new_start, FileKind::snapshot));
}

TEST_CASE("segments in the middle are given up without moving the log start, as compaction needs it") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  append_many(bench, 30);
  auto& log = *bench.log;
  const auto first = log.segments().at(1).base_offset();
  const auto behind = log.segments().at(3).base_offset();
  REQUIRE(log.give_up_segments({.first = 1, .count = 2}).ok());
  CHECK(log.log_start_offset() == Offset{0});
  CHECK(log.marks()->first_base.load() == Offset{0});
  CHECK(log.segments().at(1).base_offset() == behind);
  // A hole such as compaction leaves: readers go on behind it.
  CHECK(log.read(first, Offset{30}, {.max_bytes = 1}).value().first_offset == behind);
}

TEST_CASE("a log start that moves up raises the recovery point and hides an open transaction's beginning") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  protocol::BatchSpec spec;
  spec.producer_id = base::ProducerId{7};
  spec.producer_epoch = base::ProducerEpoch{0};
  spec.base_sequence = 0;
  spec.transactional = true;
  REQUIRE(bench.append({.values = {"in a transaction"}, .spec = spec}).ok());
  append_many(bench, 20);
  auto& log = *bench.log;
  CHECK(log.last_stable_offset() == Offset{0});
  REQUIRE(log.advance_log_start(Offset{5}).ok());
  CHECK(log.last_stable_offset() == Offset{5});
  CHECK(log.recovery_point() == Offset{5});
}

TEST_CASE("a deletion stopped at any step leaves a log without a hole, and the next start clears up") {
  // Each round stops one changing call later, until the deletion gets through.
  for (std::size_t stop = 1;; ++stop) {
    LogBench bench;
    REQUIRE(bench.create().ok());
    append_many(bench, 30);
    bench.run_background();
    const auto recovery_point = bench.log->recovery_point();
    std::vector<Offset> bases;
    for (std::size_t i = 0; i < bench.log->segments().size(); ++i)
      bases.push_back(bench.log->segments().at(i).base_offset());
    bench.files.stop_at(stop);
    const bool through = bench.log->delete_leading_segments(4).ok();
    bench.run_background();
    const bool stopped = bench.files.stopped();
    bench.files.restart(FaultyFiles::AfterStop::kept_cache);
    REQUIRE(bench.load({.recovery_point = recovery_point, .high_watermark = Offset{30}}).ok());
    auto& log = *bench.log;
    const auto& segments = log.segments();
    const auto gone = bases.size() - segments.size();
    REQUIRE(gone <= 4);
    if (through) REQUIRE(gone == 4);
    for (std::size_t i = 0; i < segments.size(); ++i) REQUIRE(segments.at(i).base_offset() == bases[i + gone]);
    CHECK(log.log_start_offset() == bases[gone]);
    CHECK(log.log_end_offset() == Offset{30});
    CHECK(read_all(log, log.log_start_offset()).size() == static_cast<std::size_t>(30 - bases[gone].raw));
    CHECK(files_named(bench.files, ".deleted") == 0);
    for (const auto& path : bench.files.all_paths())
      if (path.ends_with(".index")) CHECK(bench.files.exists(path.substr(0, path.size() - 5) + "log").value());
    if (!stopped) break;
  }
}
