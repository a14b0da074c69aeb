// A log on a disk without room: nothing acknowledged is lost, nothing refused is kept, and no directory goes offline.
#include <catch2/catch.hpp>

#include "storage/log/loader.h"
#include "storage/log/producer_replay.h"
#include "tests/support/storage/batches.h"

using namespace storage;
using namespace storage::testing;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;

namespace {

void require_model(LogBench& bench, const std::vector<std::string>& model) {
  const auto seen = read_all(*bench.log, Offset{0});
  REQUIRE(seen.size() == model.size());
  for (std::size_t i = 0; i < model.size(); ++i)
    REQUIRE(seen[i] == SeenRecord{Offset{static_cast<std::int64_t>(i)}, model[i]});
}

}  // namespace

TEST_CASE("an append that finds no room leaves no trace, and the log goes on when there is room again") {
  for (const std::size_t torn : {0, 1, 60, 90}) {
    LogBench bench;
    REQUIRE(bench.create().ok());
    REQUIRE(bench.append({.values = {"kept"}}).ok());
    const auto path = bench.directory + "/" + file_name(Offset{0}, FileKind::data);
    const auto before = bench.files.contents(path);
    bench.files.fill_up(torn);
    const auto refused = bench.append({.values = {"refused"}});
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::kafka_storage_error);
    CHECK(bench.files.contents(path) == before);
    CHECK(bench.retired.empty());
    CHECK(bench.health->online());
    CHECK_FALSE(bench.health->has_room());
    require_model(bench, {"kept"});
    bench.files.make_room();
    REQUIRE(bench.append({.values = {"later"}}).ok());
    require_model(bench, {"kept", "later"});
    REQUIRE(bench.log->close().ok());
    REQUIRE(bench.load({.clean_stop = true, .recovery_point = Offset{2}}).ok());
    require_model(bench, {"kept", "later"});
  }
}

TEST_CASE("whatever is done on a disk that fills up and empties again, the log equals the model after any stop") {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    INFO("seed " << seed);
    LogBench bench;
    REQUIRE(bench.create().ok());
    base::SeededRandom random{seed};
    std::vector<std::string> model;
    bool full = false;
    for (int step = 0; step < 120; ++step) {
      switch (random.below(12)) {
        case 0:
          full = !full;
          full ? bench.files.fill_up(random.below(120)) : bench.files.make_room();
          break;
        case 1:
          (void)bench.log->roll();
          break;
        case 2:
          bench.run_background();
          break;
        case 3:
          if (auto flush = bench.log->prepare_flush()) (void)flush->run();
          break;
        case 4:
          (void)bench.log->begin_leader_epoch(LeaderEpoch{step});
          break;
        default: {
          const auto value = "v" + std::to_string(model.size()) + std::string(random.below(150), '.');
          if (bench.append({.values = {value}}, LeaderEpoch{step / 10}).ok()) model.push_back(value);
        }
      }
      REQUIRE(bench.retired.empty());
      REQUIRE(bench.log->log_end_offset().raw == static_cast<std::int64_t>(model.size()));
    }
    require_model(bench, model);
    const auto recovery_point = bench.log->marks()->recovery_point.whole();  // what the checkpoint says
    // Closing may fail on a full disk; then there is no clean marker.
    const bool clean = random.below(2) == 0 && bench.log->close().ok();
    // A broker on a full disk can start.
    REQUIRE(
        bench.load({.clean_stop = clean, .recovery_point = clean ? bench.log->log_end_offset() : recovery_point}).ok());
    REQUIRE(bench.retired.empty());
    require_model(bench, model);
    bench.files.make_room();
    REQUIRE(bench.append({.values = {"last"}}, LeaderEpoch{100}).ok());
    model.push_back("last");
    REQUIRE(bench.log->close().ok());
    const auto epochs = bench.log->epochs().entries();
    REQUIRE(bench.load({.clean_stop = true, .recovery_point = bench.log->log_end_offset()}).ok());
    require_model(bench, model);
    CHECK(bench.log->epochs().entries() == epochs);
  }
}

TEST_CASE("recovery on a full disk keeps its indexes in memory until the log is closed") {
  LogBench bench;
  REQUIRE(bench.create().ok());
  std::vector<std::string> model;
  for (int i = 0; i < 60; ++i) {
    model.push_back("v" + std::to_string(i) + std::string(80, '.'));
    REQUIRE(bench.append({.values = {model.back()}}, LeaderEpoch{i / 20}).ok());
  }
  REQUIRE(bench.log->segments().size() > 4);
  // Nothing but the data has survived.
  for (const auto& path : bench.files.all_paths())
    if (!path.ends_with(".log")) REQUIRE(bench.files.remove(path).ok());
  bench.files.fill_up();
  REQUIRE(bench.load({}).ok());
  CHECK(bench.retired.empty());
  for (std::int64_t from = 59; from >= 0; from -= 7)
    CHECK(read_all(*bench.log, Offset{from}).front().offset == Offset{from});
  CHECK_FALSE(bench.log->close().ok());
  bench.files.make_room();
  REQUIRE(bench.load({}).ok());
  REQUIRE(bench.log->close().ok());
  for (std::size_t i = 0; i < bench.log->segments().size(); ++i) {
    const auto base = bench.log->segments().at(i).base_offset();
    const auto index = bench.files.contents(bench.directory + "/" + file_name(base, FileKind::offset_index));
    CHECK(index.size() % 8 == 0);
    CHECK(index.size() < bench.settings.index.max_bytes);
  }
  REQUIRE(bench.load({.clean_stop = true, .recovery_point = Offset{60}}).ok());
  require_model(bench, model);
}
