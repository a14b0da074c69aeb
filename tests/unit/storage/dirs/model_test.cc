// Everything a log goes through, in random order, with the disk stopping or failing at one random change: written,
// rolled, flushed, cut, shortened by retention and by DeleteRecords, moved to another directory. What the next start
// finds is held against a model.
#include <catch2/catch.hpp>

#include <set>

#include "storage/dirs/log_set.h"
#include "tests/support/storage/batches.h"

using namespace storage;
using namespace storage::testing;
using base::LeaderEpoch;
using base::Offset;

namespace {

const TopicPartition kName{"t", 0};

LogSettings small_segments() {
  LogSettings settings;
  settings.segment_bytes = 600;
  settings.index = {.max_bytes = 240, .interval_bytes = 100};
  settings.retention.max_bytes = 3000;
  return settings;
}

struct Broker {
  FaultyFiles& files;
  base::ManualClock clock;
  base::SystemRandom random;
  std::vector<std::function<void()>> background;
  LogDirs dirs;
  LogSet logs;

  explicit Broker(FaultyFiles& f)
      : files(f),
        dirs(files, clock, {"/data/a", "/data/b"}, nullptr),
        logs({.files = files,
              .clock = clock,
              .random = random,
              .in_background = [this](std::function<void()> work) { background.push_back(std::move(work)); }},
             dirs, {}, [](const std::string&) { return small_segments(); }) {}
  base::Status boot() {
    if (auto s = dirs.open(); !s) return s;
    if (auto s = dirs.claim({base::BrokerId{0}, "c"}); !s) return s;
    return logs.load();
  }
  void run_background() {
    logs.run_due_jobs();
    for (auto& work : std::exchange(background, {})) work();
  }
};

// What must be there, whatever happens.
struct Model {
  std::vector<std::string> values;                    // by offset; of those that were cut the last word counts
  std::int64_t end = 0;                               // acknowledged below
  std::int64_t end_in_doubt = 0;                      // what was refused or cut may be there all the same, up to here
  std::int64_t start = 0;                             // deleted below, as told
  std::int64_t start_at_most = 0;                     // deletion was begun
  std::int64_t synced = 0;                            // a checkpoint says so
  std::map<std::int64_t, std::set<std::string>> cut;  // in doubt: what stood there before
  bool forgetful = false;  // a machine without power may find again what was cut, where nothing newer was synced

  void put(std::int64_t offset, std::string value) {
    values.resize(static_cast<std::size_t>(std::max(offset + 1, static_cast<std::int64_t>(values.size()))));
    values[static_cast<std::size_t>(offset)] = std::move(value);
  }
};

// One life of a broker with one log. Ends with the first thing that went wrong.
class Life {
 public:
  Life(Broker& broker, Model& model, base::Random& random) : broker_(broker), model_(model), random_(random) {}

  void run(int steps) {
    log_ = broker_.logs.take(kName);
    if (!log_) {
      auto made = broker_.logs.create(kName, std::nullopt, small_segments());
      if (!made) return;
      log_ = std::move(*made);
    }
    for (int i = 0; i < steps; ++i)
      if (!step()) return;
    if (random_.below(3) > 0) return;
    std::vector<std::unique_ptr<Log>> logs;
    const auto end = log_->log_end_offset().raw;
    logs.push_back(std::move(log_));
    if (broker_.logs.close(std::move(logs)).ok()) model_.synced = end;
  }

 private:
  bool step() {
    switch (random_.below(14)) {
      case 0:
        return log_->roll().ok();
      case 1:
        broker_.run_background();
        return log_->health().online();
      case 2:
        return flush();
      case 3:
        return cut();
      case 4:
        return apply_retention();
      case 5:
        return delete_records();
      case 6:
        return move();
      default:
        return append();
    }
  }

  bool append() {
    const auto offset = log_->log_end_offset().raw;
    const auto value = "v" + std::to_string(offset) + "." + std::to_string(++stamp_) + std::string(40, '.');
    if (model_.values.size() > static_cast<std::size_t>(offset))
      model_.cut[offset].insert(model_.values[static_cast<std::size_t>(offset)]);
    model_.put(offset, value);
    model_.end_in_doubt = std::max(model_.end_in_doubt, offset + 1);
    auto bytes = make_batch({.values = {value}});
    auto batch = protocol::Batch::parse(bytes.bytes());
    if (!log_->append_as_leader(std::span(&**batch, 1), LeaderEpoch{0})) return false;
    model_.end = offset + 1;
    settle_doubt();
    log_->set_high_watermark(log_->log_end_offset());
    return true;
  }
  bool flush() {
    auto flush = log_->prepare_flush();
    if (!flush || !flush->run()) return false;
    broker_.logs.checkpoint_recovery_points();
    broker_.logs.checkpoint_high_watermarks();
    if (!log_->health().online() || broker_.files.stopped()) return false;
    model_.synced = std::max(model_.synced, log_->marks()->recovery_point.whole().raw);
    return true;
  }
  bool cut() {
    const auto span = log_->log_end_offset() - log_->log_start_offset();
    if (span == 0) return true;
    const auto to =
        log_->log_end_offset().raw -
        static_cast<std::int64_t>(random_.below(std::min<std::uint64_t>(static_cast<std::uint64_t>(span), 12)));
    model_.end = std::min(model_.end, to);
    model_.synced = std::min(model_.synced, to);
    if (!log_->truncate_to(Offset{to})) return false;
    // As after every cut: what is written next must not be taken for synced.
    broker_.logs.checkpoint_recovery_points();
    settle_doubt();
    return log_->health().online();
  }
  bool apply_retention() {
    model_.start_at_most = log_->high_watermark().raw;
    const auto deleted = log_->apply_retention(base::timestamp_from_ms(1'700'000'000'000), 16);
    if (!deleted) return false;
    return start_moved();
  }
  bool delete_records() {
    const auto span = log_->high_watermark() - log_->log_start_offset();
    const auto to =
        log_->log_start_offset() + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(span) + 1) / 4);
    model_.start_at_most = std::max(model_.start_at_most, to.raw);
    if (!log_->advance_log_start(to)) return false;
    broker_.logs.checkpoint_log_starts();
    return log_->health().online() && !broker_.files.stopped() && start_moved();
  }
  bool start_moved() {
    model_.start = model_.start_at_most = log_->log_start_offset().raw;
    return true;
  }
  bool move() {
    const auto here = log_->shared_health();
    const auto there = broker_.dirs.all()[broker_.dirs.all()[0] == here ? 1 : 0];
    auto copy = broker_.logs.create_copy({.partition = kName, .settings = small_segments()}, there);
    if (!copy) return false;
    if ((*copy)->log_end_offset() != log_->log_start_offset())
      if (!(*copy)->truncate_fully_and_start_at(log_->log_start_offset())) return false;
    for (auto from = log_->log_start_offset(); from < log_->log_end_offset(); from = (*copy)->log_end_offset()) {
      auto slice = log_->read(from, log_->log_end_offset(), {.max_bytes = 400});
      if (!slice) return false;
      base::Buffer bytes(slice->records.size_bytes);
      if (!slice->records.file->read_at(slice->records.position, bytes.bytes())) return false;
      if (slice->first_offset < from && !(*copy)->truncate_fully_and_start_at(slice->first_offset)) return false;
      if (!(*copy)->append_as_follower(std::as_const(bytes).bytes())) return false;
    }
    (*copy)->set_high_watermark((*copy)->log_end_offset());
    if (!(*copy)->advance_log_start(log_->log_start_offset())) return false;
    auto moved = broker_.logs.exchange(*log_, std::move(*copy));
    if (!moved) return false;
    log_ = std::move(*moved);
    broker_.logs.checkpoint_recovery_points();
    broker_.logs.checkpoint_log_starts();
    broker_.logs.checkpoint_high_watermarks();
    return log_->health().online() && !broker_.files.stopped();
  }
  // All went well: what stood there before is gone for good.
  void settle_doubt() {
    if (model_.forgetful) return;
    model_.end_in_doubt = model_.end;
    model_.values.resize(static_cast<std::size_t>(model_.end));
    model_.cut.clear();
  }

  Broker& broker_;
  Model& model_;
  base::Random& random_;
  std::unique_ptr<Log> log_;
  int stamp_ = 0;
};

void require_model(Log& log, const Model& model, FaultyFiles::AfterStop after) {
  const auto start = log.log_start_offset().raw, end = log.log_end_offset().raw;
  INFO("log " << start << " to " << end << ", model " << model.start << " to " << model.end << " (at most "
              << model.end_in_doubt << "), synced to " << model.synced << ", deleted to at most "
              << model.start_at_most);
  REQUIRE(start <= model.start_at_most);
  REQUIRE(end <= std::max(model.end_in_doubt, start));
  REQUIRE(end >= (after == FaultyFiles::AfterStop::kept_cache ? model.end : std::min(model.synced, model.end)));
  std::int64_t next = start;
  for (const auto& record : read_all(log, Offset{start})) {
    const auto at = record.offset.raw;
    INFO("record " << at << ": " << record.value.substr(0, 12));
    REQUIRE(at >= next);
    // Above what was synced, power may take a segment between two others.
    REQUIRE((at == next || (after == FaultyFiles::AfterStop::lost_unsynced && next >= model.synced)));
    const auto before = model.cut.find(at);
    const bool was_there = before != model.cut.end() && before->second.contains(record.value);
    REQUIRE((record.value == model.values.at(static_cast<std::size_t>(at)) || (was_there && at >= model.synced)));
    next = at + 1;
  }
  REQUIRE(next >= std::min(end, model.synced));
}

}  // namespace

TEST_CASE(
    "whatever the disk does to a log that is written, cut, shortened and moved, the next start equals the model") {
  enum class How { killed, power_lost, failed };
  const auto how = GENERATE(How::killed, How::power_lost, How::failed);
  std::size_t hit = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    INFO("seed " << seed << (how == How::killed ? ", killed" : how == How::power_lost ? ", power lost" : ", failed"));
    base::SeededRandom random{seed};
    FaultyFiles files;
    Model model;
    model.forgetful = how == How::power_lost;
    {
      Broker broker(files);
      REQUIRE(broker.boot().ok());
      const auto n = 1 + random.below(250);
      how == How::failed ? files.fail_at(n) : files.stop_at(n, random.below(80));
      Life(broker, model, random).run(60);
      hit += files.stopped() || broker.dirs.online().size() < 2;
    }
    const auto after =
        how == How::power_lost ? FaultyFiles::AfterStop::lost_unsynced : FaultyFiles::AfterStop::kept_cache;
    files.restart(after);
    for (int start = 0; start < 2; ++start) {  // a second start finds the same
      Broker broker(files);
      const auto booted = broker.boot();
      INFO((booted ? std::string() : booted.error().detail));
      REQUIRE(booted.ok());
      REQUIRE(broker.logs.partitions().size() <= 1);
      auto log = broker.logs.take(kName);
      REQUIRE((log || model.end == 0 || (how == How::power_lost && model.synced == 0)));
      if (log) require_model(*log, model, after);
      if (start == 1 && log) {
        auto bytes = make_batch({.values = {"goes on"}});
        auto batch = protocol::Batch::parse(bytes.bytes());
        REQUIRE(log->append_as_leader(std::span(&**batch, 1), LeaderEpoch{7}).ok());
      }
      log.reset();
      files.restart(FaultyFiles::AfterStop::kept_cache);
    }
  }
  CHECK(hit > 100);
}
