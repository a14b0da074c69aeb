#include "tests/support/storage/clean_bench.h"

#include <algorithm>

#include "base/check.h"

namespace storage::testing {

using base::invariant;
using base::Offset;

CleanBench::CleanBench() {
  settings.segment_bytes = 1500;
  clean_settings = {.min_dirty_ratio = 0, .segment_bytes = settings.segment_bytes, .index = settings.index};
}

void CleanBench::start() { invariant(create().ok(), "a new log"); }

void CleanBench::write(const std::vector<KeyedFields>& records, const Writer& writer) {
  protocol::BatchSpec spec{.codec = writer.codec, .transactional = writer.transactional};
  if (writer.producer >= 0) {
    spec.producer_id = base::ProducerId{writer.producer};
    spec.producer_epoch = base::ProducerEpoch{0};
    spec.base_sequence = next_sequence[writer.producer];
    next_sequence[writer.producer] += static_cast<std::int32_t>(records.size());
  }
  auto bytes = keyed_batch(spec, records);
  auto batch = protocol::Batch::parse(bytes.bytes()).value();
  const auto appended = log->append_as_leader(std::span(&*batch, 1), base::LeaderEpoch{0}).value();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const auto offset = appended.base_offset + static_cast<std::int64_t>(i);
    written[offset] = {offset, records[i].key, records[i].value, records[i].timestamp_ms};
    if (writer.transactional) open[writer.producer].push_back(offset);
  }
  log->set_high_watermark(log->log_end_offset());
}

void CleanBench::write_old(std::int8_t magic, protocol::Codec codec, const std::vector<KeyedFields>& records) {
  std::vector<KeyedRecord> numbered;
  auto offset = log->log_end_offset();
  for (const auto& record : records) {
    numbered.push_back({offset, record.key, record.value, magic == 0 ? -1 : record.timestamp_ms});
    offset += 1;
  }
  const auto bytes = keyed_messages({.magic = magic, .codec = codec}, numbered);
  invariant(log->append_as_follower(bytes.bytes()).ok(), "messages of old are copied");
  for (auto& record : numbered) written[record.offset] = record;
  log->set_high_watermark(log->log_end_offset());
}

void CleanBench::end_transaction(std::int64_t producer, protocol::ControlType type) {
  auto bytes = marker(0, producer, type);
  auto batch = protocol::Batch::parse(bytes.bytes()).value();
  invariant(log->append_as_leader(std::span(&*batch, 1), base::LeaderEpoch{0}, AppendOrigin::coordinator).ok(),
            "a marker");
  if (type == protocol::ControlType::abort)
    for (const auto offset : open[producer]) written.erase(offset);
  open.erase(producer);
  log->set_high_watermark(log->log_end_offset());
}

void CleanBench::roll() {
  invariant(log->roll().ok(), "a new segment");
  run_background();
}

void CleanBench::flush_all() {
  run_background();
  invariant(log->prepare_flush()->run().ok(), "a flush");
}

CleanOutcome CleanBench::clean() {
  Cleaner cleaner({.files = files,
                   .clock = clock,
                   .random = random,
                   .with_log =
                       [this](const TopicPartition&, const std::function<void(Log&)>& call) {
                         if (!log) return false;
                         call(*log);
                         return true;
                       },
                   .go_on = [this](std::size_t bytes) { return go_on(bytes); }});
  return cleaner.clean(partition, clean_settings, memory);
}

std::vector<KeyedRecord> CleanBench::committed() {
  std::vector<KeyedRecord> seen;
  const auto bound = log->last_stable_offset();
  for (auto from = log->log_start_offset(); from < bound;) {
    auto slice = log->read(from, bound, {.max_bytes = 700}).value();
    if (slice.records.size_bytes == 0) break;
    base::Buffer bytes(slice.records.size_bytes);
    const auto got = slice.records.file->read_at(slice.records.position, bytes.bytes()).value();
    protocol::EntryCursor cursor(std::span<const std::byte>(bytes.bytes().first(got)));
    const auto begin = from;
    while (const auto entry = cursor.next()) {
      const auto aborted = log->aborted_transactions(entry->base_offset(), entry->next_offset()).value();
      const bool of_aborted = entry->is_batch() && entry->batch().is_transactional() &&
                              std::ranges::any_of(aborted, [&](const AbortedTxn& txn) {
                                return txn.producer_id == entry->batch().producer_id() &&
                                       txn.first_offset <= entry->base_offset() &&
                                       entry->last_offset() <= txn.last_offset;
                              });
      if (!of_aborted)
        for (auto& record : keyed_records_in(entry->bytes()))
          if (record.offset >= begin) seen.push_back(std::move(record));
      invariant(entry->next_offset() > from, "offsets rise");
      from = entry->next_offset();
    }
    invariant(from > begin, "a reader gets on");
  }
  return seen;
}

void CleanBench::require_only_written() {
  for (const auto& record : committed()) {
    const auto found = written.find(record.offset);
    invariant(found != written.end() && found->second == record, "what is read was written so, at that offset");
  }
}

void CleanBench::require_as_written() {
  require_only_written();
  std::map<std::string, std::optional<std::string>> newest, expected;
  const auto bound = log->last_stable_offset();
  for (const auto& [offset, record] : written)
    if (record.key && offset < bound) expected[*record.key] = record.value;
  for (const auto& record : committed())
    if (record.key) newest[*record.key] = record.value;
  const auto no_value = [](const auto& entry) { return !entry.second; };
  std::erase_if(newest, no_value);
  std::erase_if(expected, no_value);
  invariant(newest == expected, "the newest value of every key is what was written last");
}

std::vector<std::string> CleanBench::names_with(const std::string& part) {
  std::vector<std::string> names;
  for (const auto& path : files.all_paths())
    if (path.find(part) != std::string::npos) names.push_back(path.substr(path.rfind('/') + 1));
  return names;
}

}  // namespace storage::testing
