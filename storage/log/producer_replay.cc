#include "storage/log/producer_replay.h"

#include "protocol/records/record.h"
#include "storage/log/producer_snapshot.h"
#include "storage/segment/names.h"

namespace storage {

using base::ErrorCode;
using base::Result;
using base::Status;

ProducerWord producer_word(const protocol::BatchView& batch) {
  if (!batch.has_producer()) return std::monostate{};
  if (!batch.is_control())
    return ProducerClaim{.id = batch.producer_id(),
                         .epoch = batch.producer_epoch(),
                         .first_sequence = batch.base_sequence(),
                         .last_sequence = batch.last_sequence(),
                         .transactional = batch.is_transactional()};
  // An emptied control batch, or one of a kind we do not know, ends no transaction.
  protocol::RecordReader reader(batch);
  protocol::RecordView record;
  if (!reader.next(record)) return std::monostate{};
  const auto marker = protocol::parse_txn_marker(record);
  if (!marker) return std::monostate{};
  return TransactionMarker{.id = batch.producer_id(),
                           .epoch = batch.producer_epoch(),
                           .coordinator_epoch = marker->coordinator_epoch,
                           .commit = marker->type == protocol::ControlType::commit};
}

AppendedBatch appended_batch(const protocol::BatchView& batch) {
  return {.word = producer_word(batch),
          .base_offset = batch.base_offset(),
          .last_offset = batch.last_offset(),
          .max_timestamp = batch.max_timestamp()};
}

std::optional<AbortedTxn> note_appended(Producers& producers, const protocol::BatchView& batch) {
  if (!batch.has_producer()) return std::nullopt;
  return note_appended(producers, appended_batch(batch));
}

std::optional<AbortedTxn> note_appended(Producers& producers, const AppendedBatch& batch) {
  if (const auto* claim = std::get_if<ProducerClaim>(&batch.word)) {
    producers.appended(*claim, batch.base_offset, batch.last_offset, batch.max_timestamp);
    return std::nullopt;
  }
  const auto* marker = std::get_if<TransactionMarker>(&batch.word);
  if (!marker) return std::nullopt;
  const auto completed = producers.appended(*marker, batch.base_offset, batch.max_timestamp);
  if (!completed || !completed->aborted) return std::nullopt;
  return AbortedTxn{.producer_id = completed->id,
                    .first_offset = completed->first,
                    .last_offset = completed->last,
                    .last_stable_offset = producers.last_stable_offset_after(*completed)};
}

std::string snapshot_path(const std::string& directory, Offset at) {
  return directory + "/" + file_name(at, FileKind::snapshot);
}

Result<std::vector<Offset>> list_snapshots(base::FileSystem& files, const std::string& directory) {
  auto entries = files.list(directory);
  if (!entries) return entries.error();
  std::vector<Offset> offsets;
  for (const auto& entry : *entries) {
    const auto file = parse_file_name(entry.name);
    if (file && file->kind == FileKind::snapshot && file->suffix == FileSuffix::none) offsets.push_back(file->base);
  }
  return offsets;
}

Status remove_snapshots_above(base::FileSystem& files, const std::string& directory, Offset offset) {
  auto snapshots = list_snapshots(files, directory);
  if (!snapshots) return snapshots.error();
  for (const auto at : *snapshots)
    if (at > offset)
      if (auto s = files.remove(snapshot_path(directory, at)); !s) return s;
  return {};
}

Status remove_snapshots_below(base::FileSystem& files, const std::string& directory, Offset offset) {
  auto snapshots = list_snapshots(files, directory);
  if (!snapshots) return snapshots.error();
  for (const auto at : *snapshots)
    if (at < offset)
      if (auto s = files.remove(snapshot_path(directory, at)); !s) return s;
  return {};
}

Status rebuild_producers(base::FileSystem& files, const std::string& directory, const SegmentList& segments, Offset end,
                         Producers& producers) {
  producers.clear();
  auto snapshots = list_snapshots(files, directory);
  if (!snapshots) return snapshots.error();
  auto from = segments.empty() ? end : segments.first().base_offset();
  for (auto at = snapshots->rbegin(); at != snapshots->rend(); ++at) {
    if (*at > end || *at < from) continue;
    const auto path = snapshot_path(directory, *at);
    auto entries = load_producer_snapshot(files, path);
    if (entries) {
      producers.restore(*entries);
      from = *at;
      break;
    }
    if (entries.error().code != ErrorCode::corrupt_message) return entries.error();
    if (auto s = files.remove(path); !s) return s;
  }
  // Not into the segment that begins at `end`: after a broken stop nobody knows yet how far that can be read.
  for (auto i = segments.find(from); i < segments.size() && segments.at(i).base_offset() < end && from < end; ++i) {
    auto s = segments.at(i).replay(from, [&](const protocol::EntryView& entry) -> Status {
      if (entry.is_batch() && entry.base_offset() >= from && entry.base_offset() < end)
        note_appended(producers, entry.batch());
      return {};
    });
    if (!s) return s;
  }
  return {};
}

}  // namespace storage
