#include "tests/support/storage/batches.h"

#include "base/bytes.h"

namespace storage::testing {

base::Buffer make_batch(const BatchOf& what) {
  protocol::BatchBuilder builder(what.spec);
  for (const auto& value : what.values)
    builder.add({.timestamp = what.timestamp, .key = std::nullopt, .value = base::as_bytes(value), .headers = {}});
  return std::move(builder).build().value();
}

std::vector<SeenRecord> records_in(const base::FileSlice& slice) {
  std::vector<SeenRecord> seen;
  if (slice.size_bytes == 0) return seen;
  base::Buffer bytes(slice.size_bytes);
  const auto got = slice.file->read_at(slice.position, bytes.bytes()).value();
  protocol::EntryCursor cursor(std::span<const std::byte>(bytes.bytes().first(got)));
  while (auto entry = cursor.next()) {
    const auto batch = entry->batch();
    base::invariant(batch.crc_ok(), "a batch that was served has a good checksum");
    protocol::RecordReader reader(batch);
    protocol::RecordView record;
    while (reader.next(record))
      seen.push_back({protocol::offset_of(batch, record), std::string(base::as_text(record.value.value()))});
  }
  base::invariant(cursor.status().ok(), "served bytes are batches");
  return seen;
}

std::vector<SeenRecord> read_all(Log& log, base::Offset from, std::size_t max_bytes) {
  std::vector<SeenRecord> seen;
  while (from < log.log_end_offset()) {
    auto slice = log.read(from, log.log_end_offset(), {.max_bytes = max_bytes}).value();
    const auto records = records_in(slice.records);
    if (records.empty()) break;
    for (const auto& record : records)
      if (record.offset >= from) seen.push_back(record);
    from = records.back().offset + 1;
  }
  return seen;
}

LogBench::LogBench() {
  health = std::make_shared<DirectoryHealth>("/data", [this](const std::string& path, const base::Error& why) {
    retired.push_back(path + ": " + why.detail);
  });
  settings.segment_bytes = 1000;
  settings.index = {.max_bytes = 800, .interval_bytes = 100};
  base::invariant(files.create_directories("/data").ok(), "a data directory");
}

LogServices LogBench::services() {
  return {.files = files, .clock = clock, .random = random, .in_background = [this](std::function<void()> work) {
            background.push_back(std::move(work));
          }};
}

base::Status LogBench::create() {
  auto made = create_log(services(), {.partition = partition,
                                      .directory = directory,
                                      .health = health,
                                      .settings = settings,
                                      .topic_id = std::nullopt});
  if (!made) return made.error();
  log = std::move(made).value();
  return {};
}

base::Result<LoadedLog> LogBench::load(const Checkpoints& checkpoints) {
  log.reset();
  background.clear();
  health = std::make_shared<DirectoryHealth>("/data", [this](const std::string& path, const base::Error& why) {
    retired.push_back(path + ": " + why.detail);
  });
  auto loaded = load_log(services(), {.partition = partition,
                                      .directory = directory,
                                      .health = health,
                                      .settings = settings,
                                      .clean_stop = checkpoints.clean_stop,
                                      .recovery_point = checkpoints.recovery_point,
                                      .log_start = checkpoints.log_start,
                                      .high_watermark = checkpoints.high_watermark,

                                      .cleaned_to = checkpoints.cleaned_to,
                                      .crew = crew});
  if (loaded) log = std::move(loaded->log);
  return loaded;
}

base::Result<AppendInfo> LogBench::append(const BatchOf& what, base::LeaderEpoch epoch) {
  auto bytes = make_batch(what);
  auto batch = protocol::Batch::parse(bytes.bytes());
  return log->append_as_leader(std::span(&**batch, 1), epoch);
}

void LogBench::run_background() {
  for (auto& work : std::exchange(background, {})) work();
}

}  // namespace storage::testing
