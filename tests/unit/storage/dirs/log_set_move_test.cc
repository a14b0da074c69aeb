#include <catch2/catch.hpp>

#include <algorithm>

#include "storage/dirs/log_set.h"
#include "tests/support/storage/batches.h"

using namespace storage;
using namespace storage::testing;
using base::BrokerId;
using base::LeaderEpoch;
using base::Offset;

namespace {

struct Broker {
  FaultyFiles& files;
  base::ManualClock clock;
  base::SystemRandom random;
  std::vector<std::function<void()>> background;
  LogDirs dirs;
  LogSet logs;

  explicit Broker(FaultyFiles& f)
      : files(f),
        dirs(files, clock, {"/data/a", "/data/b"}, [](const std::string&, const base::Error&) {}),
        logs({.files = files,
              .clock = clock,
              .random = random,
              .in_background = [this](std::function<void()> work) { background.push_back(std::move(work)); }},
             dirs, {}, [](const std::string&) { return LogSettings{}; }) {
    base::invariant(dirs.open().ok() && dirs.claim({BrokerId{0}, "c"}).ok() && logs.load().ok(), "the logs load");
  }
  void run_background() {
    logs.run_due_jobs();
    for (auto& work : std::exchange(background, {})) work();
  }
};

void append_to(Log& log, int count) {
  for (int i = 0; i < count; ++i) {
    auto bytes = make_batch({.values = {"v"}});
    auto batch = protocol::Batch::parse(bytes.bytes());
    REQUIRE(log.append_as_leader(std::span(&**batch, 1), LeaderEpoch{0}).ok());
  }
  log.set_high_watermark(log.log_end_offset());
}

bool copy_all(Log& log, Log& copy) {
  const auto slice = log.read(log.log_start_offset(), log.log_end_offset(), {.max_bytes = 1 << 20}).value();
  base::Buffer bytes(slice.records.size_bytes);
  REQUIRE(slice.records.file->read_at(slice.records.position, bytes.bytes()).value() == bytes.size());
  if (!copy.append_as_follower(std::as_const(bytes).bytes())) return false;
  copy.set_high_watermark(copy.log_end_offset());
  return true;
}

std::size_t directories_named(const FaultyFiles& files, std::string_view part) {
  std::set<std::string> names;
  for (const auto& path : files.all_paths()) {
    const auto directory = path.substr(0, path.rfind('/'));
    if (directory.find(part) != std::string::npos) names.insert(directory);
  }
  return names.size();
}

}  // namespace

TEST_CASE("an exchange stopped at any step leaves one log with every record, and the next start goes on from there") {
  const auto after = GENERATE(FaultyFiles::AfterStop::kept_cache, FaultyFiles::AfterStop::lost_unsynced);
  bool moved_once = false, stayed_once = false, interrupted_once = false;
  for (std::size_t stop = 1;; ++stop) {
    FaultyFiles files;
    std::string to_path;
    bool stopped = false;
    {
      Broker broker(files);
      auto log = broker.logs.create({"t", 0}, std::nullopt, {}).value();
      append_to(*log, 5);
      REQUIRE(log->prepare_flush().value().run().ok());
      broker.logs.checkpoint_recovery_points();
      broker.logs.checkpoint_high_watermarks();
      const auto to = broker.dirs.all()[log->directory().starts_with("/data/a/") ? 1 : 0];
      to_path = to->path();
      files.stop_at(stop);
      auto copy = broker.logs.create_copy({.partition = {"t", 0}}, to);
      if (copy && copy_all(*log, **copy)) {
        auto fresh = broker.logs.exchange(*log, std::move(*copy));
        if (fresh) CHECK((*fresh)->directory() == to_path + "/t-0");
      }
      broker.run_background();
      stopped = files.stopped();
      files.restart(after);
    }
    Broker broker(files);
    REQUIRE(broker.logs.partitions() == std::vector<TopicPartition>{{"t", 0}});
    const bool moved = broker.logs.directory_of({"t", 0})->path() == to_path;
    const auto interrupted = broker.logs.interrupted_move_of({"t", 0});
    (moved ? moved_once : stayed_once) = true;
    interrupted_once |= interrupted != nullptr;
    if (interrupted) CHECK(interrupted->path() == to_path);
    CHECK_FALSE((moved && interrupted));
    auto log = broker.logs.take({"t", 0});
    REQUIRE(log);
    CHECK(log->log_end_offset() == Offset{5});
    CHECK(read_all(*log, Offset{0}).size() == 5);
    append_to(*log, 1);
    broker.logs.forget_interrupted_moves({"t", 0});
    broker.run_background();
    CHECK(directories_named(files, "-future") == 0);
    CHECK(directories_named(files, "-delete") == 0);
    for (const auto& path : files.all_paths()) CHECK(path.find("weir-copy") == std::string::npos);
    if (!stopped) break;
  }
  CHECK(moved_once);
  CHECK(stayed_once);
  CHECK(interrupted_once);
}

TEST_CASE("a log that does not exist yet is made where it is wanted") {
  FaultyFiles files;
  Broker broker(files);
  for (int i = 0; i < 3; ++i) {
    broker.logs.prefer({"t", i}, broker.dirs.all()[1]);
    CHECK(broker.logs.create({"t", i}, std::nullopt, {}).value()->directory().starts_with("/data/b/"));
  }
  CHECK(broker.logs.create({"t", 3}, std::nullopt, {}).value()->directory().starts_with("/data/a/"));
}

TEST_CASE("a copy for a name that is too long for its directory is refused") {
  FaultyFiles files;
  Broker broker(files);
  CHECK(broker.logs.create_copy({.partition = {std::string(249, 'x'), 0}}, broker.dirs.all()[0]).error().code ==
        base::ErrorCode::invalid_topic_exception);
}
