// Measures, not checks: run with `unit_storage [.measure]`. They print ratios worth keeping beside a change.
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <filesystem>

#include "base/posix_files.h"
#include "storage/dirs/log_set.h"
#include "tests/support/storage/batches.h"

using namespace storage;
using namespace storage::testing;
using base::LeaderEpoch;
using base::Offset;

namespace {

struct ScratchDirectory {
  std::string path = (std::filesystem::temp_directory_path() / fmt::format("weir-measure-{}", ::getpid())).string();
  ScratchDirectory() { std::filesystem::create_directories(path); }
  ~ScratchDirectory() { std::filesystem::remove_all(path); }
};

double cpu_us() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

}  // namespace

TEST_CASE("CPU of an append beside that of a bare write", "[.measure]") {
  for (const std::size_t size : {1024, 65536}) {
    ScratchDirectory scratch;
    base::PosixFiles files;
    base::SystemClock clock;
    base::SystemRandom random;
    LogServices services{.files = files, .clock = clock, .random = random, .in_background = [](auto) {}};
    const int count = static_cast<int>((256u << 20) / size);
    auto bytes = make_batch({.values = {std::string(size - 80, 'x')}});
    for (int round = 0; round < 3; ++round) {
      auto bare = files.open(fmt::format("{}/bare-{}", scratch.path, round), base::OpenMode::create_new).value();
      auto begin = cpu_us();
      for (int i = 0; i < count; ++i)
        REQUIRE(bare->write_at(static_cast<std::uint64_t>(i) * bytes.size(), bytes.bytes()).ok());
      const auto floor = (cpu_us() - begin) / count;

      auto health = std::make_shared<DirectoryHealth>(scratch.path, nullptr);
      auto log = create_log(services, {.partition = {"t", round},
                                       .directory = fmt::format("{}/t-{}", scratch.path, round),
                                       .health = health,
                                       .settings = {},
                                       .topic_id = std::nullopt})
                     .value();
      begin = cpu_us();
      for (int i = 0; i < count; ++i) {
        auto batch = protocol::Batch::parse(bytes.bytes());
        REQUIRE(log->append_as_leader(std::span(&**batch, 1), LeaderEpoch{0}).ok());
      }
      const auto append = (cpu_us() - begin) / count;
      begin = cpu_us();
      for (int i = 0; i < 100'000; ++i)
        REQUIRE(log->read(Offset{count - 1 - i % 3}, Offset{count}, {.max_bytes = 1 << 20}).ok());
      const auto tail = (cpu_us() - begin) / 100'000;
      begin = cpu_us();
      for (int i = 0; i < 20'000; ++i)
        REQUIRE(log->read(Offset{i * 7919LL % count}, Offset{count}, {.max_bytes = 1 << 20}).ok());
      const auto anywhere = (cpu_us() - begin) / 20'000;
      fmt::print(
          "{} B: bare write {:.2f} us, append {:.2f} us ({:.2f}x); read at the end {:.2f} us, anywhere {:.2f} us\n",
          size, floor, append, append / floor, tail, anywhere);
    }
  }
}

TEST_CASE("how long an append takes that rolls", "[.measure]") {
  ScratchDirectory scratch;
  base::PosixFiles files;
  base::SystemClock clock;
  base::SystemRandom random;
  base::BlockingPool pool(4, "io");
  pool.start();
  const LogServices services{
      .files = files, .clock = clock, .random = random, .in_background = [&](auto work) { pool.submit(work); }};
  LogSettings settings;
  settings.segment_bytes = 1 << 20;
  auto health = std::make_shared<DirectoryHealth>(scratch.path, nullptr);
  std::vector<std::unique_ptr<Log>> logs;
  for (int i = 0; i < 20; ++i)
    logs.push_back(create_log(services, {.partition = {"t", i},
                                         .directory = fmt::format("{}/t-{}", scratch.path, i),
                                         .health = health,
                                         .settings = settings,
                                         .topic_id = std::nullopt})
                       .value());
  auto bytes = make_batch({.values = {std::string(16'000, 'x')}});
  std::vector<double> rolling, plain;
  for (int i = 0; i < 80'000; ++i) {
    auto& log = *logs[static_cast<std::size_t>(i) % logs.size()];
    auto batch = protocol::Batch::parse(bytes.bytes());
    const auto segments = log.segments().size();
    const auto begin = clock.now();
    REQUIRE(log.append_as_leader(std::span(&**batch, 1), LeaderEpoch{0}).ok());
    const auto took = std::chrono::duration<double, std::micro>(clock.now() - begin).count();
    (log.segments().size() > segments ? rolling : plain).push_back(took);
  }
  for (auto* times : {&rolling, &plain}) {
    std::sort(times->begin(), times->end());
    double total = 0;
    for (const auto one : *times) total += one;
    const auto count = times->size();
    fmt::print("{} appends {}: {:.0f} us on average, median {:.0f}, p99 {:.0f}, longest {:.0f}\n", count,
               times == &rolling ? "that roll" : "that do not", total / static_cast<double>(count), (*times)[count / 2],
               (*times)[count * 99 / 100], times->back());
  }
  pool.stop();
}

TEST_CASE("opening 2,000 partitions", "[.measure]") {
  ScratchDirectory scratch;
  base::PosixFiles files;
  base::SystemClock clock;
  base::SystemRandom random;
  const auto boot = [&](const std::string& title, bool populate, bool clean) {
    LogDirs dirs(files, clock, {scratch.path + "/data"}, nullptr);
    LogSet logs({.files = files, .clock = clock, .random = random, .in_background = [](auto) {}}, dirs,
                {.recovery_threads_per_dir = 2}, [](const std::string&) { return LogSettings{}; });
    REQUIRE(dirs.open().ok());
    REQUIRE(dirs.claim({base::BrokerId{0}, "c"}).ok());
    const auto begin = clock.now();
    REQUIRE(logs.load().ok());
    const auto took = std::chrono::duration<double, std::milli>(clock.now() - begin).count();
    fmt::print("{}: {} partitions in {:.1f} ms\n", title, logs.partitions().size(), took);
    std::vector<std::unique_ptr<Log>> taken;
    for (int p = 0; populate && p < 2000; ++p) {
      taken.push_back(logs.create({"t", p}, std::nullopt, {}).value());
      for (int i = 0; i < 5; ++i) {
        auto bytes = make_batch({.values = {std::string(1000, 'x')}});
        auto batch = protocol::Batch::parse(bytes.bytes());
        REQUIRE(taken.back()->append_as_leader(std::span(&**batch, 1), LeaderEpoch{0}).ok());
      }
    }
    if (!clean) return;
    const auto stop = clock.now();
    REQUIRE(logs.close(std::move(taken)).ok());
    fmt::print("  orderly stop in {:.1f} ms\n", std::chrono::duration<double, std::milli>(clock.now() - stop).count());
  };
  boot("empty", true, true);
  boot("after an orderly stop", false, false);
  boot("after a kill", false, true);
  boot("after an orderly stop, untouched since", false, true);
}

// Run with TMPDIR on a memory file system, or making the logs takes minutes.
TEST_CASE("retention of many logs that were just opened: the first check reads indexes, later ones nothing",
          "[.measure]") {
  ScratchDirectory scratch;
  base::PosixFiles files;
  base::ManualClock clock;
  base::SystemRandom random;
  const LogServices services{
      .files = files, .clock = clock, .random = random, .in_background = [](auto work) { work(); }};
  auto health = std::make_shared<DirectoryHealth>(scratch.path, nullptr);
  LogSettings settings;
  settings.segment_bytes = 500;
  settings.retention = {.max_age = std::chrono::hours(1), .max_bytes = 1 << 30};
  constexpr int kLogs = 10'000;
  std::vector<std::unique_ptr<Log>> logs;
  for (int i = 0; i < kLogs; ++i) {
    const TopicPartition partition{"t", i};
    const auto directory = fmt::format("{}/t-{}", scratch.path, i);
    auto log =
        create_log(
            services,
            {.partition = partition, .directory = directory, .health = health, .settings = settings, .topic_id = {}})
            .value();
    for (int n = 0; n < 8; ++n) {  // three segments
      auto bytes = make_batch({.values = {std::string(100, 'x')}});
      auto batch = protocol::Batch::parse(bytes.bytes());
      REQUIRE(log->append_as_leader(std::span(&**batch, 1), LeaderEpoch{0}).ok());
    }
    REQUIRE(log->close().ok());
    log.reset();
    logs.push_back(std::move(load_log(services, {.partition = partition,
                                                 .directory = directory,
                                                 .health = health,
                                                 .settings = settings,
                                                 .clean_stop = true,
                                                 .recovery_point = Offset{8},
                                                 .log_start = {},
                                                 .high_watermark = Offset{8}})
                                 .value()
                                 .log));
  }
  const auto now = base::timestamp_from_ms(1'700'000'000'000);  // when the records were made
  for (int round = 0; round < 4; ++round) {
    const auto begin = cpu_us();
    for (auto& log : logs) REQUIRE_FALSE(log->apply_retention(now, 16).value());
    fmt::print("check {}: {:.0f} us of CPU for {} logs of three segments\n", round, cpu_us() - begin, kLogs);
  }
}
