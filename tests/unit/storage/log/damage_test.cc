// A bit that flipped, in any of the small files beside the records: the log opens with what the records say, or is
// refused with a file's name; it never says something else, and nothing crashes.
#include <catch2/catch.hpp>

#include "storage/dirs/log_set.h"
#include "storage/log/producer_replay.h"
#include "tests/support/storage/batches.h"

using namespace storage;
using namespace storage::testing;
using base::ErrorCode;
using base::LeaderEpoch;
using base::Offset;
using base::timestamp_from_ms;

namespace {

std::string value_of(std::int64_t offset) { return "r" + std::to_string(offset) + std::string(40, '.'); }

protocol::BatchSpec transactional(std::int64_t producer, std::int32_t sequence) {
  protocol::BatchSpec spec;
  spec.producer_id = base::ProducerId{producer};
  spec.producer_epoch = base::ProducerEpoch{0};
  spec.base_sequence = sequence;
  spec.transactional = true;
  return spec;
}

void abort_transaction(LogBench& bench, std::int64_t producer) {
  auto bytes = protocol::build_txn_marker({.timestamp = timestamp_from_ms(5),
                                           .producer_id = base::ProducerId{producer},
                                           .producer_epoch = base::ProducerEpoch{0},
                                           .marker = {.type = protocol::ControlType::abort, .coordinator_epoch = 0}});
  auto batch = protocol::Batch::parse(bytes.bytes());
  REQUIRE(bench.log->append_as_leader(std::span(&**batch, 1), LeaderEpoch{2}, AppendOrigin::coordinator).ok());
}

// Two producers with aborted transactions and a third with an open one, plain records, three leader epochs; some seven
// segments.
void fill(LogBench& bench) {
  REQUIRE(bench.create().ok());
  std::int32_t sequence[3] = {};
  for (int round = 0; round < 8; ++round) {
    const LeaderEpoch epoch{round < 3 ? 0 : 2};
    for (int producer = 0; producer < 3; ++producer) {
      const auto offset = bench.log->log_end_offset().raw;
      REQUIRE(bench.append({.values = {value_of(offset)}, .spec = transactional(producer, sequence[producer]++)}, epoch)
                  .ok());
    }
    REQUIRE(bench.append({.values = {value_of(bench.log->log_end_offset().raw)}}, epoch).ok());
    if (round % 2 == 1)
      for (int producer = 0; producer < 2; ++producer) abort_transaction(bench, producer);
  }
  bench.log->set_high_watermark(bench.log->log_end_offset());
  bench.run_background();
}

// All that can be asked of a log, in one text.
std::string account_of(Log& log, bool with_transactions = true) {
  std::string text =
      fmt::format("{} to {}, stable {}\n", log.log_start_offset(), log.log_end_offset(), log.last_stable_offset());
  for (const auto& record : read_all(log, log.log_start_offset()))
    text += fmt::format("{} {}\n", record.offset, record.value.substr(0, 8));
  for (const auto& entry : log.epochs().entries()) text += fmt::format("epoch {} from {}\n", entry.epoch, entry.start);
  for (const auto& producer : log.producers().entries())
    text += fmt::format("producer {} epoch {} sequence {} transaction {}\n", producer.id, producer.epoch,
                        producer.last_batch ? producer.last_batch->last_sequence : -1,
                        producer.open_transaction ? producer.open_transaction->raw : -1);
  if (!with_transactions) return text;
  const auto aborted = log.aborted_transactions(log.log_start_offset(), log.log_end_offset());
  REQUIRE(aborted.ok());
  for (const auto& txn : *aborted)
    text += fmt::format("aborted {} from {} to {}\n", txn.producer_id, txn.first_offset, txn.last_offset);
  return text;
}

std::vector<std::string> paths_ending(LogBench& bench, std::string_view suffix) {
  std::vector<std::string> found;
  for (const auto& path : bench.files.all_paths())
    if (path.ends_with(suffix)) found.push_back(path);
  return found;
}

// Calls `look` with the log opened anew, once for each bit of each file.
void flip_each_bit(LogBench& bench, const std::vector<std::string>& paths, const LogBench::Checkpoints& checkpoints,
                   const std::function<void(const base::Result<LoadedLog>&)>& look) {
  std::map<std::string, std::string> all;
  for (const auto& path : bench.files.all_paths()) all[path] = bench.files.contents(path);
  for (const auto& path : paths) {
    for (std::size_t bit = 0; bit < 8 * all[path].size(); ++bit) {
      for (const auto& now : bench.files.all_paths())
        if (!all.contains(now)) REQUIRE(bench.files.remove(now).ok());
      for (const auto& [name, contents] : all)
        if (bench.files.contents(name) != contents) bench.files.put(name, contents);
      auto damaged = all[path];
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
      bench.files.put(path, damaged);
      INFO(path << ", bit " << bit);
      look(bench.load(checkpoints));
    }
  }
}

}  // namespace

TEST_CASE("a flipped bit in a producer snapshot changes nothing: another one and the records tell the same") {
  const bool clean = GENERATE(true, false);
  LogBench bench;
  fill(bench);
  const auto expected = account_of(*bench.log);
  const auto recovery_point = clean ? bench.log->log_end_offset() : bench.log->recovery_point();
  if (clean) REQUIRE(bench.log->close().ok());
  const LogBench::Checkpoints checkpoints{
      .clean_stop = clean, .recovery_point = recovery_point, .high_watermark = bench.log->high_watermark()};
  REQUIRE(bench.load(checkpoints).ok());
  REQUIRE(account_of(*bench.log) == expected);
  auto snapshots = paths_ending(bench, ".snapshot");
  REQUIRE(snapshots.size() > 3);
  flip_each_bit(bench, snapshots, checkpoints, [&](const base::Result<LoadedLog>& loaded) {
    REQUIRE(loaded.ok());
    REQUIRE(account_of(*bench.log) == expected);
  });
}

TEST_CASE("a flipped bit in a transaction index is found, or changes that one transaction, and no record") {
  const bool clean = GENERATE(true, false);
  LogBench bench;
  fill(bench);
  const auto records = account_of(*bench.log, false);
  const auto transactions = bench.log->aborted_transactions(Offset{0}, bench.log->log_end_offset()).value();
  REQUIRE(transactions.size() == 8);
  const auto recovery_point = clean ? bench.log->log_end_offset() : bench.log->recovery_point();
  if (clean) REQUIRE(bench.log->close().ok());
  const auto active =
      bench.directory + "/" + file_name(bench.log->segments().active().base_offset(), FileKind::txn_index);
  const LogBench::Checkpoints checkpoints{
      .clean_stop = clean, .recovery_point = recovery_point, .high_watermark = bench.log->high_watermark()};
  std::size_t unnoticed = 0;
  flip_each_bit(bench, paths_ending(bench, ".txnindex"), checkpoints, [&](const base::Result<LoadedLog>& loaded) {
    REQUIRE(loaded.ok());
    REQUIRE(account_of(*bench.log, false) == records);
    const auto now = bench.log->aborted_transactions(Offset{0}, bench.log->log_end_offset());
    REQUIRE(now.ok());
    std::size_t others = 0;
    for (const auto& txn : *now)
      others += std::find(transactions.begin(), transactions.end(), txn) == transactions.end();
    REQUIRE(others <= 1);
    unnoticed += others;
  });
  CHECK(unnoticed > 0);  // there is no checksum: kafka-log-check.sh finds these
}

TEST_CASE("what recovery finds of aborted transactions is on disk after the next orderly stop") {
  LogBench bench;
  fill(bench);
  const auto expected = account_of(*bench.log);
  const auto end = bench.log->log_end_offset();
  for (const auto& path : paths_ending(bench, ".txnindex")) REQUIRE(bench.files.remove(path).ok());
  REQUIRE(bench.load({.recovery_point = Offset{0}, .high_watermark = end}).ok());
  CHECK(account_of(*bench.log) == expected);
  REQUIRE(bench.log->close().ok());
  REQUIRE(bench.load({.clean_stop = true, .recovery_point = end, .high_watermark = end}).ok());
  CHECK(account_of(*bench.log) == expected);
}

TEST_CASE("a flipped bit in the leader epochs is refused by its file's name, or leaves epochs that rise") {
  const bool clean = GENERATE(true, false);
  LogBench bench;
  fill(bench);
  const auto end = bench.log->log_end_offset();
  const auto recovery_point = clean ? end : Offset{0};
  const auto expected = account_of(*bench.log);
  if (clean) REQUIRE(bench.log->close().ok());
  const LogBench::Checkpoints checkpoints{.clean_stop = clean, .recovery_point = recovery_point, .high_watermark = end};
  std::size_t refused = 0, opened = 0;
  flip_each_bit(bench, paths_ending(bench, "leader-epoch-checkpoint"), checkpoints,
                [&](const base::Result<LoadedLog>& loaded) {
                  if (!loaded) {
                    ++refused;
                    REQUIRE(loaded.error().detail.find("leader-epoch-checkpoint") != std::string::npos);
                    return;
                  }
                  ++opened;
                  REQUIRE(bench.log->log_end_offset() == end);
                  REQUIRE(read_all(*bench.log, Offset{0}).size() > 30);
                  std::optional<EpochStart> before;
                  for (const auto& entry : bench.log->epochs().entries()) {
                    REQUIRE(entry.start < end);
                    if (before) REQUIRE((before->epoch < entry.epoch && before->start < entry.start));
                    before = entry;
                  }
                });
  CHECK(refused > 0);
  CHECK(opened > 0);
}

TEST_CASE("a flipped bit in a checkpoint of offsets is refused by its name, or costs no record it does not speak of") {
  const std::string name(
      GENERATE(kRecoveryPointCheckpoint, kLogStartCheckpoint, kHighWatermarkCheckpoint, kCleanerCheckpoint));
  const bool clean = GENERATE(true, false);
  const std::string checkpoint = "/logs/" + name;
  FaultyFiles files;
  const auto with_broker = [&](const std::function<void(LogDirs&, LogSet&, base::Status)>& call) {
    base::ManualClock clock;
    base::SeededRandom random{1};
    LogDirs dirs(files, clock, {"/logs"}, nullptr);
    LogSet logs({.files = files, .clock = clock, .random = random, .in_background = [](auto work) { work(); }}, dirs,
                {}, [](const std::string&) { return LogSettings{}; });
    REQUIRE((dirs.open().ok() && dirs.claim({base::BrokerId{0}, "c"}).ok()));
    call(dirs, logs, logs.load());
  };
  with_broker([&](LogDirs&, LogSet& logs, const base::Status& loaded) {
    REQUIRE(loaded.ok());
    LogSettings settings;
    settings.segment_bytes = 1000;
    std::vector<std::unique_ptr<Log>> taken;
    for (int p = 0; p < 2; ++p) {
      auto log = logs.create({"t", p}, std::nullopt, settings).value();
      for (int i = 0; i < 40; ++i) {
        auto bytes = make_batch({.values = {value_of(i)}});
        auto batch = protocol::Batch::parse(bytes.bytes());
        REQUIRE(log->append_as_leader(std::span(&**batch, 1), LeaderEpoch{0}).ok());
      }
      log->set_high_watermark(Offset{40});
      REQUIRE(log->advance_log_start(Offset{11}).ok());
      log->set_cleaned_to(Offset{14}, log->ticket());
      taken.push_back(std::move(log));
    }
    logs.checkpoint_recovery_points();
    logs.checkpoint_log_starts();
    logs.checkpoint_high_watermarks();
    logs.checkpoint_cleaned();
    if (clean) REQUIRE(logs.close(std::move(taken)).ok());
  });
  files.restart(FaultyFiles::AfterStop::kept_cache);
  std::map<std::string, std::string> all;
  for (const auto& path : files.all_paths()) all[path] = files.contents(path);
  REQUIRE(all[checkpoint].size() > 10);
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < 8 * all[checkpoint].size(); ++bit) {
    for (const auto& path : files.all_paths())
      if (!all.contains(path)) REQUIRE(files.remove(path).ok());
    for (const auto& [path, contents] : all)
      if (files.contents(path) != contents) files.put(path, contents);
    auto damaged = all[checkpoint];
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    files.put(checkpoint, damaged);
    INFO(checkpoint << ", bit " << bit << ": " << damaged);
    with_broker([&](LogDirs& dirs, LogSet& logs, const base::Status& loaded) {
      if (!loaded) {
        ++refused;
        REQUIRE(dirs.online().empty());
        for (const auto& [path, contents] : all)
          if (path.ends_with(".log")) REQUIRE(files.contents(path) == contents);
        return;
      }
      for (int p = 0; p < 2; ++p) {
        auto log = logs.take({"t", p});
        REQUIRE(log);
        const auto start = log->log_start_offset(), end = log->log_end_offset();
        // A log start above the end says that all records were deleted (on-disk formats, section 5.4); the checkpoint
        // that says so is believed.
        if (name == kLogStartCheckpoint && start > Offset{40}) {
          REQUIRE(end == start);
          continue;
        }
        REQUIRE(end == Offset{40});
        if (name != kLogStartCheckpoint) REQUIRE(start == Offset{11});
        REQUIRE((log->high_watermark() >= start && log->high_watermark() <= end));
        const auto seen = read_all(*log, start);
        REQUIRE(seen.size() == static_cast<std::size_t>(end - start));
        for (std::size_t i = 0; i < seen.size(); ++i) {
          REQUIRE(seen[i].offset == start + static_cast<std::int64_t>(i));
          REQUIRE(seen[i].value == value_of(seen[i].offset.raw));
        }
      }
    });
    files.restart(FaultyFiles::AfterStop::kept_cache);
  }
  CHECK(refused > 0);
}
