#include "storage/log/segment_recovery.h"

#include <catch2/catch.hpp>

#include <thread>

#include "tests/support/storage/batches.h"

using namespace storage;
using namespace storage::testing;
using base::LeaderEpoch;
using base::Offset;

namespace {

// A log of many segments with producers, transactions of which some were aborted, and several epochs.
void fill(LogBench& bench, std::uint64_t seed) {
  REQUIRE(bench.create().ok());
  base::SeededRandom random{seed};
  std::map<std::int64_t, int> sequences;
  for (int i = 0; i < 150; ++i) {
    protocol::BatchSpec spec;
    const auto id = static_cast<std::int64_t>(random.below(4));
    if (id > 0) {
      spec.producer_id = base::ProducerId{id};
      spec.producer_epoch = base::ProducerEpoch{0};
      spec.base_sequence = sequences[id]++;
      spec.transactional = id == 3;
    }
    REQUIRE(bench.append({.values = {"v" + std::to_string(i)}, .spec = spec}, LeaderEpoch{i / 40}).ok());
  }
  REQUIRE(bench.log->segments().size() > 8);
}

std::map<std::string, std::string> files_of(const LogBench& bench) {
  std::map<std::string, std::string> all;
  for (const auto& path : bench.files.all_paths()) all[path] = bench.files.contents(path);
  return all;
}

void put_back(LogBench& bench, const std::map<std::string, std::string>& files) {
  for (const auto& path : bench.files.all_paths())
    if (!files.contains(path)) REQUIRE(bench.files.remove(path).ok());
  for (const auto& [path, contents] : files) bench.files.put(path, contents);
}

struct Found {
  std::vector<SeenRecord> records;
  std::vector<ProducerEntry> producers;
  std::vector<EpochStart> epochs;
  Offset end;
  std::uint64_t dropped_bytes = 0;
  std::map<std::string, std::string> files;
  bool operator==(const Found&) const = default;
};

Found recover(LogBench& bench) {
  auto loaded = bench.load({});
  REQUIRE(loaded.ok());
  return {.records = read_all(*bench.log, Offset{0}),
          .producers = bench.log->producers().entries(),
          .epochs = bench.log->epochs().entries(),
          .end = bench.log->log_end_offset(),
          .dropped_bytes = loaded->dropped_bytes,
          .files = files_of(bench)};
}

}  // namespace

TEST_CASE("segments recovered side by side give what recovering them one by one gives, damage included") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    INFO("seed " << seed);
    LogBench bench;
    fill(bench, seed);
    base::SeededRandom random{seed + 1000};
    // Bits flipped in up to two data files, so that whatever was found behind the first must not count.
    for (auto flips = random.below(3); flips > 0; --flips) {
      const auto& segment = bench.log->segments().at(random.below(bench.log->segments().size()));
      const auto path = bench.directory + "/" + file_name(segment.base_offset(), FileKind::data);
      auto bytes = bench.files.contents(path);
      if (bytes.empty()) continue;
      bytes[random.below(bytes.size())] ^= static_cast<char>(1 << random.below(8));
      bench.files.put(path, bytes);
    }
    const auto before = files_of(bench);
    const auto expected = recover(bench);
    put_back(bench, before);

    std::vector<std::thread> helpers;
    std::atomic<std::uint64_t> bytes_read{0};
    bench.crew = {.bytes_read = &bytes_read, .helpers = 3, .offer = [&](std::function<void()> work) {
                    helpers.emplace_back(std::move(work));
                  }};
    const auto found = recover(bench);
    for (auto& helper : helpers) helper.join();
    CHECK(helpers.size() == 3);
    REQUIRE(found == expected);
    CHECK(bytes_read > 0);
  }
}

TEST_CASE("help that comes after the end of a recovery finds nothing to do") {
  LogBench bench;
  fill(bench, 1);
  std::vector<std::function<void()>> late;
  bench.crew = {.helpers = 3, .offer = [&](std::function<void()> work) { late.push_back(std::move(work)); }};
  const auto found = recover(bench);
  CHECK(found.end == Offset{150});
  bench.log.reset();
  for (auto& work : late) work();
}

TEST_CASE("a recovery that is given up fails, harms nothing and retires no directory") {
  LogBench bench;
  fill(bench, 2);
  const auto before = read_all(*bench.log, Offset{0});
  std::atomic<bool> give_up{true};
  std::vector<std::thread> helpers;
  bench.crew = {.give_up = &give_up, .helpers = 2, .offer = [&](std::function<void()> work) {
                  helpers.emplace_back(std::move(work));
                }};
  CHECK_FALSE(bench.load({}).ok());
  for (auto& helper : helpers) helper.join();
  CHECK(bench.retired.empty());
  bench.crew = {};
  REQUIRE(bench.load({}).ok());
  CHECK(read_all(*bench.log, Offset{0}) == before);
}
