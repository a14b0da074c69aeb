#include "storage/check/segment_check.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <limits>

#include "base/buffer.h"
#include "protocol/records/legacy.h"
#include "protocol/records/record.h"
#include "storage/check/index_check.h"
#include "storage/log/producer_replay.h"
#include "storage/segment/entry_scan.h"
#include "storage/segment/names.h"

namespace storage {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;
using protocol::EntryHeader;
using protocol::EntryView;

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

class SegmentReader {
 public:
  SegmentReader(base::FileSystem& files, const SegmentPlace& place, std::atomic<std::uint64_t>& progress)
      : files_(files),
        place_(place),
        progress_(progress),
        path_(place.directory + "/" + file_name(place.base, FileKind::data)),
        offsets_(place.directory, place.base, FileKind::offset_index),
        times_(place.directory, place.base, FileKind::time_index) {}

  Result<SegmentReport> run();

 private:
  Status take(const EntryView& entry, std::uint64_t position);
  Status check_inner_messages(const EntryView& entry);
  void note_epoch(const EntryView& entry);
  void note_producer(const EntryView& entry);
  // The first entry at or behind `from` with a right checksum; `in_order`: that may also follow by its offsets.
  Result<std::optional<std::uint64_t>> search(std::uint64_t from, bool in_order);
  // Where to go on behind `from`, the beginning of something that is no sound entry.
  Result<std::optional<std::uint64_t>> find_next_sound(std::uint64_t from);
  Result<bool> is_sound_at(std::uint64_t position, bool in_order);
  bool may_follow(const EntryHeader& header) const;

  base::FileSystem& files_;
  const SegmentPlace& place_;
  std::atomic<std::uint64_t>& progress_;
  std::string path_;
  std::unique_ptr<base::File> file_;
  IndexCheck offsets_;
  IndexCheck times_;
  SegmentReport report_;
  std::optional<base::LeaderEpoch> epoch_;
  absl::flat_hash_set<base::ProducerId> open_;
  std::uint64_t counted_ = 0;
};

// An entry that could stand next by its offsets.
bool SegmentReader::may_follow(const EntryHeader& header) const {
  const auto bound = place_.next_base.value_or(base::Offset{std::numeric_limits<std::int64_t>::max()});
  return header.base_offset >= report_.next_offset && header.last_offset >= header.base_offset &&
         header.last_offset < bound && header.last_offset - place_.base <= std::numeric_limits<std::int32_t>::max();
}

Status SegmentReader::check_inner_messages(const EntryView& entry) {
  if (entry.is_batch() || !entry.header().is_compressed()) return {};
  protocol::LegacyReader reader(entry);
  protocol::LegacyRecordView message;
  while (reader.next(message))
    if (!message.crc_ok())
      return fail(ErrorCode::corrupt_message, "the checksum of the message inside with offset {} is wrong",
                  message.offset);
  return reader.status();
}

Status SegmentReader::take(const EntryView& entry, std::uint64_t position) {
  if (position + entry.size_bytes() - counted_ > kPieceBytes) {
    progress_.fetch_add(position + entry.size_bytes() - counted_, std::memory_order_relaxed);
    counted_ = position + entry.size_bytes();
  }
  if (!entry.crc_ok()) return fail(ErrorCode::corrupt_message, "the checksum is wrong");
  if (!may_follow(entry.header())) {
    if (place_.next_base && entry.last_offset() >= *place_.next_base)
      return fail(ErrorCode::corrupt_message, "offsets {} to {} belong to the next segment", entry.base_offset(),
                  entry.last_offset());
    return fail(ErrorCode::corrupt_message, "offsets {} to {} where {} or more is expected", entry.base_offset(),
                entry.last_offset(), report_.next_offset);
  }
  if (auto s = check_inner_messages(entry); !s) return s;
  if (!report_.first_offset) report_.first_offset = entry.base_offset();
  report_.gaps |= entry.is_batch() && entry.base_offset() != report_.next_offset;
  report_.next_offset = entry.next_offset();
  report_.sound_end = position + entry.size_bytes();
  report_.has_legacy |= !entry.is_batch();
  offsets_.see(entry.header(), position, report_.findings);
  times_.see(entry.header(), position, report_.findings);
  note_epoch(entry);
  if (entry.is_batch()) note_producer(entry);
  return {};
}

void SegmentReader::note_epoch(const EntryView& entry) {
  const auto epoch = entry.is_batch() ? entry.leader_epoch() : base::kNoLeaderEpoch;
  if (epoch_ == epoch) return;
  epoch_ = epoch;
  report_.epochs.push_back({epoch, entry.base_offset()});
}

void SegmentReader::note_producer(const EntryView& entry) {
  const auto word = producer_word(entry.batch());
  if (const auto* claim = std::get_if<ProducerClaim>(&word)) {
    if (claim->transactional && open_.insert(claim->id).second)
      report_.transactions.push_back({claim->id, entry.base_offset(), TxnEvent::Kind::data});
  } else if (const auto* marker = std::get_if<TransactionMarker>(&word)) {
    open_.erase(marker->id);
    report_.transactions.push_back(
        {marker->id, entry.base_offset(), marker->commit ? TxnEvent::Kind::commit : TxnEvent::Kind::abort});
  }
}

Result<bool> SegmentReader::is_sound_at(std::uint64_t position, bool in_order) {
  std::byte front[protocol::kBatchHeaderBytes];
  auto got = file_->read_at(position, front);
  if (!got) return got.error();
  auto header = EntryHeader::parse(std::span<const std::byte>(front, *got));
  if (!header || !*header || (*header)->size_bytes > report_.size_bytes - position) return false;
  if (in_order && !may_follow(**header)) return false;
  base::Buffer whole((*header)->size_bytes);
  auto read = file_->read_at(position, whole.bytes());
  if (!read) return read.error();
  auto entry = EntryView::parse(std::span<const std::byte>(whole.bytes().first(*read)));
  return entry && *entry && (*entry)->crc_ok();
}

Result<std::optional<std::uint64_t>> SegmentReader::find_next_sound(std::uint64_t from) {
  // Where the damaged entry says it ends: records may hold what looks like entries, so this is asked first.
  std::byte front[protocol::kEntryPrefixBytes];
  auto got = file_->read_at(from, front);
  if (!got) return got.error();
  if (*got == sizeof front) {
    const auto length = base::load_big_endian<std::int32_t>(front + 8);
    if (length > 0) {
      const auto end = from + sizeof front + static_cast<std::uint64_t>(length);
      auto sound = is_sound_at(end, true);
      if (!sound) return sound.error();
      if (*sound) return std::optional(end);
    }
  }
  return search(from + 1, true);
}

Result<std::optional<std::uint64_t>> SegmentReader::search(std::uint64_t from, bool in_order) {
  std::vector<std::byte> piece(kPieceBytes + protocol::kBatchHeaderBytes);
  for (auto at = from; at < report_.size_bytes; at += kPieceBytes) {
    auto read = file_->read_at(at, piece);
    if (!read) return read.error();
    const auto starts = std::min<std::size_t>(*read, kPieceBytes);
    for (std::size_t i = 0; i < starts; ++i) {
      auto header = EntryHeader::parse(std::span<const std::byte>(piece.data() + i, *read - i));
      if (!header || !*header || (*header)->size_bytes > report_.size_bytes - at - i) continue;
      if (in_order && !may_follow(**header)) continue;
      auto sound = is_sound_at(at + i, in_order);
      if (!sound) return sound.error();
      if (*sound) return std::optional(at + i);
    }
  }
  return std::optional<std::uint64_t>{};
}

Result<SegmentReport> SegmentReader::run() {
  auto file = files_.open(path_, base::OpenMode::read_only);
  if (!file) return file.error();
  file_ = std::move(file).value();
  auto size = file_->size();
  if (!size) return size.error();
  report_.size_bytes = *size;
  report_.next_offset = place_.base;
  const IndexExpectation expected{.may_be_missing = place_.being_written, .may_end_in_zeros = place_.being_written};
  for (auto* index : {&offsets_, &times_})
    if (auto s = index->load(files_, expected, *size > 0, report_.findings); !s) return s.error();

  std::uint64_t position = 0;
  while (position < *size) {
    auto end = scan_entries(*file_, position, *size,
                            [&](const EntryView& entry, std::uint64_t at) { return take(entry, at); });
    if (!end) return end.error();
    if (end->position == *size) break;
    auto next = find_next_sound(end->position);
    if (!next) return next.error();
    const auto behind = next->value_or(*size);
    const auto why = end->why.ok() ? "no whole entry" : end->why.error().detail;
    if (*next) {
      report_.damaged_middle = true;
      report_.findings.push_back(
          {path_, end->position,
           fmt::format("damaged: {}; {} bytes between sound records", why, behind - end->position), Remedy::none});
    } else {
      // A record whose offset does not fit is a record: only a person may drop it.
      auto valid = search(end->position, false);
      if (!valid) return valid.error();
      report_.damaged_tail = true;
      report_.may_cut_tail = !place_.next_base && !*valid;
      report_.findings.push_back(
          {path_, end->position,
           fmt::format("{}: {}; {} bytes to the end", *valid ? "damaged" : "torn", why, behind - end->position),
           report_.may_cut_tail ? Remedy::cut_tail : Remedy::none});
    }
    offsets_.skip_to(behind);
    times_.skip_to(behind);
    position = behind;
  }
  offsets_.finish(false, report_.findings);
  times_.finish(place_.next_base && !place_.being_written, report_.findings);
  progress_.fetch_add(*size - std::min(*size, counted_), std::memory_order_relaxed);
  report_.indexes_bad = std::any_of(report_.findings.begin(), report_.findings.end(),
                                    [](const Finding& f) { return f.remedy == Remedy::rebuild_indexes; });
  return std::move(report_);
}

}  // namespace

Result<SegmentReport> check_segment(base::FileSystem& files, const SegmentPlace& place,
                                    std::atomic<std::uint64_t>& progress) {
  return SegmentReader(files, place, progress).run();
}

}  // namespace storage
