#include "storage/check/partition_check.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>

#include "storage/dirs/checkpoints.h"
#include "storage/log/producer_replay.h"
#include "storage/log/producer_snapshot.h"
#include "storage/segment/segment.h"
#include "storage/segment/txn_index.h"

namespace storage {

using base::ErrorCode;
using base::Result;
using base::Status;

bool PartitionCheck::wants(Remedy remedy) const {
  return std::any_of(findings_.begin(), findings_.end(), [&](const Finding& f) { return f.remedy == remedy; });
}

Status PartitionCheck::survey() {
  segments_.clear();
  snapshots_.clear();
  findings_.clear();
  wanted_txn_indexes_.clear();
  bad_snapshots_.clear();
  stray_snapshots_.clear();
  epochs_ = {};
  damaged_inside_ = false;
  auto entries = files_.list(directory_);
  if (!entries) return entries.error();
  std::set<Offset> bases;
  std::vector<PartitionFile> companions;
  for (const auto& entry : *entries) {
    const auto file = entry.is_directory ? std::nullopt : parse_file_name(entry.name);
    if (!file || file->suffix == FileSuffix::deleted) continue;
    if (file->suffix != FileSuffix::none) {
      add(entry.name, "left by an interrupted compaction", Remedy::settle_leftovers);
      continue;
    }
    if (file->kind == FileKind::data)
      bases.insert(file->base);
    else if (file->kind == FileKind::snapshot)
      snapshots_.insert(file->base);
    else
      companions.push_back(*file);
  }
  for (const auto& file : companions)
    if (!bases.contains(file.base))
      add(file_name(file.base, file.kind), "an index without data", Remedy::settle_leftovers);
  for (const auto base : bases) {
    auto info = files_.info(path(file_name(base, FileKind::data)));
    if (!info) return info.error();
    segments_.push_back({.base = base, .size_bytes = info->size_bytes, .report = {}, .status = {}});
  }
  return {};
}

bool PartitionCheck::is_being_written(std::size_t i) const {
  if (stop_.clean) return false;
  return i + 1 == segments_.size() || (stop_.recovery_point && segments_[i + 1].base > *stop_.recovery_point);
}

void PartitionCheck::check_segment(std::size_t i, std::atomic<std::uint64_t>& progress) {
  auto& segment = segments_[i];
  SegmentPlace place{
      .directory = directory_, .base = segment.base, .next_base = {}, .being_written = is_being_written(i)};
  if (i + 1 < segments_.size()) place.next_base = segments_[i + 1].base;
  auto report = storage::check_segment(files_, place, progress);
  if (report)
    segment.report = std::move(report).value();
  else
    segment.status = report.error();
}

Status PartitionCheck::finish() {
  first_offset_ = log_end_ = segments_.empty() ? Offset{0} : segments_.front().base;
  dense_ = first_offset_.raw == 0;
  bool damaged = false;
  for (const auto& segment : segments_) {
    if (!segment.status) return segment.status;
    const auto& report = *segment.report;
    findings_.insert(findings_.end(), report.findings.begin(), report.findings.end());
    damaged_inside_ |= report.damaged_middle || (damaged && report.first_offset);
    damaged |= report.damaged_middle || report.damaged_tail;
    dense_ &= !report.gaps && (!report.first_offset || *report.first_offset == log_end_) && !damaged;
    if (report.first_offset) log_end_ = report.next_offset;
    for (const auto& [epoch, start] : report.epochs) {
      if (epoch == base::kNoLeaderEpoch && report.has_legacy)
        epochs_.clear();
      else
        epochs_.assign(epoch, start);
    }
  }
  if (!segments_.empty()) log_end_ = std::max(log_end_, segments_.back().base);
  if (auto s = check_transactions(); !s) return s;
  if (auto s = check_snapshots(); !s) return s;
  if (auto s = check_epochs(); !s) return s;
  return check_metadata();
}

// What the records themselves say was aborted, by segment, against the transaction indexes.
Status PartitionCheck::check_transactions() {
  absl::flat_hash_map<base::ProducerId, Offset> open;
  for (const auto& segment : segments_) {
    std::vector<AbortedTxn> aborted;
    for (const auto& event : segment.report->transactions) {
      if (event.kind == TxnEvent::Kind::data) {
        open.try_emplace(event.producer, event.offset);
        continue;
      }
      const auto begun = open.find(event.producer);
      if (begun == open.end()) continue;
      const auto first = begun->second;
      open.erase(begun);
      if (event.kind == TxnEvent::Kind::commit) continue;
      auto stable = event.offset + 1;
      for (const auto& [producer, offset] : open) stable = std::min(stable, offset);
      aborted.push_back({event.producer, first, event.offset, stable});
    }
    if (auto s = check_txn_index(segment, aborted); !s) return s;
  }
  return {};
}

Status PartitionCheck::check_txn_index(const SegmentState& segment, const std::vector<AbortedTxn>& replayed) {
  const auto name = file_name(segment.base, FileKind::txn_index);
  TxnIndex index(files_, path(name));
  auto entries = index.entries();
  if (!entries) {
    if (entries.error().code != ErrorCode::corrupt_message) return entries.error();
    add(name, entries.error().detail, Remedy::rebuild_txn_index);
    wanted_txn_indexes_[segment.base] = replayed;
    return {};
  }
  // Entries by marker. A marker nobody knows, or another transaction than the records tell of, is wrong; in a log that
  // was compacted or does not begin at 0 a transaction may have begun earlier than its first record that is left.
  std::map<Offset, AbortedTxn> good;
  const auto findings = findings_.size();
  std::map<Offset, base::ProducerId> markers;
  for (const auto& event : segment.report->transactions)
    if (event.kind == TxnEvent::Kind::abort) markers[event.offset] = event.producer;
  for (std::size_t i = 0; i < (*entries)->size(); ++i) {
    const auto& entry = (**entries)[i];
    const auto wrong = [&](std::string what) {
      findings_.push_back({path(name), i * TxnIndex::kEntryBytes, std::move(what), Remedy::rebuild_txn_index});
    };
    const auto marker = markers.find(entry.last_offset);
    if (marker == markers.end() || marker->second != entry.producer_id) {
      wrong(fmt::format("producer {} aborted nothing at offset {}", entry.producer_id, entry.last_offset));
      continue;
    }
    const auto known = std::find_if(replayed.begin(), replayed.end(),
                                    [&](const AbortedTxn& txn) { return txn.last_offset == entry.last_offset; });
    if (known != replayed.end() && (dense_ ? entry != *known : entry.first_offset > known->first_offset)) {
      wrong(fmt::format("the transaction of producer {} that ends at {} began at {}, its last stable offset is {}",
                        entry.producer_id, entry.last_offset, known->first_offset, known->last_stable_offset));
      continue;
    }
    good[entry.last_offset] = entry;
  }
  // The entries reach the file when the segment is full, or at an orderly stop.
  const bool being_written = is_being_written(static_cast<std::size_t>(&segment - segments_.data()));
  for (const auto& txn : replayed) {
    if (good.contains(txn.last_offset)) continue;
    if (being_written && (*entries)->empty()) continue;
    good[txn.last_offset] = txn;
    const bool told = std::any_of((*entries)->begin(), (*entries)->end(),
                                  [&](const AbortedTxn& entry) { return entry.last_offset == txn.last_offset; });
    if (!told)
      add(name,
          fmt::format("the transaction of producer {} aborted at offset {} is missing", txn.producer_id,
                      txn.last_offset),
          Remedy::rebuild_txn_index);
  }
  if (findings_.size() == findings) return {};
  auto& wanted = wanted_txn_indexes_[segment.base];
  for (const auto& [at, txn] : good) wanted.push_back(txn);
  return {};
}

Status PartitionCheck::check_snapshots() {
  for (const auto at : snapshots_) {
    const auto name = file_name(at, FileKind::snapshot);
    // Behind a damaged end nobody knows what the offsets were.
    if (at > log_end_) {
      stray_snapshots_.push_back(at);
      add(name, fmt::format("the log ends before it, at {}", log_end_), Remedy::remove_snapshot);
      continue;
    }
    auto entries = load_producer_snapshot(files_, path(name));
    if (!entries) {
      if (entries.error().code != ErrorCode::corrupt_message) return entries.error();
      bad_snapshots_.push_back(at);
      add(name, entries.error().detail.substr(path(name).size() + 2), Remedy::rebuild_snapshot);
      continue;
    }
    for (const auto& producer : *entries) {
      if ((!producer.last_batch || producer.last_batch->last_offset < at) &&
          producer.open_transaction.value_or(Offset{0}) < std::max(at, Offset{1}))
        continue;
      bad_snapshots_.push_back(at);
      add(name, fmt::format("producer {} wrote behind offset {}, where the snapshot was taken", producer.id, at),
          Remedy::rebuild_snapshot);
      break;
    }
  }
  return {};
}

Status PartitionCheck::check_epochs() {
  auto text = read_file_if_there(files_, path(kLeaderEpochCheckpoint));
  if (!text) return text.error();
  if (!*text) {
    if (!epochs_.entries().empty()) add(kLeaderEpochCheckpoint, "the file is missing", Remedy::rewrite_epochs);
    return {};
  }
  auto table = EpochTable::parse(**text);
  if (!table) {
    add(kLeaderEpochCheckpoint, table.error().detail, Remedy::rewrite_epochs);
    return {};
  }
  // The file knows nothing below the log start, which deleted records may have moved into a segment.
  const auto known_from = table->entries().empty() ? first_offset_ : table->entries().front().start;
  for (const auto& entry : epochs_.entries()) {
    const auto at = std::max(entry.start, known_from);
    const auto written = epochs_.epoch_at(at);
    const auto told = table->epoch_at(at);
    if (at >= log_end_ || told == written) continue;
    add(kLeaderEpochCheckpoint,
        fmt::format("offset {} was written in epoch {}, the file says {}", at, *written,
                    told ? std::to_string(told->raw) : "none"),
        Remedy::rewrite_epochs);
    return {};
  }
  if (const auto latest = table->latest(); latest && latest->start > log_end_)
    add(kLeaderEpochCheckpoint,
        fmt::format("epoch {} begins at {}, the log ends at {}", latest->epoch, latest->start, log_end_),
        Remedy::rewrite_epochs);
  return {};
}

Status PartitionCheck::check_metadata() {
  auto id = load_partition_metadata(files_, path(kPartitionMetadata));
  if (id) return {};
  auto there = read_file_if_there(files_, path(kPartitionMetadata));
  if (!there) return there.error();  // the disk, not the contents
  add(kPartitionMetadata, id.error().detail.substr(path(kPartitionMetadata).size() + 2), Remedy::none);
  return {};
}

// --------------------------------------------------------------------------------------------------------- repairing

Result<std::vector<std::string>> PartitionCheck::repair() {
  std::vector<std::string> done;
  if (wants(Remedy::settle_leftovers)) {
    // Decides anew what the segments are: the rest is looked at again afterwards.
    auto left = clear_leftovers(files_, directory_);
    if (!left) return left.error();
    done.push_back(directory_ + ": finished or took back an interrupted compaction");
    return done;
  }
  if (auto s = repair_segments(done); !s) return s.error();
  if (auto s = repair_txn_indexes(done); !s) return s.error();
  if (auto s = repair_epochs(done); !s) return s.error();
  if (auto s = repair_snapshots(done); !s) return s.error();
  if (!done.empty())
    if (auto s = files_.sync_directory(directory_); !s) return s.error();
  return done;
}

Status PartitionCheck::repair_segments(std::vector<std::string>& done) {
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const auto& report = *segments_[i].report;
    const auto name = path(file_name(segments_[i].base, FileKind::data));
    const bool cut = report.may_cut_tail;
    if (!cut && !report.indexes_bad) continue;
    if (cut) {
      auto file = files_.open(name, base::OpenMode::read_write);
      if (!file) return file.error();
      if (auto s = (*file)->truncate(report.sound_end); !s) return s;
      if (auto s = (*file)->sync(); !s) return s;
      done.push_back(fmt::format("{}:{}: cut off {} bytes behind the last sound record", name, report.sound_end,
                                 report.size_bytes - report.sound_end));
    }
    // The indexes are written from what the headers say; a header that cannot be read ends that.
    auto segment = Segment::open(files_, directory_, segments_[i].base, IndexSettings{}, base::Timestamp{});
    if (!segment) return segment.error();
    auto rebuilt = (*segment)->rebuild_indexes();
    if (!rebuilt && rebuilt.error().code == ErrorCode::corrupt_message) continue;
    if (!rebuilt) return rebuilt;
    if (report.indexes_bad) done.push_back(fmt::format("{}: wrote its indexes anew", name));
  }
  return {};
}

Status PartitionCheck::repair_txn_indexes(std::vector<std::string>& done) {
  for (const auto& [base, wanted] : wanted_txn_indexes_) {
    const auto name = path(file_name(base, FileKind::txn_index));
    TxnIndex index(files_, name);
    if (auto s = index.reset(); !s) return s;
    for (const auto& txn : wanted)
      if (auto s = index.append(txn); !s) return s;
    auto written = index.write();
    if (!written) return written.error();
    if (*written)
      if (auto s = (*written)->sync(); !s) return s;
    done.push_back(fmt::format("{}: wrote {} aborted transactions anew", name, wanted.size()));
  }
  return {};
}

Status PartitionCheck::repair_epochs(std::vector<std::string>& done) {
  if (!wants(Remedy::rewrite_epochs)) return {};
  const auto name = path(kLeaderEpochCheckpoint);
  if (auto s = base::write_file_atomically(files_, name, epochs_.format()); !s) return s;
  done.push_back(fmt::format("{}: wrote the {} epochs of the records anew", name, epochs_.entries().size()));
  return {};
}

Status PartitionCheck::repair_snapshots(std::vector<std::string>& done) {
  for (const auto at : stray_snapshots_) {
    if (auto s = files_.remove(snapshot_path(directory_, at)); !s) return s;
    done.push_back(fmt::format("{}: removed", snapshot_path(directory_, at)));
  }
  if (bad_snapshots_.empty()) return {};
  SegmentList segments;
  for (const auto& segment : segments_) {
    auto opened = Segment::open(files_, directory_, segment.base, IndexSettings{}, base::Timestamp{});
    if (!opened) return opened.error();
    segments.add(std::move(opened).value());
  }
  for (const auto at : bad_snapshots_) {
    const auto name = snapshot_path(directory_, at);
    if (auto s = files_.remove(name); !s) return s;
    Producers producers;
    auto replayed = rebuild_producers(files_, directory_, segments, at, producers);
    if (!replayed && replayed.error().code == ErrorCode::kafka_storage_error) return replayed;
    if (!replayed) {  // the broker takes an older one and goes on from there, as it does when one is missing
      done.push_back(fmt::format("{}: removed; the records up to it are damaged", name));
      continue;
    }
    if (auto s = store_producer_snapshot(files_, name, producers.entries()); !s) return s;
    done.push_back(fmt::format("{}: wrote {} producers anew", name, producers.entries().size()));
  }
  return {};
}

}  // namespace storage
