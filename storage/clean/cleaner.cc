#include "storage/clean/cleaner.h"

#include <absl/functional/function_ref.h>

#include <algorithm>
#include <array>
#include <limits>

#include "storage/clean/piece_reader.h"
#include "storage/log/producer_replay.h"
#include "storage/segment/entry_scan.h"

namespace storage {
namespace {

using base::ErrorCode;
using base::fail;
using Kind = CleanOutcome::Kind;

constexpr std::array kSegmentFiles{FileKind::data, FileKind::offset_index, FileKind::time_index, FileKind::txn_index};
constexpr std::uint64_t kMaxSegmentBytes = std::numeric_limits<std::int32_t>::max();

// Says "not now" through the error channel of the steps below; never leaves this file.
constexpr ErrorCode kGivenUp = ErrorCode::operation_not_attempted;

std::string path_of(const LogLook& look, Offset base, FileKind kind, FileSuffix suffix = FileSuffix::none) {
  return look.directory + "/" + file_name(base, kind, suffix);
}

LogOutline outline_of(const Log& log) {
  LogOutline outline{.log_start = log.log_start_offset(),
                     .last_stable = log.last_stable_offset(),
                     .log_end = log.log_end_offset(),
                     .cleaned_to = log.marks()->cleaned_to.load(),
                     .segments = {}};
  const auto& segments = log.segments();
  outline.segments.reserve(segments.size());
  for (std::size_t i = 0; i < segments.size(); ++i)
    outline.segments.push_back({segments.at(i).base_offset(), segments.at(i).size_bytes()});
  return outline;
}

Result<Timestamp> modified(base::FileSystem& files, const LogLook& look, Offset base) {
  auto info = files.info(path_of(look, base, FileKind::data));
  if (!info) return info.error();
  return info->modified;
}

// As the last entry of its time index tells, which closes a segment; without one, when it was written.
Result<Timestamp> largest_timestamp(base::FileSystem& files, const LogLook& look, Offset base,
                                    const IndexSettings& index) {
  TimeIndex times(files, path_of(look, base, FileKind::time_index), base, index.max_bytes);
  if (auto s = times.load(); !s) return s.error();
  auto last = times.last();
  if (!last) return last.error();
  if (*last && (*last)->timestamp >= Timestamp{}) return (*last)->timestamp;
  return modified(files, look, base);
}

// One cleaning.
class Cleaning {
 public:
  Cleaning(const CleanerServices& services, const TopicPartition& partition, const CleanSettings& settings,
           const CleanerMemory& memory, LogLook look)
      : services_(services),
        files_(services.files),
        partition_(partition),
        settings_(settings),
        memory_(memory),
        look_(std::move(look)),
        now_(services.clock.wall()) {}

  Status run();
  CleanOutcome outcome(const Status& ended);

 private:
  using TakeEntry = absl::FunctionRef<Status(const protocol::EntryView&)>;
  struct Source {
    Offset base;
    Offset end;  // base of the next segment
    std::uint64_t size_bytes;
  };

  Status learn();
  Status map_keys();
  Status rewrite(const SegmentGroup& group);
  Status write_cleaned(const SegmentGroup& group);
  Status copy(const Source& source, Segment& into);
  Status filter_piece(std::span<const std::byte> piece, const Source& source, Segment& into);
  Status sync_cleaned(const SegmentGroup& group, Segment& cleaned);
  Status swap_in(const SegmentGroup& group);
  Status finish();

  Status check_room(const SegmentGroup& group);
  Status spend(std::size_t bytes);
  Status check_entry(const protocol::EntryView& entry, const Source& source);
  Source source_at(std::size_t i) const;
  std::size_t place_of(Offset base) const;
  void remove_cleaned(Offset base);
  bool lost_segments();
  std::size_t piece_bytes() const { return std::max<std::size_t>(memory_.buffer_bytes / 2, 4096); }

  const CleanerServices& services_;
  base::FileSystem& files_;
  const TopicPartition& partition_;
  const CleanSettings& settings_;
  const CleanerMemory& memory_;
  const LogLook look_;
  const Timestamp now_;

  DirtyRange range_;
  std::vector<AbortedTxn> aborted_;
  std::optional<LastBatches> last_batches_;
  std::optional<KeyMap> keys_;
  std::optional<TransactionWalk> transactions_;
  std::optional<Filter> filter_;
  Offset mapped_to_;
  Timestamp keep_tombstones_after_{};  // of magic 0 and 1, by the modification time of their segment
  Offset next_offset_;                 // what the entry read next must not lie below
  base::Buffer piece_;
  std::vector<base::Buffer> replacements_;
  std::vector<SegmentBatch> batches_;
  std::optional<Offset> unfinished_;  // base of a group whose *.cleaned files may lie about
  CleanReport report_;
};

// --- looking ---------------------------------------------------------------------------------------------------------

Status Cleaning::learn() {
  auto range = find_dirty_range(files_, look_, settings_, now_);
  if (!range) return range.error();
  range_ = *range;
  if (range_.empty()) return fail(kGivenUp, "nothing is dirty");
  Status known;
  const bool there = services_.with_log(partition_, [&](Log& log) {
    last_batches_.emplace(log.producers());
    auto aborted = log.aborted_transactions(look_.outline.segments.front().base, range_.to);
    if (aborted)
      aborted_ = std::move(*aborted);
    else
      known = aborted.error();
  });
  if (!there) return fail(kGivenUp, "the log is gone");
  if (!known) return known;
  const auto first_dirty = place_of(range_.from);
  if (look_.outline.segments[first_dirty].base < range_.from || first_dirty > 0) {
    const bool inside = look_.outline.segments[first_dirty].base < range_.from;
    auto last_clean = modified(files_, look_, look_.outline.segments[inside ? first_dirty : first_dirty - 1].base);
    if (!last_clean) return last_clean.error();
    if (settings_.delete_retention < last_clean->time_since_epoch())
      keep_tombstones_after_ = *last_clean - settings_.delete_retention;
  }
  return {};
}

std::size_t Cleaning::place_of(Offset offset) const {
  const auto& segments = look_.outline.segments;
  const auto above = std::upper_bound(segments.begin(), segments.end(), offset,
                                      [](Offset o, const SegmentSize& segment) { return o < segment.base; });
  return above == segments.begin() ? 0 : static_cast<std::size_t>(above - segments.begin()) - 1;
}

Cleaning::Source Cleaning::source_at(std::size_t i) const {
  const auto& segments = look_.outline.segments;
  return {segments[i].base, segments[i + 1].base, segments[i].size_bytes};
}

Status Cleaning::spend(std::size_t bytes) {
  if (!services_.go_on(bytes)) return fail(kGivenUp, "a stop was asked for");
  if (!look_.current()) return fail(kGivenUp, "the log was cut or deleted");
  return {};
}

Status Cleaning::check_entry(const protocol::EntryView& entry, const Source& source) {
  if (!entry.crc_ok())
    return fail(ErrorCode::corrupt_message, "the checksum of the entry at offset {} in segment {} is wrong",
                entry.base_offset(), source.base);
  if (entry.base_offset() < next_offset_ || entry.last_offset() < entry.base_offset() ||
      entry.last_offset() >= source.end)
    return fail(ErrorCode::corrupt_message, "an entry in segment {} holds offsets {} to {}, expected {} to {}",
                source.base, entry.base_offset(), entry.last_offset(), next_offset_, source.end - 1);
  next_offset_ = entry.next_offset();
  return {};
}

// --- the map of keys -------------------------------------------------------------------------------------------------

Status Cleaning::map_keys() {
  // A record takes eight bytes at least, unless packed: then the map may fill up, and the rest follows another time.
  constexpr std::uint64_t kLeastRecordBytes = 8;
  constexpr std::size_t kLeastSlots = 4096;
  const auto slots = std::max<std::uint64_t>(range_.dirty_bytes / kLeastRecordBytes, kLeastSlots);
  keys_.emplace(KeyMap::Room{.memory_bytes = static_cast<std::size_t>(
                                 std::min<std::uint64_t>(slots * KeyMap::kSlotBytes, memory_.key_bytes)),
                             .load_factor = memory_.load_factor},
                HashSecret{services_.random.next(), services_.random.next()});
  TransactionWalk walk(aborted_);
  KeyCollector collector(*keys_, walk, range_.from);
  const auto begin = services_.clock.now();
  bool room = true;
  for (auto i = place_of(range_.from); room && look_.outline.segments[i].base < range_.to; ++i) {
    const auto source = source_at(i);
    if (source.size_bytes == 0) continue;
    auto file = files_.open(path_of(look_, source.base, FileKind::data), base::OpenMode::read_only);
    if (!file) return file.error();
    PieceReader pieces(**file, {0, source.size_bytes}, piece_, piece_bytes());
    next_offset_ = source.base;
    while (room) {
      auto piece = pieces.next();
      if (!piece) return piece.error();
      if (piece->empty()) break;
      report_.mapped_bytes += piece->size();
      if (auto s = spend(piece->size()); !s) return s;
      protocol::EntryCursor cursor(*piece);
      while (auto entry = room ? cursor.next() : std::nullopt) {
        if (auto s = check_entry(*entry, source); !s) return s;
        auto collected = collector.collect(*entry);
        if (!collected) return collected.error();
        room = *collected;
      }
    }
  }
  mapped_to_ = room ? range_.to : collector.mapped_to();
  report_.keys = keys_->size();
  report_.mapped_records = collector.records_seen();
  report_.mapping = services_.clock.now() - begin;
  return {};
}

// --- rewriting -------------------------------------------------------------------------------------------------------

Status Cleaning::run() {
  if (auto s = learn(); !s) return s;
  if (auto s = map_keys(); !s) return s;
  transactions_.emplace(aborted_);
  filter_.emplace(FilterRules{*keys_, mapped_to_, now_, settings_.delete_retention, *last_batches_}, *transactions_);
  const auto begin = services_.clock.now();
  for (const auto& group : group_segments(look_.outline, mapped_to_, settings_))
    if (auto s = rewrite(group); !s) return s;
  report_.copying = services_.clock.now() - begin;
  return finish();
}

Status Cleaning::rewrite(const SegmentGroup& group) {
  if (auto s = check_room(group); !s) return s;
  unfinished_ = group.base();
  if (auto s = write_cleaned(group); !s) return s;
  if (auto s = swap_in(group); !s) return s;
  unfinished_.reset();
  return {};
}

// Old and new lie side by side for a while. A disk that is full is no reason to take it out of service.
Status Cleaning::check_room(const SegmentGroup& group) {
  auto free = files_.free_bytes(look_.directory);
  if (!free) return free.error();
  const auto need = group.size_bytes() + 2 * settings_.index.max_bytes;
  if (*free >= need) return {};
  return fail(kGivenUp, "cleaning needs {} bytes beside the old segments, and {} has {}", need, look_.directory, *free);
}

Status Cleaning::write_cleaned(const SegmentGroup& group) {
  remove_cleaned(group.base());
  auto cleaned = Segment::create(files_, look_.directory, group.base(), settings_.index, now_, 0, FileSuffix::cleaned);
  if (!cleaned) return cleaned.error();
  for (const auto& segment : group.segments)
    if (auto s = copy(source_at(place_of(segment.base)), **cleaned); !s) return s;
  for (const auto& txn : transactions_->take_still_named())
    if (auto s = (*cleaned)->txn_index().append(txn); !s) return s;
  report_.segments_before += group.segments.size();
  report_.segments_after += 1;
  report_.bytes_before += group.size_bytes();
  report_.bytes_after += (*cleaned)->size_bytes();
  return sync_cleaned(group, **cleaned);
}

Status Cleaning::copy(const Source& source, Segment& into) {
  if (source.size_bytes == 0) return {};
  auto changed = modified(files_, look_, source.base);
  if (!changed) return changed.error();
  filter_->keep_legacy_tombstones(*changed > keep_tombstones_after_);
  auto file = files_.open(path_of(look_, source.base, FileKind::data), base::OpenMode::read_only);
  if (!file) return file.error();
  PieceReader pieces(**file, {0, source.size_bytes}, piece_, piece_bytes());
  next_offset_ = source.base;
  for (;;) {
    auto piece = pieces.next();
    if (!piece) return piece.error();
    if (piece->empty()) return {};
    if (auto s = spend(piece->size()); !s) return s;
    if (auto s = filter_piece(*piece, source, into); !s) return s;
  }
}

// What stays as it is goes to the file straight from the piece; neighbours that stay are one write.
Status Cleaning::filter_piece(std::span<const std::byte> piece, const Source& source, Segment& into) {
  replacements_.clear();
  batches_.clear();
  std::size_t written = 0;
  const auto take = [&](const protocol::EntryView& entry) {
    batches_.push_back({.bytes = entry.bytes(),
                        .base_offset = entry.base_offset(),
                        .last_offset = entry.last_offset(),
                        .max_timestamp = entry.max_timestamp()});
    written += entry.size_bytes();
  };
  protocol::EntryCursor cursor(piece);
  while (auto entry = cursor.next()) {
    if (auto s = check_entry(*entry, source); !s) return s;
    base::Buffer replacement;
    auto verdict = filter_->judge(*entry, replacement);
    if (!verdict) return verdict.error();
    if (*verdict == Filter::Verdict::keep) take(*entry);
    if (*verdict != Filter::Verdict::replace) continue;
    replacements_.push_back(std::move(replacement));
    // A message of old inside a compressed one may come out as several.
    protocol::EntryCursor rewritten(replacements_.back().bytes());
    while (auto one = rewritten.next()) take(*one);
  }
  if (batches_.empty()) return {};
  if (into.size_bytes() + written > kMaxSegmentBytes)
    return fail(ErrorCode::message_too_large, "the new segment {} grows beyond {} bytes", into.base_offset(),
                kMaxSegmentBytes);
  if (auto s = into.append(batches_); !s) return s;
  return spend(written);
}

Status Cleaning::sync_cleaned(const SegmentGroup& group, Segment& cleaned) {
  if (auto s = cleaned.seal(); !s) return s;
  auto to_sync = cleaned.files_to_sync();
  if (!to_sync) return to_sync.error();
  base::invariant(!to_sync->first, "what was just written is open");
  for (const auto& file : to_sync->files)
    if (auto s = file->sync(); !s) return s;
  // Retention and the age of tombstones go by when records were written, not by when they were copied.
  auto changed = modified(files_, look_, group.segments.back().base);
  if (!changed) return changed.error();
  for (const auto kind : {FileKind::data, FileKind::offset_index, FileKind::time_index})
    if (auto s = files_.set_modified(path_of(look_, group.base(), kind, FileSuffix::cleaned), *changed); !s) return s;
  return files_.sync_directory(look_.directory);
}

Status Cleaning::swap_in(const SegmentGroup& group) {
  Log::CleanedSegment cleaned{.replaced = {}, .seen = look_.ticket};
  for (const auto& segment : group.segments) cleaned.replaced.push_back(segment.base);
  std::optional<Result<std::optional<PutOffRemoval>>> swapped;
  services_.with_log(partition_, [&](Log& log) { swapped = log.swap_in(cleaned); });
  if (!swapped) return fail(kGivenUp, "the log is gone");
  if (!*swapped) return swapped->error();
  if (!**swapped) return fail(kGivenUp, "the log was cut or lost segments");
  unfinished_.reset();
  // What was replaced may only go when nobody can need it any more.
  if (auto s = files_.sync_directory(look_.directory); !s) return s;
  for (auto at = group.segments.begin() + 1; at != group.segments.end(); ++at)
    if (auto s = files_.remove(snapshot_path(look_.directory, at->base)); !s) return s;
  services_.with_log(partition_, [&](Log& log) { log.remove_later(std::move(***swapped)); });
  return {};
}

Status Cleaning::finish() {
  report_.range = range_;
  report_.cleaned_to = mapped_to_;
  report_.records_kept = filter_->records_kept();
  services_.with_log(partition_, [&](Log& log) { log.set_cleaned_to(mapped_to_, look_.ticket); });
  return {};
}

// --- the end ---------------------------------------------------------------------------------------------------------

void Cleaning::remove_cleaned(Offset base) {
  for (const auto kind : kSegmentFiles) (void)files_.remove(path_of(look_, base, kind, FileSuffix::cleaned));
}

// Whether retention, or a deletion of the log, took files away that we were reading.
bool Cleaning::lost_segments() {
  bool lost = true;
  services_.with_log(partition_, [&](Log& log) {
    lost = !look_.current() || look_.outline.segments.front().base < log.segments().first().base_offset();
  });
  return lost;
}

CleanOutcome Cleaning::outcome(const Status& ended) {
  if (ended) return {.kind = Kind::cleaned, .report = report_};
  const auto& why = ended.error();
  if (why.code == kGivenUp || !look_.current() || lost_segments()) {
    if (unfinished_) remove_cleaned(*unfinished_);
    return {.kind = Kind::given_up, .why = why.detail};
  }
  if (why.code == ErrorCode::kafka_storage_error) {
    (void)look_.health->watch(ended);
    return {.kind = Kind::disk_failed, .why = why.detail};
  }
  if (unfinished_) remove_cleaned(*unfinished_);
  return {.kind = Kind::uncleanable, .why = why.text()};
}

}  // namespace

std::optional<LogLook> look_at(const WithLog& with_log, const TopicPartition& partition) {
  std::optional<LogLook> look;
  with_log(partition, [&](Log& log) {
    look = LogLook{.outline = outline_of(log),
                   .directory = log.directory(),
                   .health = log.shared_health(),
                   .marks = log.marks(),
                   .ticket = log.ticket()};
  });
  return look;
}

Result<DirtyRange> find_dirty_range(base::FileSystem& files, const LogLook& look, const CleanSettings& settings,
                                    Timestamp now) {
  std::optional<Offset> too_young;
  if (settings.min_lag.count() > 0) {
    for (const auto base : dirty_segments(look.outline)) {
      auto largest = largest_timestamp(files, look, base, settings.index);
      if (!largest) return largest.error();
      if (*largest > now || now - *largest < settings.min_lag) {
        too_young = base;
        break;
      }
    }
  }
  return dirty_range(look.outline, too_young);
}

Result<std::optional<Timestamp>> find_oldest_dirty(base::FileSystem& files, const LogLook& look,
                                                   const DirtyRange& range) {
  std::optional<Timestamp> oldest;
  for (const auto base : dirty_segments(look.outline)) {
    if (base >= range.to) break;
    auto file = files.open(path_of(look, base, FileKind::data), base::OpenMode::read_only);
    if (!file) return file.error();
    auto size = (*file)->size();
    if (!size) return size.error();
    auto first = HeaderScan(**file, 0, *size).next();
    if (!first) return first.error();
    if (!*first || (*first)->header.max_timestamp <= Timestamp{}) continue;
    oldest = std::min(oldest.value_or((*first)->header.max_timestamp), (*first)->header.max_timestamp);
  }
  return oldest;
}

CleanOutcome Cleaner::clean(const TopicPartition& partition, const CleanSettings& settings,
                            const CleanerMemory& memory) {
  auto look = look_at(services_.with_log, partition);
  if (!look) return {.kind = Kind::given_up, .why = "the log is gone"};
  Cleaning cleaning(services_, partition, settings, memory, std::move(*look));
  return cleaning.outcome(cleaning.run());
}

}  // namespace storage
