// Every kind of damage is found where it is, mended where that loses nothing, and never where it would.
#include "storage/check/partition_check.h"

#include <catch2/catch.hpp>

#include "base/bytes.h"
#include "storage/check/directory_check.h"
#include "storage/segment/names.h"
#include "tests/support/storage/batches.h"

using namespace storage;
using namespace storage::testing;
using base::Offset;

namespace {

constexpr auto kBase = base::timestamp_from_ms(1'700'000'000'000);

// A log of several segments with transactions, closed in order, on a disk in memory.
struct Checked : LogBench {
  std::vector<SeenRecord> records;
  std::vector<Offset> bases;
  Offset end;

  Checked() {
    REQUIRE(create().ok());
    for (int i = 0; i < 40; ++i) {
      REQUIRE(append({.values = {fmt::format("value {}", i), std::string(60, 'x')},
                      .timestamp = kBase + std::chrono::seconds(i)},
                     base::LeaderEpoch{i / 15})
                  .ok());
      run_background();
    }
    produce_transaction(7, 0, false);
    produce_transaction(8, 0, true);
    records = read_all(*log, Offset{0});
    end = log->log_end_offset();
    REQUIRE(log->close().ok());
    run_background();
    log.reset();
    for (const auto& path : files.all_paths())
      if (path.ends_with(".log")) bases.push_back(parse_file_name(path.substr(directory.size() + 1))->base);
    std::sort(bases.begin(), bases.end());
    REQUIRE(bases.size() > 3);
  }

  void produce_transaction(std::int64_t id, std::int32_t sequence, bool commit) {
    BatchOf data{.values = {"in a transaction"}, .timestamp = kBase + std::chrono::seconds(60), .spec = {}};
    data.spec.producer_id = base::ProducerId{id};
    data.spec.producer_epoch = base::ProducerEpoch{0};
    data.spec.base_sequence = sequence;
    data.spec.transactional = true;
    REQUIRE(append(data, base::LeaderEpoch{2}).ok());
    auto marker = protocol::build_txn_marker(
        {.offset = Offset{0},
         .leader_epoch = base::LeaderEpoch{2},
         .timestamp = kBase + std::chrono::seconds(61),
         .producer_id = base::ProducerId{id},
         .producer_epoch = base::ProducerEpoch{0},
         .marker = {.type = commit ? protocol::ControlType::commit : protocol::ControlType::abort,
                    .coordinator_epoch = 0}});
    auto batch = protocol::Batch::parse(marker.bytes());
    REQUIRE(log->append_as_leader(std::span(&**batch, 1), base::LeaderEpoch{2}, AppendOrigin::coordinator).ok());
    run_background();
  }

  std::string file(std::size_t segment, FileKind kind) const {
    return directory + "/" + file_name(bases[segment], kind);
  }
  std::string last(FileKind kind) const { return file(bases.size() - 1, kind); }
  void flip(const std::string& path, std::size_t at) {
    auto bytes = files.contents(path);
    REQUIRE(at < bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
    files.put(path, bytes);
  }

  std::optional<Offset> recovery_point;  // as the checkpoint has it
  std::unique_ptr<PartitionCheck> check(bool clean = true) {
    auto made = std::make_unique<PartitionCheck>(
        files, directory, PartitionCheck::LastStop{.clean = clean, .recovery_point = recovery_point});
    std::atomic<std::uint64_t> progress{0};
    REQUIRE(made->survey().ok());
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < made->segment_count(); ++i) {
      bytes += made->size_bytes(i);
      made->check_segment(i, progress);
    }
    REQUIRE(made->finish().ok());
    CHECK(progress == bytes);
    return made;
  }
  std::vector<std::string> texts(bool clean = true) {
    std::vector<std::string> out;
    const auto made = check(clean);
    for (const auto& finding : made->findings()) out.push_back(finding.text());
    return out;
  }
  void repair() {
    auto made = check();
    REQUIRE(made->repair().ok());
  }
  // Opens it as a broker does and reads everything.
  std::vector<SeenRecord> reopened() {
    REQUIRE(load({.clean_stop = false, .recovery_point = Offset{0}}).ok());
    return read_all(*log, Offset{0});
  }
};

std::size_t second_batch_at(const std::string& log) {
  const auto header = protocol::EntryHeader::parse(base::as_bytes(log));
  return (*header)->size_bytes;
}

}  // namespace

TEST_CASE("a sound partition has no findings, and repair does nothing to it") {
  Checked bench;
  CHECK(bench.texts() == std::vector<std::string>{});
  auto made = bench.check();
  CHECK(made->log_end() == bench.end);
  CHECK(made->first_offset() == Offset{0});
  const auto changes = bench.files.changes();
  CHECK(made->repair()->empty());
  CHECK(bench.files.changes() == changes);
}

TEST_CASE("a damaged batch between others is reported at its place, whatever byte was hit, and repair leaves it") {
  Checked bench;
  const auto path = bench.file(1, FileKind::data);
  const auto original = bench.files.contents(path);
  const auto at = second_batch_at(original);
  const auto size = second_batch_at(original.substr(at));
  for (std::size_t hit = 0; hit < size; ++hit) {
    if (hit >= 12 && hit < 16) continue;  // the leader epoch is not covered by the checksum
    INFO("byte " << hit);
    bench.files.put(path, original);
    bench.flip(path, at + hit);
    const auto damaged = bench.files.contents(path);
    auto made = bench.check();
    const auto found = std::find_if(made->findings().begin(), made->findings().end(),
                                    [&](const Finding& f) { return f.file == path; });
    REQUIRE(found != made->findings().end());
    CHECK(found->position == at);
    CHECK(found->remedy == Remedy::none);
    CHECK(made->damaged_inside());
    REQUIRE(made->repair().ok());
    CHECK(bench.files.contents(path) == damaged);
  }
}

TEST_CASE("the last segment cut anywhere is torn: repair cuts behind the last whole batch") {
  Checked bench;
  const auto path = bench.last(FileKind::data);
  const auto original = bench.files.contents(path);
  std::vector<std::size_t> ends{0};
  protocol::EntryCursor cursor(base::as_bytes(original));
  while (cursor.next()) ends.push_back(cursor.position_bytes());
  for (std::size_t cut = 1; cut < original.size(); ++cut) {
    if (std::count(ends.begin(), ends.end(), cut)) continue;
    INFO("cut to " << cut);
    Checked torn;
    torn.files.put(path, original.substr(0, cut));
    const auto whole = *std::prev(std::upper_bound(ends.begin(), ends.end(), cut));
    auto made = torn.check();
    REQUIRE_FALSE(made->findings().empty());
    const auto found = std::find_if(made->findings().begin(), made->findings().end(),
                                    [&](const Finding& f) { return f.remedy == Remedy::cut_tail; });
    REQUIRE(found != made->findings().end());
    CHECK(found->position == whole);
    REQUIRE(made->repair().ok());
    CHECK(torn.files.contents(path) == original.substr(0, whole));
    CHECK(torn.texts() == std::vector<std::string>{});
    cut += original.size() / 60;  // some sixty places are enough
  }
}

TEST_CASE("zeros at the end, as power loss leaves them, are a torn tail; in an earlier segment nobody cuts them") {
  Checked bench;
  const auto last = bench.last(FileKind::data);
  const auto original = bench.files.contents(last);
  bench.files.put(last, original + std::string(5000, '\0'));
  CHECK(bench.texts() ==
        std::vector<std::string>{last + ":" + std::to_string(original.size()) +
                                 ": torn: an entry of 0 bytes is shorter than any header; 5000 bytes to the end"});
  bench.repair();
  CHECK(bench.files.contents(last) == original);

  const auto earlier = bench.file(1, FileKind::data);
  const auto before = bench.files.contents(earlier) + std::string(100, '\0');
  bench.files.put(earlier, before);
  auto made = bench.check();
  REQUIRE(made->findings().size() == 1);
  CHECK(made->findings()[0].remedy == Remedy::none);
  REQUIRE(made->repair().ok());
  CHECK(bench.files.contents(earlier) == before);
}

TEST_CASE("valid records whose offsets do not fit are reported, and never cut away") {
  Checked bench;
  const auto renamed = bench.directory + "/" + file_name(bench.end + 1000, FileKind::data);
  REQUIRE(bench.files.rename(bench.last(FileKind::data), renamed).ok());
  const auto original = bench.files.contents(renamed);
  auto made = bench.check();
  const auto found = std::find_if(made->findings().begin(), made->findings().end(),
                                  [&](const Finding& f) { return f.file == renamed; });
  REQUIRE(found != made->findings().end());
  CHECK(found->position == 0);
  CHECK(found->remedy == Remedy::none);
  REQUIRE(made->repair().ok());
  CHECK(bench.files.contents(renamed) == original);
}

TEST_CASE("records that hold what looks like a batch do not pass for the next one") {
  Checked bench;
  REQUIRE(bench.load({.clean_stop = true, .recovery_point = bench.end}).ok());
  const auto inner = make_batch({.values = {"inner"}, .timestamp = kBase, .spec = {.base_offset = bench.end + 50}});
  const auto outer = std::string(base::as_text(inner.bytes()));
  REQUIRE(bench.append({.values = {outer}, .timestamp = kBase + std::chrono::seconds(70)}, base::LeaderEpoch{2}).ok());
  REQUIRE(
      bench.append({.values = {"behind"}, .timestamp = kBase + std::chrono::seconds(71)}, base::LeaderEpoch{2}).ok());
  REQUIRE(bench.log->close().ok());
  bench.run_background();
  bench.log.reset();
  const auto path = [&] {
    for (auto paths = bench.files.all_paths(); const auto& each : paths)
      if (each.ends_with(".log") && bench.files.contents(each).find(outer) != std::string::npos) return each;
    return std::string();
  }();
  const auto bytes = bench.files.contents(path);
  const auto at = bytes.find(outer);
  bench.flip(path, at + outer.size() - 1);  // the inner batch's and the outer batch's last record
  const auto all = bench.texts();
  REQUIRE(all.size() == 1);
  CHECK(all[0].find("between sound records") != std::string::npos);
}

TEST_CASE("a damaged index entry is found at its position and the index is written anew") {
  for (const auto kind : {FileKind::offset_index, FileKind::time_index}) {
    Checked bench;
    const auto path = bench.file(0, kind);
    const auto original = bench.files.contents(path);
    const std::size_t entry = kind == FileKind::offset_index ? 8 : 12;
    REQUIRE(original.size() >= 3 * entry);
    for (std::size_t hit = 0; hit < original.size(); ++hit) {
      INFO(path << " byte " << hit);
      bench.flip(path, hit);
      auto made = bench.check();
      REQUIRE_FALSE(made->findings().empty());
      const auto& found = made->findings()[0];
      CHECK(found.file == path);
      CHECK(found.position == hit / entry * entry);
      REQUIRE(made->repair().ok());
      CHECK(bench.texts() == std::vector<std::string>{});
      bench.files.put(path, original);
    }
    for (const auto& contents : {std::string(), original.substr(0, entry + 3), original + std::string(4 * entry, '\0'),
                                 std::string(original).append(original.substr(0, entry))}) {
      bench.files.put(path, contents);
      const auto sound = contents.empty() && kind == FileKind::offset_index;  // it may know less
      CHECK(bench.check()->findings().empty() == sound);
      bench.repair();
      CHECK(bench.texts() == std::vector<std::string>{});
    }
    REQUIRE(bench.files.remove(path).ok());
    CHECK(bench.texts() == std::vector<std::string>{path + ": the index is missing"});
    bench.repair();
    CHECK(bench.texts() == std::vector<std::string>{});
    CHECK(bench.reopened() == bench.records);
  }
}

TEST_CASE("what a kill leaves in the indexes of the last segment is no damage") {
  Checked bench;
  for (const auto kind : {FileKind::offset_index, FileKind::time_index}) {
    const auto path = bench.last(kind);
    const auto original = bench.files.contents(path);
    bench.files.put(path, original + std::string(1200, '\0'));
    CHECK(bench.texts(false) == std::vector<std::string>{});
    CHECK(bench.texts(true).size() == 1);
    REQUIRE(bench.files.remove(path).ok());
    CHECK(bench.texts(false) == std::vector<std::string>{});
    bench.files.put(path, original);
  }
}

TEST_CASE("indexes that the next start makes anew need not be complete") {
  Checked bench;
  for (const auto kind : {FileKind::offset_index, FileKind::time_index}) {
    const auto path = bench.file(1, kind);
    const auto original = bench.files.contents(path);
    REQUIRE(bench.files.remove(path).ok());
    bench.recovery_point = bench.bases[2];
    CHECK(bench.texts(false).size() == 1);
    bench.recovery_point = bench.bases[1];
    CHECK(bench.texts(false) == std::vector<std::string>{});
    CHECK(bench.texts(true).size() == 1);
    bench.files.put(path, original);
  }
}

TEST_CASE("a transaction index that lies, lacks or is cut is written anew from the records") {
  Checked bench;
  const auto paths = bench.files.all_paths();
  const auto path = *std::find_if(paths.begin(), paths.end(), [](const auto& p) { return p.ends_with(".txnindex"); });
  const auto original = bench.files.contents(path);
  REQUIRE(original.size() == TxnIndex::kEntryBytes);
  for (std::size_t hit = 0; hit < original.size(); ++hit) {
    INFO("byte " << hit);
    bench.flip(path, hit);
    CHECK_FALSE(bench.texts().empty());
    bench.repair();
    CHECK(bench.files.contents(path) == original);
  }
  for (const auto& contents : {std::string(), original.substr(0, 20), original + original}) {
    bench.files.put(path, contents);
    CHECK_FALSE(bench.texts().empty());
    bench.repair();
    CHECK(bench.files.contents(path) == original);
  }
}

TEST_CASE("a damaged snapshot is written anew, and one beyond the end removed") {
  Checked bench;
  const auto path = bench.directory + "/" + file_name(bench.end, FileKind::snapshot);
  const auto original = bench.files.contents(path);
  REQUIRE(original.size() == 10 + 2 * 46);
  for (std::size_t hit = 0; hit < original.size(); hit += 3) {
    INFO("byte " << hit);
    bench.flip(path, hit);
    auto texts = bench.texts();
    REQUIRE(texts.size() == 1);
    CHECK(texts[0].starts_with(path + ": "));
    bench.repair();
    CHECK(bench.files.contents(path) == original);
  }
  const auto stray = bench.directory + "/" + file_name(bench.end + 5, FileKind::snapshot);
  bench.files.put(stray, original);
  CHECK(bench.texts() ==
        std::vector<std::string>{stray + ": the log ends before it, at " + std::to_string(bench.end.raw)});
  bench.repair();
  CHECK(bench.texts() == std::vector<std::string>{});
}

TEST_CASE("the file of epochs is held against the records") {
  Checked bench;
  const auto path = bench.directory + "/" + std::string(kLeaderEpochCheckpoint);
  const auto original = bench.files.contents(path);
  for (const std::string damaged :
       {"0\n1\n0 0\n", "0\n3\n0 0\n1 30\n2 61\n", "1\n0\n", "rubbish", "0\n3\n0 0\n1 30\n2 60\n9 9999\n", "0\n0\n"}) {
    INFO(damaged);
    bench.files.put(path, damaged);
    CHECK(bench.texts().size() == 1);
    bench.repair();
    CHECK(bench.files.contents(path) == original);
  }
  REQUIRE(bench.files.remove(path).ok());
  CHECK(bench.texts() == std::vector<std::string>{path + ": the file is missing"});
  bench.repair();
  CHECK(bench.files.contents(path) == original);
  // An epoch that began but wrote nothing is no lie.
  bench.files.put(path, "0\n4\n0 0\n1 30\n2 60\n3 " + std::to_string(bench.end.raw) + "\n");
  CHECK(bench.texts() == std::vector<std::string>{});
}

TEST_CASE("leftovers of a compaction are settled as the broker settles them") {
  Checked bench;
  const auto cleaned = bench.directory + "/" + file_name(Offset{0}, FileKind::data, FileSuffix::cleaned);
  const auto orphan = bench.directory + "/" + file_name(Offset{12345}, FileKind::offset_index);
  bench.files.put(cleaned, "half");
  bench.files.put(orphan, "");
  bench.files.put(bench.directory + "/" + file_name(Offset{0}, FileKind::data, FileSuffix::deleted), "gone soon");
  CHECK(bench.texts() ==
        std::vector<std::string>{cleaned + ": left by an interrupted compaction", orphan + ": an index without data"});
  bench.repair();
  CHECK(bench.texts() == std::vector<std::string>{});
  CHECK(bench.reopened() == bench.records);
}

TEST_CASE("a repaired partition loads in the broker with the records it had") {
  Checked bench;
  bench.flip(bench.file(0, FileKind::offset_index), 5);
  bench.flip(bench.file(1, FileKind::time_index), 2);
  bench.files.put(bench.directory + "/" + file_name(bench.end, FileKind::snapshot), "no snapshot");
  bench.files.put(bench.directory + "/" + std::string(kLeaderEpochCheckpoint), "no epochs");
  bench.files.put(bench.last(FileKind::data), bench.files.contents(bench.last(FileKind::data)) + "torn");
  CHECK(bench.texts().size() == 5);
  bench.repair();
  CHECK(bench.texts() == std::vector<std::string>{});
  REQUIRE(bench.load({.clean_stop = true, .recovery_point = bench.end}).ok());
  CHECK(read_all(*bench.log, Offset{0}) == bench.records);
  CHECK(bench.log->log_end_offset() == bench.end);
}

TEST_CASE("checkpoints are held against the logs, and what can be read of a damaged one is kept") {
  Checked bench;
  const auto checked = [&] {
    auto made = std::make_unique<DirectoryCheck>(bench.files, "/data");
    REQUIRE(made->open().ok());
    std::atomic<std::uint64_t> progress{0};
    for (auto& [name, partition] : made->partitions()) {
      REQUIRE(partition->survey().ok());
      for (std::size_t i = 0; i < partition->segment_count(); ++i) partition->check_segment(i, progress);
      REQUIRE(partition->finish().ok());
    }
    REQUIRE(made->finish().ok());
    return made;
  };
  const auto end = bench.end.raw;
  bench.files.put("/data/meta.properties", "broker.id=0\nversion=0\ncluster.id=abc\n");
  bench.files.put("/data/recovery-point-offset-checkpoint", fmt::format("0\n2\norders 0 {}\nother 1 5\n", end + 3));
  bench.files.put("/data/log-start-offset-checkpoint", fmt::format("0\n1\norders 0 {}\n", end + 3));
  bench.files.put("/data/replication-offset-checkpoint", fmt::format("0\n3\norders 0 {}\nrubbish\nother 1 5\n", end));
  bench.files.put("/data/cleaner-offset-checkpoint", "0\n1\norders 0 3\n");
  {
    auto made = checked();
    std::vector<std::string> texts;
    for (const auto& finding : made->findings()) texts.push_back(finding.text());
    CHECK(texts ==
          std::vector<std::string>{
              fmt::format("/data/recovery-point-offset-checkpoint: orders-0 stands at {}, the log ends at {}", end + 3,
                          end),
              fmt::format("/data/log-start-offset-checkpoint: orders-0 stands at {}, the log ends at {}", end + 3, end),
              "/data/replication-offset-checkpoint: line 4: expected 3 fields, found 'rubbish'"});
    REQUIRE(made->repair().ok());
  }
  CHECK(checked()->findings().empty());
  CHECK(bench.files.contents("/data/recovery-point-offset-checkpoint") ==
        fmt::format("0\n2\norders 0 {}\nother 1 5\n", end));
  CHECK(bench.files.contents("/data/log-start-offset-checkpoint") == "0\n0\n");
  CHECK(bench.files.contents("/data/replication-offset-checkpoint") ==
        fmt::format("0\n2\norders 0 {}\nother 1 5\n", end));
}

TEST_CASE("a directory that a broker uses, or that is no broker's, is told apart") {
  Checked bench;
  REQUIRE(bench.files.create_directories("/data/lost+found").ok());
  bench.files.put("/data/meta.properties", "version=1\nnode.id=3\n");
  {
    auto lock = bench.files.lock("/data/.lock");
    REQUIRE(lock.ok());
    CHECK(DirectoryCheck(bench.files, "/data").open().error().detail.find("is in use") != std::string::npos);
  }
  CHECK(DirectoryCheck(bench.files, "/nowhere").open().error().detail == "there is no directory /nowhere");
  DirectoryCheck made(bench.files, "/data");
  REQUIRE(made.open().ok());
  REQUIRE(made.partitions().size() == 1);
  REQUIRE(made.finish().ok());
  REQUIRE(made.findings().size() == 2);
  CHECK(made.findings()[0].text().starts_with("/data/meta.properties: it was formatted for KRaft"));
  CHECK(made.findings()[1].text() == "/data/lost+found: not the directory of a partition: no broker starts with it");
}
