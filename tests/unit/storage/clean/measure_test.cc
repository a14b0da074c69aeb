// Measures, not checks: run with `unit_storage [.measure]`.
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "base/bytes.h"
#include "base/posix_files.h"
#include "storage/clean/cleaner.h"
#include "tests/support/storage/batches.h"
#include "tests/support/storage/keyed_log.h"
#include "tests/support/storage/temporary_directory.h"

using namespace storage;
using namespace storage::testing;
using base::Offset;
using protocol::Codec;

namespace {

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

struct Shape {
  const char* what;
  Codec codec;
  std::size_t value_bytes;
  std::size_t records_per_batch;
  std::uint64_t keys;
  std::uint64_t total_bytes;
};

// A log of such batches with keys drawn at random, below `keys`; each record costs about value_bytes + 35.
std::unique_ptr<Log> make_log(const Shape& shape, const LogServices& services, const std::string& directory) {
  LogSettings settings;
  settings.segment_bytes = 256 << 20;
  auto log = create_log(services, {.partition = {"t", 0},
                                   .directory = directory,
                                   .health = std::make_shared<DirectoryHealth>(directory, nullptr),
                                   .settings = settings,
                                   .topic_id = std::nullopt})
                 .value();
  base::SeededRandom random(5);
  std::uint64_t unpacked = 0;
  for (std::uint64_t i = 0; unpacked < shape.total_bytes; ++i) {
    std::vector<KeyedFields> records;
    for (std::size_t r = 0; r < shape.records_per_batch; ++r) {
      records.push_back({fmt::format("key-{:012}", random.below(shape.keys)), std::string(shape.value_bytes, 'v'), {}});
      for (std::size_t at = 0; at + 8 <= shape.value_bytes; at += 32)
        base::store_big_endian(reinterpret_cast<std::byte*>(records.back().value->data()) + at, random.next());
      unpacked += shape.value_bytes + 35;
    }
    auto bytes = keyed_batch({.codec = shape.codec}, records);
    auto batch = protocol::Batch::parse(bytes.bytes()).value();
    base::invariant(log->append_as_leader(std::span(&*batch, 1), base::LeaderEpoch{0}).ok(), "an append");
  }
  log->set_high_watermark(log->log_end_offset());
  base::invariant(log->roll().ok(), "a roll");
  return log;
}

}  // namespace

TEST_CASE("how fast logs are cleaned", "[.measure]") {
  const Shape shapes[] = {
      {"1 KiB values, few keys", Codec::none, 1024, 16, 100'000, 2ull << 30},
      {"1 KiB values, every key once or twice", Codec::none, 1024, 16, 2'000'000, 2ull << 30},
      {"100 B values", Codec::none, 100, 100, 2'000'000, 1ull << 30},
      {"100 B values, lz4", Codec::lz4, 100, 100, 2'000'000, 1ull << 30},
      {"100 B values, zstd", Codec::zstd, 100, 100, 2'000'000, 1ull << 30},
  };
  for (const auto& shape : shapes) {
    support::TemporaryDirectory scratch;
    base::PosixFiles files;
    base::SystemClock clock;
    base::SystemRandom random;
    LogServices services{.files = files, .clock = clock, .random = random, .in_background = [](auto) {}};
    auto log = make_log(shape, services, scratch.file("t-0"));
    Cleaner cleaner({.files = files,
                     .clock = clock,
                     .random = random,
                     .with_log =
                         [&](const TopicPartition&, const std::function<void(Log&)>& call) {
                           call(*log);
                           return true;
                         },
                     .go_on = [](std::size_t) { return true; }});
    CleanSettings clean_settings;
    clean_settings.segment_bytes = 256 << 20;
    const auto begin = clock.now();
    const auto cpu = cpu_seconds();
    const auto outcome = cleaner.clean({"t", 0}, clean_settings, {});
    const auto used = cpu_seconds() - cpu;
    REQUIRE(outcome.kind == CleanOutcome::Kind::cleaned);
    const auto seconds = [](base::Duration d) { return std::chrono::duration<double>(d).count(); };
    const auto all = seconds(clock.now() - begin);
    const auto& r = outcome.report;
    rusage memory{};
    ::getrusage(RUSAGE_SELF, &memory);
    fmt::print(
        "{}: {} MB and {} records in, {} MB out, {} keys: map {:.0f} MB/s {:.2f} M records/s; copy {:.0f} MB/s {:.2f} "
        "M "
        "records/s; all {:.2f} s, {:.0f} MB/s, {:.2f} s CPU; resident at most {} MB\n",
        shape.what, r.bytes_before >> 20, r.mapped_records, r.bytes_after >> 20, r.keys,
        static_cast<double>(r.mapped_bytes) / 1e6 / seconds(r.mapping),
        static_cast<double>(r.mapped_records) / 1e6 / seconds(r.mapping),
        static_cast<double>(r.bytes_before) / 1e6 / seconds(r.copying),
        static_cast<double>(r.mapped_records) / 1e6 / seconds(r.copying), all,
        static_cast<double>(r.bytes_before) / 1e6 / all, used, memory.ru_maxrss >> 10);
  }
}
