#include "storage/log/epochs.h"

#include <catch2/catch.hpp>

#include "base/posix_files.h"
#include "base/random.h"
#include "storage/dirs/checkpoints.h"
#include "tests/support/storage/golden.h"
#include "tests/support/storage/temporary_directory.h"

using namespace storage;
using base::LeaderEpoch;
using base::Offset;

namespace {

EpochStart at(std::int32_t epoch, std::int64_t start) { return {LeaderEpoch{epoch}, Offset{start}}; }
EpochEnd until(std::int32_t epoch, std::int64_t end) { return {LeaderEpoch{epoch}, Offset{end}}; }

EpochTable table_of(const std::vector<EpochStart>& entries) {
  EpochTable table;
  for (const auto& [epoch, start] : entries) REQUIRE(table.assign(epoch, start));
  return table;
}

}  // namespace

TEST_CASE("an epoch that goes on changes nothing, and a new one is added") {
  auto table = table_of({at(0, 0), at(2, 10)});
  CHECK_FALSE(table.assign(LeaderEpoch{2}, Offset{10}));
  CHECK_FALSE(table.assign(LeaderEpoch{2}, Offset{15}));
  CHECK(table.assign(LeaderEpoch{3}, Offset{20}));
  CHECK(table.entries() == std::vector{at(0, 0), at(2, 10), at(3, 20)});
}

TEST_CASE("an assignment drops the entries it contradicts") {
  const auto [epoch, start, left] = GENERATE(table<int, int, std::vector<EpochStart>>({
      {4, 20, {at(0, 0), at(2, 10), at(4, 20)}},  // same start: the newer epoch holds it
      {4, 15, {at(0, 0), at(2, 10), at(4, 15)}},  // starts earlier than the last
      {3, 5, {at(0, 0), at(3, 5)}},               // same epoch, earlier
      {2, 25, {at(0, 0), at(2, 25)}},             // older epoch, later
      {1, 0, {at(1, 0)}},
      {0, 0, {at(0, 0)}},
  }));
  auto table = table_of({at(0, 0), at(2, 10), at(3, 20)});
  CHECK(table.assign(LeaderEpoch{epoch}, Offset{start}));
  CHECK(table.entries() == left);
}

TEST_CASE("records without an epoch say nothing of epochs") {
  EpochTable table;
  CHECK_FALSE(table.assign(base::kNoLeaderEpoch, Offset{0}));
  CHECK_FALSE(table.assign(LeaderEpoch{1}, base::kNoOffset));
  CHECK(table.entries().empty());
}

// Answers of Apache Kafka 3.9.1 to OffsetForLeaderEpoch with exactly these entries.
TEST_CASE("an epoch ends where the next one begins") {
  const auto [epoch, end] = GENERATE(table<int, EpochEnd>({
      {-1, {}},           // nobody's epoch
      {0, until(0, 15)},  // older than everything here: what followed it begins where the log does
      {1, until(1, 15)},
      {3, until(3, 17)},
      {4, until(3, 17)},  // was never here: the one before it
      {6, until(3, 17)},
      {7, until(7, 19)},  // the latest ends with the log
      {8, {}},            // not known yet
  }));
  const auto table = table_of({at(3, 15), at(7, 17)});
  CHECK(table.end_offset_for(LeaderEpoch{epoch}, Offset{19}) == end);
  CHECK(EpochTable{}.end_offset_for(LeaderEpoch{epoch}, Offset{19}) == EpochEnd{});
}

TEST_CASE("an offset was written under the epoch that holds it") {
  const auto table = table_of({at(3, 15), at(7, 17)});
  CHECK_FALSE(table.epoch_at(Offset{14}));
  CHECK(table.epoch_at(Offset{15}) == LeaderEpoch{3});
  CHECK(table.epoch_at(Offset{16}) == LeaderEpoch{3});
  CHECK(table.epoch_at(Offset{17}) == LeaderEpoch{7});
  CHECK(table.latest() == at(7, 17));
}

TEST_CASE("truncating the end drops epochs that begin there or later") {
  const auto [end, changes, left] = GENERATE(table<int, bool, std::vector<EpochStart>>({
      {30, false, {at(0, 0), at(2, 10), at(3, 20)}},
      {21, false, {at(0, 0), at(2, 10), at(3, 20)}},
      {20, true, {at(0, 0), at(2, 10)}},
      {11, true, {at(0, 0), at(2, 10)}},
      {1, true, {at(0, 0)}},
      {0, true, {}},
  }));
  auto table = table_of({at(0, 0), at(2, 10), at(3, 20)});
  CHECK(table.truncate_from_end(Offset{end}) == changes);
  CHECK(table.entries() == left);
}

TEST_CASE("truncating the start keeps the epoch that holds it, from there on") {
  const auto [start, changes, left] = GENERATE(table<int, bool, std::vector<EpochStart>>({
      {0, false, {at(1, 5), at(2, 10), at(3, 20)}},
      {5, false, {at(1, 5), at(2, 10), at(3, 20)}},
      {7, true, {at(1, 7), at(2, 10), at(3, 20)}},
      {10, true, {at(2, 10), at(3, 20)}},
      {25, true, {at(3, 25)}},
  }));
  auto table = table_of({at(1, 5), at(2, 10), at(3, 20)});
  CHECK(table.truncate_from_start(Offset{start}) == changes);
  CHECK(table.entries() == left);
}

TEST_CASE("leader epoch files of Apache Kafka are read, and written byte for byte alike") {
  const auto text = support::golden("kafka-3.9.1/leader-epoch-checkpoint");
  const auto table = EpochTable::parse(text);
  REQUIRE(table.ok());
  CHECK(table->entries() == std::vector{at(3, 15), at(7, 17)});
  CHECK(table->format() == text);

  // `kafka-delete-records` up to offset 5 leaves "0 5".
  auto records_deleted = table_of({at(0, 0)});
  CHECK(records_deleted.truncate_from_start(Offset{5}));
  CHECK(records_deleted.format() == support::golden("kafka-3.9.1/leader-epoch-checkpoint.after-delete-records"));
}

TEST_CASE("a broken leader epoch file is an error that names the line") {
  for (const std::string text : {"1\n0\n", "0\n1\n", "0\n1\n1 2 3\n", "0\n1\nx 2\n", "0\n1\n-1 2\n"}) {
    INFO(text);
    const auto parsed = EpochTable::parse(text);
    REQUIRE_FALSE(parsed.ok());
    CHECK_THAT(parsed.error().detail, Catch::Matchers::Contains("line "));
  }
  // Entries out of order contradict each other; the later one holds, as when they are assigned.
  CHECK(EpochTable::parse("0\n3\n1 10\n5 20\n2 15\n")->entries() == std::vector{at(1, 10), at(2, 15)});
}

TEST_CASE("whatever is done to an epoch table, epochs and offsets rise and the rules agree with each other") {
  base::SeededRandom random{11};
  for (int round = 0; round < 2'000; ++round) {
    EpochTable table;
    for (int step = 0; step < 12; ++step) {
      const Offset offset{static_cast<std::int64_t>(random.below(40))};
      switch (random.below(6)) {
        case 0:
          table.truncate_from_end(offset);
          break;
        case 1:
          table.truncate_from_start(offset);
          break;
        default:
          table.assign(LeaderEpoch{static_cast<std::int32_t>(random.below(10))}, offset);
      }
      const auto& entries = table.entries();
      for (std::size_t i = 1; i < entries.size(); ++i) {
        REQUIRE(entries[i - 1].epoch < entries[i].epoch);
        REQUIRE(entries[i - 1].start < entries[i].start);
      }
      for (std::size_t i = 0; i < entries.size(); ++i) {
        const auto end = i + 1 < entries.size() ? entries[i + 1].start : Offset{100};
        REQUIRE(table.end_offset_for(entries[i].epoch, Offset{100}) == EpochEnd{entries[i].epoch, end});
        REQUIRE(table.epoch_at(entries[i].start) == entries[i].epoch);
      }
      REQUIRE(EpochTable::parse(table.format())->entries() == entries);
    }
  }
}

TEST_CASE("the leader epoch file is written when the table changes, and only then") {
  base::PosixFiles files;
  const support::TemporaryDirectory directory;
  const auto path = directory.file(std::string{kLeaderEpochCheckpoint});
  auto epochs = LeaderEpochs::load(files, path);
  REQUIRE(epochs.ok());
  CHECK(epochs->table().entries().empty());
  REQUIRE(epochs->truncate_from_end(Offset{0}).ok());
  CHECK_FALSE(*files.exists(path));

  REQUIRE(epochs->assign(LeaderEpoch{4}, Offset{7}).ok());
  CHECK(*base::read_file(files, path) == "0\n1\n4 7\n");
  REQUIRE(files.remove(path).ok());
  REQUIRE(epochs->assign(LeaderEpoch{4}, Offset{9}).ok());
  epochs->forget_below(Offset{3});
  REQUIRE(epochs->save().ok());
  auto same = EpochTable::parse("0\n1\n4 7\n");
  REQUIRE(epochs->replace(*same).ok());
  CHECK_FALSE(*files.exists(path));

  REQUIRE(base::write_file_atomically(files, path, "0\n1\n4 7\n").ok());
  epochs->forget_below(Offset{8});
  REQUIRE(epochs->assign(LeaderEpoch{4}, Offset{9}).ok());  // an append goes past without writing
  CHECK(*base::read_file(files, path) == "0\n1\n4 7\n");
  REQUIRE(epochs->save().ok());
  CHECK(LeaderEpochs::load(files, path)->table().entries() == std::vector{at(4, 8)});
  REQUIRE(epochs->clear().ok());
  CHECK(*base::read_file(files, path) == "0\n0\n");

  REQUIRE(base::write_file_atomically(files, path, "0\n1\nx\n").ok());
  CHECK(LeaderEpochs::load(files, path).error().detail == path + ": line 3: expected 2 fields, found 'x'");
}

TEST_CASE("an epoch without records is dropped from memory at once and from the file with the next change") {
  base::PosixFiles files;
  const support::TemporaryDirectory directory;
  const auto path = directory.file(std::string{kLeaderEpochCheckpoint});
  REQUIRE(base::write_file_atomically(files, path, "0\n2\n1 0\n5 100\n").ok());
  auto epochs = LeaderEpochs::load(files, path);
  REQUIRE(epochs.ok());
  epochs->drop_unwritten(Offset{100});
  CHECK(epochs->table().entries() == std::vector{at(1, 0)});
  CHECK(*base::read_file(files, path) == "0\n2\n1 0\n5 100\n");

  // Records of the older epoch arrive: nothing new for the table, but the file must no longer claim offset 100 for 5.
  REQUIRE(epochs->assign(LeaderEpoch{1}, Offset{100}).ok());
  CHECK(*base::read_file(files, path) == "0\n1\n1 0\n");
}
