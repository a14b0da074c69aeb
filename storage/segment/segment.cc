#include "storage/segment/segment.h"

#include <absl/container/inlined_vector.h>

#include "storage/segment/shortage.h"

namespace storage {
namespace {

using base::ErrorCode;
using base::fail;
using base::kNoTimestamp;

// Enough for the fetches that follow the end of a log and for a high watermark a few appends behind it.
constexpr std::size_t kRecentPlaces = 8;

// So many index entries are kept in memory while their files are being made, 32 MiB of data at 4 KiB each. Then the
// append waits.
constexpr std::size_t kMostWaiting = 16 * EntryFile::kTailEntries;

}  // namespace

Segment::Segment(FileSystem& files, std::string directory, Offset base, IndexSettings index, Timestamp now,
                 FileSuffix suffix)
    : files_(files),
      directory_(std::move(directory)),
      base_(base),
      suffix_(suffix),
      index_settings_(index),
      created_(now),
      offset_index_(files, path(FileKind::offset_index), base, index.max_bytes),
      time_index_(files, path(FileKind::time_index), base, index.max_bytes),
      txn_index_(files, path(FileKind::txn_index)) {}

Result<std::unique_ptr<Segment>> Segment::create(FileSystem& files, std::string directory, Offset base,
                                                 IndexSettings index, Timestamp now, std::uint64_t preallocated_bytes,
                                                 FileSuffix suffix) {
  std::unique_ptr<Segment> segment(new Segment(files, std::move(directory), base, index, now, suffix));
  // Indexes first: if we stop here, an empty segment with stale indexes must not be what the next start finds.
  if (auto s = segment->offset_index_.reset(); !s) return s.error();
  if (auto s = segment->time_index_.reset(); !s) return s.error();
  if (auto s = segment->txn_index_.reset(); !s) return s.error();
  auto data = files.open(segment->path(FileKind::data), base::OpenMode::create_or_open);
  if (!data) return data.error();
  auto size = (*data)->size();
  if (!size) return size.error();
  if (*size != 0)
    return fail(ErrorCode::kafka_storage_error, "{} should be new but holds {} bytes", (*data)->path(), *size);
  segment->data_ = std::move(data).value();
  if (preallocated_bytes > 0)
    if (auto s = segment->data_->truncate(preallocated_bytes); !s) return s.error();
  segment->preallocated_ = preallocated_bytes > 0;
  segment->indexes_loaded_ = true;
  segment->largest_ = Largest{kNoTimestamp, base};
  return segment;
}

Result<std::unique_ptr<Segment>> Segment::create_next(FileSystem& files, std::string directory, Offset base,
                                                      IndexSettings index, Timestamp now,
                                                      std::uint64_t preallocated_bytes) {
  std::unique_ptr<Segment> segment(new Segment(files, directory, base, index, now));
  auto data = files.open(segment->path(FileKind::data), base::OpenMode::create_new);
  if (!data) {
    auto there = files.exists(segment->path(FileKind::data));
    if (!there || !*there) return data.error();
    return create(files, std::move(directory), base, index, now, preallocated_bytes);
  }
  segment->data_ = std::move(data).value();
  segment->txn_index_.begin_empty();
  segment->to_preallocate_ = preallocated_bytes;
  segment->preallocated_ = preallocated_bytes > 0;
  segment->indexes_loaded_ = true;
  segment->largest_ = Largest{kNoTimestamp, base};
  return segment;
}

Result<std::unique_ptr<Segment>> Segment::open(FileSystem& files, std::string directory, Offset base,
                                               IndexSettings index, Timestamp now) {
  std::unique_ptr<Segment> segment(new Segment(files, std::move(directory), base, index, now));
  auto info = files.info(segment->path(FileKind::data));
  if (!info) return info.error();
  segment->size_ = info->size_bytes;
  segment->sealed_ = true;
  return segment;
}

Status Segment::open_data() {
  if (data_) return {};
  auto data = files_.open(path(FileKind::data), base::OpenMode::read_write);
  if (!data) return data.error();
  data_ = std::move(data).value();
  return {};
}

Status Segment::load_indexes() {
  if (indexes_loaded_) return {};
  if (auto s = offset_index_.load(); !s) return s;
  if (auto s = time_index_.load(); !s) return s;
  indexes_loaded_ = true;
  if (size_ > 0 && offset_index_.count() == 0 && size_ > 16 * index_settings_.interval_bytes) return rebuild_indexes();
  return {};
}

Status Segment::append(std::span<const SegmentBatch> batches) {
  if (sealed_)
    if (auto s = finish_work(); !s) return s;
  if (auto s = open_data(); !s) return s;
  if (auto s = load_indexes(); !s) return s;
  if (!largest_) {
    auto largest = load_largest();
    if (!largest) return largest.error();
    largest_ = *largest;
  }
  sealed_ = false;
  absl::InlinedVector<std::span<const std::byte>, 8> pieces;
  std::size_t total = 0;
  for (const auto& batch : batches) {
    total += batch.bytes.size();
    // Batches that lie side by side in memory are one piece.
    if (!pieces.empty() && pieces.back().data() + pieces.back().size() == batch.bytes.data())
      pieces.back() = {pieces.back().data(), pieces.back().size() + batch.bytes.size()};
    else
      pieces.push_back(batch.bytes);
  }
  if (auto s = data_->write_at(size_, pieces); !s) {
    // A full disk took in a part at most. That goes again, and the log with it stays what it was.
    if (!base::is_out_of_space(s.error())) return s;
    auto cut = data_->truncate(size_);
    return cut.ok() ? s : cut;
  }
  auto position = size_;
  size_ += total;
  for (const auto& batch : batches) {
    index({.position = position,
           .size_bytes = batch.bytes.size(),
           .base_offset = batch.base_offset,
           .last_offset = batch.last_offset},
          batch.max_timestamp);
    position += batch.bytes.size();
  }
  return index_status_;
}

void Segment::index(const Place& place, Timestamp max_timestamp) {
  if (place.position == 0) first_time_ = max_timestamp;
  if (max_timestamp > largest_->timestamp) largest_ = Largest{max_timestamp, place.last_offset};
  if (bytes_since_entry_ > index_settings_.interval_bytes) {
    take_up_made_files();
    auto s = offset_index_.append(place.last_offset, place.position);
    if (s && largest_->timestamp != kNoTimestamp) s = time_index_.append(largest_->timestamp, largest_->offset);
    // Entries that find no room on the disk stay in memory, or are missed by nobody: an index may know too little.
    if (!s && index_status_.ok() && !is_shortage(s.error())) index_status_ = s;
    bytes_since_entry_ = 0;
  }
  bytes_since_entry_ += place.size_bytes;
  if (recent_.size() == kRecentPlaces) recent_.erase(recent_.begin());
  recent_.push_back(place);
}

std::shared_ptr<SegmentWork> Segment::files_to_make() {
  if (making_ || (to_preallocate_ == 0 && !offset_index_.entries().lacks_room())) return nullptr;
  making_ = std::make_shared<SegmentWork>([data = data_, size = std::exchange(to_preallocate_, 0),
                                           offsets = offset_index_.entries().blank(),
                                           times = time_index_.entries().blank()]() -> Result<SegmentWork::Files> {
    if (size > 0)
      if (auto s = data->truncate(size); !s) return s.error();
    SegmentWork::Files made;
    for (const auto* blank : {&offsets, &times}) {
      auto file = blank->make();
      if (!file) return file.error();
      made.push_back(std::move(*file));
    }
    return made;
  });
  return making_;
}

void Segment::take_up_made_files() {
  if (!making_ || (!making_->done() && offset_index_.entries().waiting() < kMostWaiting)) return;
  auto made = making_->run();
  if (!made) {
    // A full disk is asked again with the next entry.
    if (index_status_.ok() && !is_shortage(made.error())) index_status_ = made.error();
    return;
  }
  offset_index_.entries().take_up(std::move((*made)[0]));
  time_index_.entries().take_up(std::move((*made)[1]));
  making_.reset();
}

Status Segment::finish_work() {
  opening_.reset();  // what it opened may be cut now
  if (sealing_) {
    if (auto written = sealing_->run(); !written) return written.error();
    sealing_.reset();
    making_.reset();
    txn_index_.rest_written();
    indexes_loaded_ = false;
  }
  if (!making_) return {};
  auto made = making_->run();
  if (!made) return made.error();
  take_up_made_files();
  return {};
}

// On a full disk files can be removed, but not be made.
void Segment::cancel_work() {
  for (auto* work : {&sealing_, &making_, &opening_})
    if (*work) std::exchange(*work, nullptr)->cancel();
}
// The data file is cut before there is a next one: zeros between two segments are damage, to Apache Kafka too.
Status Segment::prepare_seal() {
  if (sealed_) return {};
  if (preallocated_) {
    if (auto s = finish_work(); !s) return s;
    if (auto s = data_->truncate(size_); !s) return s;
    preallocated_ = false;
  }
  if (auto s = load_indexes(); !s) return s;
  auto largest = largest_timestamp();
  if (!largest) return largest.error();
  if (!*largest) return {};
  return time_index_.append(largest_->timestamp, largest_->offset, TimeIndex::Slot::closing);
}

std::shared_ptr<SegmentWork> Segment::seal_later() {
  if (sealed_) return sealing_;
  sealing_ = std::make_shared<SegmentWork>([making = making_, offsets = offset_index_.entries().rest(),
                                            times = time_index_.entries().rest(),
                                            aborted = txn_index_.rest()]() -> Result<SegmentWork::Files> {
    SegmentWork::Files files{nullptr, nullptr};
    // Files that could not be made are made by writing them.
    if (making)
      if (auto made = making->run(); made && made->size() == files.size()) files = std::move(*made);
    for (std::size_t i = 0; i < files.size(); ++i) {
      auto written = (i == 0 ? offsets : times).write(std::move(files[i]));
      if (!written) return written.error();
      files[i] = std::move(*written);
    }
    auto transactions = aborted.write();
    if (!transactions) return transactions.error();
    if (*transactions) files.push_back(std::move(*transactions));
    return files;
  });
  sealed_ = true;
  return sealing_;
}

Status Segment::seal() {
  if (auto s = finish_work(); !s) return s;
  if (!sealed_) {
    if (auto s = prepare_seal(); !s) return s;
    if (auto s = offset_index_.trim(); !s) return s;
    if (auto s = time_index_.trim(); !s) return s;
    sealed_ = true;
  }
  return write_transactions();
}

Status Segment::write_transactions() {
  if (!txn_index_.has_unwritten()) return {};
  auto written = txn_index_.write();
  if (!written) return written.error();
  txn_file_ = std::move(*written);
  return {};
}

Result<std::shared_ptr<base::File>> Segment::data_to_sync() {
  if (auto s = open_data(); !s) return s.error();
  return data_;
}

bool Segment::close_files() {
  if (!sealed_ || opening_ || (sealing_ ? !sealing_->done() : making_ != nullptr) || !finish_work()) return false;
  data_.reset();
  txn_file_.reset();
  offset_index_.entries().close();
  time_index_.entries().close();
  indexes_loaded_ = false;
  return true;
}

Result<Segment::ToSync> Segment::files_to_sync() {
  if (sealed_ && !sealing_ && !data_) return ToSync{.first = open_to_sync(), .files = {}};
  ToSync to_sync{.first = sealing_, .files = {}};
  if (auto s = open_data(); !s) return s.error();
  to_sync.files.push_back(data_);
  if (sealing_) return to_sync;
  if (sealed_ && !indexes_loaded_) to_sync.first = open_to_sync();
  for (auto file : {offset_index_.entries().file(), time_index_.entries().file(), txn_file_})
    if (file) to_sync.files.push_back(std::move(file));
  return to_sync;
}

// Who has them synced need not wait until they are open.
std::shared_ptr<SegmentWork> Segment::open_to_sync() const {
  std::vector<std::string> paths;
  for (const auto kind : {FileKind::data, FileKind::offset_index, FileKind::time_index, FileKind::txn_index})
    paths.push_back(path(kind));
  return std::make_shared<SegmentWork>([&files = files_, paths = std::move(paths)]() -> Result<SegmentWork::Files> {
    SegmentWork::Files opened;
    for (const auto& path : paths) {
      auto there = files.exists(path);
      if (!there) return there.error();
      if (!*there) continue;
      auto file = files.open(path, base::OpenMode::read_write);
      if (!file) return file.error();
      opened.push_back(std::move(file).value());
    }
    return opened;
  });
}

Result<std::vector<std::string>> Segment::mark_deleted() {
  cancel_work();
  std::vector<std::string> renamed;
  for (const auto kind : {FileKind::data, FileKind::offset_index, FileKind::time_index, FileKind::txn_index}) {
    const auto from = path(kind);
    auto there = files_.exists(from);
    if (!there) return there.error();
    if (!*there) continue;
    auto to = directory_ + "/" + file_name(base_, kind, FileSuffix::deleted);
    if (auto s = files_.rename(from, to); !s) return s.error();
    renamed.push_back(std::move(to));
  }
  return renamed;
}

Status Segment::remove_files() {
  cancel_work();
  for (const auto kind : {FileKind::offset_index, FileKind::time_index, FileKind::txn_index, FileKind::data})
    if (auto s = files_.remove(path(kind)); !s) return s;
  return {};
}

}  // namespace storage
