#include "storage/log/flush.h"

#include <catch2/catch.hpp>

#include <algorithm>

#include "tests/support/storage/batches.h"

using namespace storage;
using namespace storage::testing;
using base::Offset;

namespace {

void append_one(LogBench& bench) { REQUIRE(bench.append({.values = {std::string(80, '.')}}).ok()); }

std::string data_of(LogBench& bench, Offset segment) {
  return bench.files.contents(bench.directory + "/" + file_name(segment, FileKind::data));
}

std::size_t trailing_zeros(const std::string& bytes) { return bytes.size() - (bytes.find_last_not_of('\0') + 1); }

}  // namespace

TEST_CASE("what was flushed survives the loss of power, however the segments rolled") {
  const int appended = GENERATE(1, 5, 12, 30);
  LogBench bench;
  bench.settings.preallocate = GENERATE(false, true);
  REQUIRE(bench.create().ok());
  for (int i = 0; i < appended; ++i) {
    append_one(bench);
    REQUIRE(bench.log->prepare_flush().value().run().ok());
    CHECK(bench.log->recovery_point() == bench.log->log_end_offset());
  }
  const auto recovery_point = bench.log->recovery_point();
  append_one(bench);  // this one was not
  bench.files.stop_at(1);
  (void)bench.append({.values = {"stopped"}});
  bench.files.restart(FaultyFiles::AfterStop::lost_unsynced);
  const auto loaded = bench.load({.recovery_point = recovery_point});
  INFO((loaded ? std::string() : loaded.error().detail) << " after " << appended);
  REQUIRE(loaded.ok());
  CHECK(bench.log->log_end_offset() == recovery_point);
  CHECK(read_all(*bench.log, Offset{0}).size() == static_cast<std::size_t>(appended));
  // Recovery looks at the last one only: what belongs to the others was flushed with their data.
  for (std::size_t i = 0; i + 1 < bench.log->segments().size(); ++i) {
    CHECK(bench.log->segments().at(i).indexes_plausible().value());
    CHECK(bench.files
              .contents(bench.directory + "/" +
                        file_name(bench.log->segments().at(i).base_offset(), FileKind::time_index))
              .size() > 0);
  }
}

TEST_CASE("a segment that rolled counts as whole for the next start when its indexes are on disk too") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  while (bench.log->segments().size() == 1) {
    append_one(bench);
    REQUIRE(bench.log->prepare_flush().value().run().ok());
  }
  auto& recovery_point = bench.log->marks()->recovery_point;
  CHECK(recovery_point.whole() == recovery_point.get());  // the flush behind the append that rolled took them along
  const auto second = bench.log->segments().at(1).base_offset();
  while (bench.log->segments().size() == 2) append_one(bench);
  CHECK(recovery_point.whole() == second);
  bench.run_background();
  CHECK(recovery_point.whole() == bench.log->segments().at(2).base_offset());
}

TEST_CASE("a preallocated segment has its full length until it rolls or closes") {
  LogBench bench;
  bench.settings.preallocate = true;
  REQUIRE(bench.create().ok());
  CHECK(data_of(bench, Offset{0}).size() == bench.settings.segment_bytes);
  CHECK(bench.log->size_bytes() == 0);
  while (bench.log->segments().size() < 3) append_one(bench);
  bench.run_background();
  const auto second = bench.log->segments().at(1).base_offset();
  const auto active = bench.log->segments().active().base_offset();
  CHECK(data_of(bench, Offset{0}).size() == bench.log->segments().at(0).size_bytes());
  CHECK(data_of(bench, second).size() == bench.log->segments().at(1).size_bytes());
  CHECK(data_of(bench, active).size() == bench.settings.segment_bytes);
  const auto end = bench.log->log_end_offset();
  CHECK(read_all(*bench.log, Offset{0}).size() == static_cast<std::size_t>(end.raw));

  REQUIRE(bench.log->close().ok());
  CHECK(data_of(bench, active).size() < bench.settings.segment_bytes);
  REQUIRE(bench.load({.clean_stop = true, .recovery_point = end}).ok());
  CHECK(bench.log->log_end_offset() == end);
  append_one(bench);
  CHECK(read_all(*bench.log, Offset{0}).size() == static_cast<std::size_t>(end.raw) + 1);
}

TEST_CASE("after a kill the zeros of a preallocated segment are cut off") {
  LogBench bench;
  bench.settings.preallocate = true;
  REQUIRE(bench.create().ok());
  for (int i = GENERATE(0, 3); i > 0; --i) append_one(bench);
  const auto end = bench.log->log_end_offset();
  const auto written = bench.log->size_bytes();
  REQUIRE(trailing_zeros(data_of(bench, Offset{0})) > 100);
  REQUIRE(bench.load({}).ok());
  CHECK(bench.log->log_end_offset() == end);
  CHECK(data_of(bench, Offset{0}).size() == written);
  append_one(bench);
  CHECK(read_all(*bench.log, Offset{0}).size() == static_cast<std::size_t>(end.raw) + 1);
}

TEST_CASE("a preallocated segment that is truncated is cut to what is left") {
  LogBench bench;
  bench.settings.preallocate = true;
  REQUIRE(bench.create().ok());
  for (int i = 0; i < 3; ++i) append_one(bench);
  REQUIRE(bench.log->truncate_to(Offset{1}).ok());
  CHECK(data_of(bench, Offset{0}).size() == bench.log->size_bytes());
  append_one(bench);
  CHECK(read_all(*bench.log, Offset{0}).size() == 2);
}
