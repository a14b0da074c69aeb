#include "storage/dirs/log_set.h"

#include <catch2/catch.hpp>

#include "tests/support/storage/batches.h"
#include "tests/support/storage/watched_files.h"

using namespace storage;
using namespace storage::testing;
using base::BrokerId;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;

namespace {

struct Broker {
  base::FileSystem& files;
  base::ManualClock clock;
  base::SystemRandom random;
  absl::Mutex mutex;
  std::vector<std::function<void()>> background ABSL_GUARDED_BY(mutex);
  std::vector<std::string> failures ABSL_GUARDED_BY(mutex);
  LogDirs dirs;
  LogSet logs;

  explicit Broker(base::FileSystem& f, std::vector<std::string> paths = {"/data/a", "/data/b"})
      : files(f),
        dirs(files, clock, std::move(paths),
             [this](const std::string& path, const base::Error&) {
               absl::MutexLock lock(&mutex);
               failures.push_back(path);
             }),
        logs({.files = files,
              .clock = clock,
              .random = random,
              .in_background =
                  [this](std::function<void()> work) {
                    absl::MutexLock lock(&mutex);
                    background.push_back(std::move(work));
                  }},
             dirs, {.recovery_threads_per_dir = 2}, [](const std::string&) { return LogSettings{}; }) {}

  base::Status boot(int id = 0, std::string cluster = "c1") {
    if (auto s = dirs.open(); !s) return s;
    if (auto s = dirs.claim({BrokerId{id}, std::move(cluster)}); !s) return s;
    return logs.load();
  }
  std::vector<std::string> failed() {
    absl::MutexLock lock(&mutex);
    return failures;
  }
  void run_background() {
    std::vector<std::function<void()>> due;
    {
      absl::MutexLock lock(&mutex);
      due.swap(background);
    }
    for (auto& work : due) work();
  }
};

void append(Log& log, const std::string& value) {
  auto bytes = make_batch({.values = {value}});
  auto batch = protocol::Batch::parse(bytes.bytes());
  REQUIRE(log.append_as_leader(std::span(&**batch, 1), LeaderEpoch{0}).ok());
  log.set_high_watermark(log.log_end_offset());
}

std::string value_at(LogSet& logs, const TopicPartition& partition, std::int64_t offset) {
  auto log = logs.take(partition);
  REQUIRE(log);
  const auto seen = records_in(
      log->read(Offset{offset}, log->log_end_offset(), {.max_bytes = 1, .at_least_one_batch = true}).value().records);
  return seen.empty() ? std::string("(nothing)") : seen.front().value;
}

std::vector<std::unique_ptr<Log>> list_of(std::unique_ptr<Log> log) {
  std::vector<std::unique_ptr<Log>> logs;
  logs.push_back(std::move(log));
  return logs;
}

bool exists(FaultyFiles& files, const std::string& path) { return files.exists(path).value(); }

}  // namespace

TEST_CASE("logs survive an orderly stop, spread over the directories, and nothing is read to open them") {
  FaultyFiles files;
  const auto id = base::Uuid{{1, 2, 3}};
  {
    Broker broker(files);
    REQUIRE(broker.boot().ok());
    std::vector<std::unique_ptr<Log>> taken;
    for (int p = 0; p < 4; ++p) {
      taken.push_back(broker.logs.create({"t", p}, id, {}).value());
      append(*taken.back(), "v" + std::to_string(p));
    }
    int in_a = 0;
    for (int p = 0; p < 4; ++p) in_a += broker.logs.directory_of({"t", p})->path() == "/data/a";
    CHECK(in_a == 2);
    REQUIRE(broker.logs.close(std::move(taken)).ok());
  }
  CHECK(files.contents("/data/a/.kafka_cleanshutdown") == R"({"version":0,"brokerEpoch":-1})");
  CHECK(files.contents("/data/a/recovery-point-offset-checkpoint").starts_with("0\n2\nt "));
  CHECK(files.contents("/data/a/log-start-offset-checkpoint") == "0\n0\n");
  // Were a segment read, this would show.
  for (const auto& path : files.all_paths())
    if (path.ends_with(".log")) files.put(path, std::string(files.contents(path).size(), '?'));
  Broker broker(files);
  REQUIRE(broker.boot().ok());
  CHECK_FALSE(exists(files, "/data/a/.kafka_cleanshutdown"));
  CHECK(broker.logs.partitions().size() == 4);
  auto log = broker.logs.take({"t", 2});
  REQUIRE(log);
  CHECK(log->log_end_offset() == Offset{1});
  CHECK(log->high_watermark() == Offset{1});
  CHECK(log->recovery_point() == Offset{1});
  CHECK(log->topic_id() == id);
  CHECK_FALSE(broker.logs.take({"t", 2}));
}

TEST_CASE("after a kill the logs are recovered and serve what was acknowledged") {
  FaultyFiles files;
  {
    Broker broker(files);
    REQUIRE(broker.boot().ok());
    auto log = broker.logs.create({"t", 0}, std::nullopt, {}).value();
    for (int i = 0; i < 5; ++i) append(*log, "v" + std::to_string(i));
    broker.logs.checkpoint_high_watermarks();
    files.restart(FaultyFiles::AfterStop::kept_cache);
  }
  Broker broker(files);
  REQUIRE(broker.boot().ok());
  CHECK(value_at(broker.logs, {"t", 0}, 4) == "v4");
}

TEST_CASE("a second broker on the same directories is refused") {
  FaultyFiles files;
  Broker one(files);
  REQUIRE(one.boot().ok());
  Broker two(files);
  const auto s = two.boot();
  REQUIRE_FALSE(s.ok());
  CHECK(s.error().detail.starts_with("Failed to acquire lock on file .lock in /data/a."));
}

TEST_CASE("a directory of another broker, another cluster or KRaft is refused with a remedy") {
  FaultyFiles files;
  { REQUIRE(Broker(files).boot(5, "c1").ok()); }
  CHECK(files.contents("/data/a/meta.properties").find("broker.id=5\nversion=0\ncluster.id=c1\n") != std::string::npos);
  {
    Broker broker(files);
    CHECK(broker.boot(0, "c1").error().detail.starts_with(
        "Configured broker.id 0 doesn't match stored broker.id 5 in meta.properties."));
  }
  {
    Broker broker(files);
    CHECK(broker.boot(5, "c2").error().detail.starts_with(
        "The Cluster ID c2 doesn't match stored clusterId Some(c1) in meta.properties."));
  }
  files.put("/data/b/meta.properties", "broker.id=6\nversion=0\ncluster.id=c1\n");
  {
    Broker broker(files);
    CHECK(broker.boot(5, "c1").error().detail.starts_with("BrokerMetadata is not consistent across log.dirs"));
  }
  files.put("/data/b/meta.properties", "node.id=5\nversion=1\ncluster.id=c1\n");
  {
    Broker broker(files);
    const auto s = broker.boot(5, "c1");
    CHECK(s.error().detail.starts_with("/data/b/meta.properties: it was formatted for KRaft"));
  }
}

TEST_CASE("meta.properties is read in any order, tolerates what it does not know, and refuses what it must") {
  CHECK(parse_identity("#\n#Sun\ncluster.id=x\ndirectory.id=abc\nversion=0\nbroker.id = 7 \n").value() ==
        Identity{BrokerId{7}, "x"});
  CHECK(parse_identity("version=0\nbroker.id=1\n").value() == Identity{BrokerId{1}, std::nullopt});
  CHECK_FALSE(parse_identity("").ok());
  CHECK_FALSE(parse_identity("broker.id=1\n").ok());
  CHECK_FALSE(parse_identity("version=0\nbroker.id=x\n").ok());
  CHECK_FALSE(parse_identity("version=2\nbroker.id=1\n").ok());
  CHECK(format_identity({BrokerId{0}, "Xb1WQ-5hQ3Sv_rV1ZlTjUg"}, base::timestamp_from_ms(1'795'370'400'000)) ==
        "#\n#Sun Nov 22 18:00:00 UTC 2026\nbroker.id=0\nversion=0\ncluster.id=Xb1WQ-5hQ3Sv_rV1ZlTjUg\n");
}

TEST_CASE("a directory that is no partition's stops the start, plain files do not") {
  FaultyFiles files;
  { REQUIRE(Broker(files).boot().ok()); }
  files.put("/data/a/notes.txt", "hello");
  { REQUIRE(Broker(files).boot().ok()); }
  REQUIRE(files.create_directories("/data/a/foo").ok());
  Broker broker(files);
  CHECK(
      broker.boot().error().detail.starts_with("Found directory /data/a/foo, 'foo' is not in the form of "
                                               "topic-partition or topic-partition.uniqueId-delete"));
}

TEST_CASE("one partition in two directories stops the start") {
  FaultyFiles files;
  REQUIRE(files.create_directories("/data/a/t-0").ok());
  REQUIRE(files.create_directories("/data/b/t-0").ok());
  Broker broker(files);
  CHECK(broker.boot().error().detail.starts_with("Duplicate log directories found"));
}

TEST_CASE("a failed directory goes offline and the other one serves on") {
  FaultyFiles files;
  {
    Broker broker(files);
    REQUIRE(broker.boot().ok());
    std::vector<std::unique_ptr<Log>> taken;
    for (int p = 0; p < 2; ++p) {
      taken.push_back(broker.logs.create({"t", p}, std::nullopt, {}).value());
      append(*taken.back(), "v");
    }
    files.fail_paths_with("/data/a/");
    for (auto& log : taken) {
      auto bytes = make_batch({.values = {"w"}});
      auto batch = protocol::Batch::parse(bytes.bytes());
      const bool in_a = log->directory().starts_with("/data/a/");
      CHECK(log->append_as_leader(std::span(&**batch, 1), LeaderEpoch{0}).ok() != in_a);
    }
    CHECK(broker.failed() == std::vector<std::string>{"/data/a"});
    CHECK(broker.dirs.online().size() == 1);
    auto fresh = broker.logs.create({"t", 2}, std::nullopt, {});
    REQUIRE(fresh.ok());
    CHECK((*fresh)->directory() == "/data/b/t-2");
    taken.push_back(std::move(fresh).value());
    REQUIRE(broker.logs.close(std::move(taken)).ok());
    CHECK_FALSE(exists(files, "/data/a/.kafka_cleanshutdown"));
    CHECK(exists(files, "/data/b/.kafka_cleanshutdown"));
  }
  files.never_fail();
  Broker broker(files);
  REQUIRE(broker.boot().ok());
  CHECK(broker.logs.partitions().size() == 3);
}

TEST_CASE("a directory that cannot be read at the start is offline from the beginning, all of them is an error") {
  FaultyFiles files;
  { REQUIRE(Broker(files).boot().ok()); }
  files.fail_paths_with("/data/a");
  files.put("/data/b/.kafka_cleanshutdown", "");
  files.put("/data/a/.kafka_cleanshutdown", "");
  {
    Broker broker(files);
    REQUIRE(broker.boot().ok());
    CHECK(broker.failed() == std::vector<std::string>{"/data/a"});
  }
  files.never_fail();
  files.put("/data/a/recovery-point-offset-checkpoint", "rubbish");
  {
    Broker broker(files);
    REQUIRE(broker.boot().ok());
    CHECK(broker.failed() == std::vector<std::string>{"/data/a"});
  }
  files.put("/data/b/recovery-point-offset-checkpoint", "rubbish");
  Broker broker(files);
  CHECK_FALSE(broker.boot().ok());
}

TEST_CASE("a removed log is gone at once, its files after the delay or at the next start") {
  FaultyFiles files;
  Broker broker(files, {"/data/a"});
  REQUIRE(broker.boot().ok());
  auto log = broker.logs.create({"t", 0}, std::nullopt, {}).value();
  append(*log, "old");
  broker.logs.checkpoint_high_watermarks();
  REQUIRE(broker.logs.remove(std::move(log)).ok());
  CHECK(broker.logs.partitions().empty());
  CHECK_FALSE(exists(files, "/data/a/t-0"));
  const auto leftover = [&] {
    const auto entries = files.list("/data/a");
    for (const auto& entry : entries.value())
      if (entry.is_directory && entry.name.ends_with("-delete")) return entry.name;
    return std::string();
  };
  CHECK(parse_directory_name(leftover())->kind == DirectoryKind::deleted);
  broker.logs.run_due_jobs();
  broker.run_background();
  CHECK_FALSE(leftover().empty());

  // A new log of that name does not inherit the old one's offsets.
  auto fresh = broker.logs.create({"t", 0}, std::nullopt, {}).value();
  CHECK(files.contents("/data/a/replication-offset-checkpoint") == "0\n0\n");
  CHECK(fresh->log_end_offset() == Offset{0});

  broker.clock.advance(std::chrono::minutes(1));
  broker.logs.run_due_jobs();
  broker.run_background();
  CHECK(leftover().empty());

  REQUIRE(broker.logs.remove(std::move(fresh)).ok());
  CHECK_FALSE(leftover().empty());
  files.restart(FaultyFiles::AfterStop::kept_cache);
  Broker next(files, {"/data/a"});
  REQUIRE(next.boot().ok());
  next.logs.run_due_jobs();
  next.run_background();
  CHECK(leftover().empty());
}

TEST_CASE("files of segments that a log gave up are removed after the delay, or at the next start") {
  FaultyFiles files;
  const auto deleted = [&] {
    std::size_t count = 0;
    for (const auto& path : files.all_paths()) count += path.ends_with(".deleted");
    return count;
  };
  {
    Broker broker(files, {"/data/a"});
    REQUIRE(broker.boot().ok());
    LogSettings settings;
    settings.file_delete_delay = std::chrono::milliseconds(500);
    auto log = broker.logs.create({"t", 0}, std::nullopt, settings).value();
    for (int i = 0; i < 2; ++i) {
      append(*log, "x");
      REQUIRE(log->roll().ok());
    }
    REQUIRE(log->delete_leading_segments(1).ok());
    CHECK(deleted() > 0);
    broker.clock.advance(std::chrono::milliseconds(499));
    broker.logs.run_due_jobs();
    broker.run_background();
    CHECK(deleted() > 0);
    broker.clock.advance(std::chrono::milliseconds(1));
    broker.logs.run_due_jobs();
    broker.run_background();
    CHECK(deleted() == 0);
    REQUIRE(log->delete_leading_segments(1).ok());
    CHECK(deleted() > 0);
    files.restart(FaultyFiles::AfterStop::kept_cache);
  }
  Broker next(files, {"/data/a"});
  REQUIRE(next.boot().ok());
  CHECK(deleted() == 0);
  CHECK(next.logs.take({"t", 0})->log_start_offset() == Offset{2});
  CHECK(next.failed().empty());
}

TEST_CASE("a flush under way does not retire the directory of a log that is removed") {
  FaultyFiles files;
  Broker broker(files, {"/data/a"});
  REQUIRE(broker.boot().ok());
  auto log = broker.logs.create({"t", 0}, std::nullopt, {}).value();
  append(*log, "x");
  REQUIRE(log->roll().ok());
  REQUIRE(broker.logs.remove(std::move(log)).ok());
  broker.run_background();
  CHECK(broker.failed().empty());
}

TEST_CASE("checkpoints are written at their intervals") {
  FaultyFiles files;
  Broker broker(files, {"/data/a"});
  REQUIRE(broker.boot().ok());
  auto log = broker.logs.create({"t", 0}, std::nullopt, {}).value();
  broker.logs.run_due_jobs();
  for (int i = 0; i < 3; ++i) append(*log, "x");
  CHECK_FALSE(exists(files, "/data/a/replication-offset-checkpoint"));
  broker.clock.advance(std::chrono::seconds(5));
  broker.logs.run_due_jobs();
  CHECK(files.contents("/data/a/replication-offset-checkpoint") == "0\n1\nt 0 3\n");
  CHECK_FALSE(exists(files, "/data/a/recovery-point-offset-checkpoint"));
  REQUIRE(log->advance_log_start(Offset{2}).ok());
  REQUIRE(log->prepare_flush().value().run().ok());
  broker.clock.advance(std::chrono::seconds(55));
  broker.logs.run_due_jobs();
  CHECK(files.contents("/data/a/recovery-point-offset-checkpoint") == "0\n1\nt 0 3\n");
  CHECK(files.contents("/data/a/log-start-offset-checkpoint") == "0\n1\nt 0 2\n");
}

TEST_CASE("the maintenance thread starts and stops") {
  FaultyFiles files;
  Broker broker(files, {"/data/a"});
  REQUIRE(broker.boot().ok());
  broker.logs.start();
  broker.logs.stop();
  REQUIRE(broker.logs.close({}).ok());
}

TEST_CASE("a log that would end below its start begins anew there") {
  FaultyFiles files;
  {
    Broker broker(files, {"/data/a"});
    REQUIRE(broker.boot().ok());
    auto log = broker.logs.create({"t", 0}, std::nullopt, {}).value();
    append(*log, "x");
    REQUIRE(broker.logs.close(list_of(std::move(log))).ok());
  }
  files.put("/data/a/log-start-offset-checkpoint", "0\n1\nt 0 77\n");
  Broker broker(files, {"/data/a"});
  REQUIRE(broker.boot().ok());
  auto log = broker.logs.take({"t", 0});
  CHECK(log->log_start_offset() == Offset{77});
  CHECK(log->log_end_offset() == Offset{77});
}

TEST_CASE("after an orderly stop no file of a segment is opened or read, however many there are") {
  FaultyFiles disk;
  {
    Broker broker(disk, {"/data/a"});
    REQUIRE(broker.boot().ok());
    std::vector<std::unique_ptr<Log>> taken;
    for (int p = 0; p < 5; ++p) {
      taken.push_back(broker.logs.create({"t", p}, std::nullopt, {}).value());
      for (int i = 0; i < 50; ++i) {
        append(*taken.back(), "x");
        REQUIRE(taken.back()->roll().ok());
      }
      append(*taken.back(), "x");
    }
    broker.run_background();
    REQUIRE(broker.logs.close(std::move(taken)).ok());
  }
  WatchedFiles files(disk);
  Broker broker(files, {"/data/a"});
  REQUIRE(broker.boot().ok());
  for (const auto& path : files.opened()) {
    const auto file = parse_file_name(path.substr(path.rfind('/') + 1));
    CHECK((!file || file->kind == FileKind::snapshot));
  }
  for (int p = 0; p < 5; ++p) {
    auto log = broker.logs.take({"t", p});
    REQUIRE(log);
    CHECK(log->segments().size() == 51);
    CHECK(log->log_end_offset() == Offset{51});
  }
}

TEST_CASE("a stop before everything is open leaves no clean marker and forgets no offset") {
  FaultyFiles files;
  {
    Broker broker(files);
    REQUIRE(broker.boot().ok());
    std::vector<std::unique_ptr<Log>> taken;
    for (int p = 0; p < 2; ++p) {
      taken.push_back(broker.logs.create({"t", p}, std::nullopt, {}).value());
      for (int i = 0; i < 5; ++i) append(*taken.back(), "x");
      REQUIRE(taken.back()->advance_log_start(Offset{2}).ok());
    }
    REQUIRE(broker.logs.close(std::move(taken)).ok());
  }
  for (const bool begun : {false, true}) {
    WatchedFiles watched(files);
    Broker broker(watched);
    REQUIRE(broker.dirs.open().ok());
    REQUIRE(broker.dirs.claim({BrokerId{0}, "c1"}).ok());
    watched.hold("/data/a/t-");
    REQUIRE(broker.logs.open().ok());
    if (begun) {
      broker.logs.start_loading();
      watched.await_held();
    }
    // The periodic work knows what is not open yet.
    broker.logs.run_due_jobs();
    broker.clock.advance(std::chrono::minutes(1));
    broker.logs.run_due_jobs();
    const auto in_a = [&](const std::string& name) { return files.contents("/data/a/" + name); };
    for (const auto name : {"recovery-point-offset-checkpoint", "replication-offset-checkpoint"})
      CHECK(in_a(name).ends_with(" 5\n"));
    CHECK(in_a("log-start-offset-checkpoint").ends_with(" 2\n"));
    if (begun) {
      watched.release();
      continue;  // the destructor gives up, or comes too late for that
    }
    REQUIRE(broker.logs.close({}).ok());
    CHECK_FALSE(exists(files, "/data/a/.kafka_cleanshutdown"));
    CHECK_FALSE(exists(files, "/data/b/.kafka_cleanshutdown"));
    CHECK(in_a("log-start-offset-checkpoint").ends_with(" 2\n"));
  }
  Broker broker(files);
  REQUIRE(broker.boot().ok());
  for (int p = 0; p < 2; ++p) {
    auto log = broker.logs.take({"t", p});
    REQUIRE(log);
    CHECK(log->log_start_offset() == Offset{2});
    CHECK(log->high_watermark() == Offset{5});
    CHECK(log->log_end_offset() == Offset{5});
  }
}

TEST_CASE("how far the opening has come can be read while it goes on") {
  FaultyFiles files;
  std::uint64_t bytes = 0;
  {
    Broker broker(files, {"/data/a"});
    REQUIRE(broker.boot().ok());
    for (int p = 0; p < 3; ++p) {
      auto log = broker.logs.create({"t", p}, std::nullopt, {}).value();
      for (int i = 0; i <= p; ++i) append(*log, "x");
      bytes += log->size_bytes();
    }
    files.restart(FaultyFiles::AfterStop::kept_cache);
  }
  WatchedFiles watched(files);
  Broker broker(watched, {"/data/a"});
  REQUIRE(broker.dirs.open().ok());
  REQUIRE(broker.dirs.claim({BrokerId{0}, "c1"}).ok());
  REQUIRE(broker.logs.open().ok());
  CHECK(broker.logs.progress().partitions == 3);
  CHECK_FALSE(broker.logs.progress().done());
  int called = 0;
  CHECK(broker.logs.when_loaded({"t", 2}, [&] { ++called; }));
  CHECK_FALSE(broker.logs.when_loaded({"t", 3}, [&] { ++called; }));
  broker.logs.start_loading();
  broker.logs.wait_loaded();
  const auto counts = broker.logs.progress();
  CHECK(counts.done());
  CHECK(counts.partitions_done == 3);
  CHECK(counts.bytes == bytes);
  CHECK(counts.bytes_done == bytes);
  broker.logs.stop_loading();
  CHECK(called == 1);
  CHECK_FALSE(broker.logs.when_loaded({"t", 2}, [&] { ++called; }));
}

TEST_CASE("a stop on a full disk leaves no clean marker behind checkpoints that are old") {
  FaultyFiles files;
  {
    Broker broker(files, {"/data/a"});
    REQUIRE(broker.boot().ok());
    auto log = broker.logs.create({"t", 0}, std::nullopt, {}).value();
    append(*log, "x");
    broker.logs.checkpoint_recovery_points();
    broker.logs.checkpoint_high_watermarks();
    append(*log, "y");
    files.fill_up();
    CHECK_FALSE(broker.logs.close(list_of(std::move(log))).ok());
    CHECK(broker.failed().empty());
    CHECK_FALSE(exists(files, "/data/a/.kafka_cleanshutdown"));
  }
  // It starts again before there is room.
  Broker broker(files, {"/data/a"});
  REQUIRE(broker.boot().ok());
  CHECK(broker.failed().empty());
  auto log = broker.logs.take({"t", 0});
  REQUIRE(log);
  CHECK(log->log_end_offset() == Offset{2});
}
