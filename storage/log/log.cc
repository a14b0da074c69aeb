#include "storage/log/log.h"

#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "storage/dirs/checkpoints.h"
#include "storage/log/producer_replay.h"
#include "storage/log/producer_snapshot.h"

namespace storage {
namespace {

using base::ErrorCode;
using base::fail;
using base::invariant;
using base::kNoOffset;
using base::kNoTimestamp;

constexpr std::int64_t kMaxSegmentSpan = std::numeric_limits<std::int32_t>::max();

}  // namespace

Log::Log(LogServices services, Parts parts)
    : services_(std::move(services)),
      parts_(std::move(parts)),
      marks_(std::make_shared<LogMarks>(parts_.log_start, parts_.high_watermark, parts_.log_end, kNoOffset,
                                        parts_.recovery_point)),
      jitter_(draw_jitter()),
      last_flush_(services_.clock.now()) {
  invariant(!parts_.segments.empty(), "a log has an active segment");
  segments_changed();
  marks_->cleaned_to = parts_.cleaned_to;
  parts_.producers.high_watermark_moved(parts_.high_watermark);
}

Log::~Log() {
  if (services_.open_segments) services_.open_segments->closed(left_open_.size());
}

std::chrono::milliseconds Log::draw_jitter() {
  const auto most = parts_.settings.roll_jitter;
  if (most.count() <= 0) return std::chrono::milliseconds{0};
  return std::chrono::milliseconds{services_.random.below(static_cast<std::uint64_t>(most.count()))};
}

Status Log::check_usable() const {
  if (closed_) return fail(ErrorCode::kafka_storage_error, "the log of {} is closed", parts_.partition);
  return parts_.health->check();
}

Status Log::set_topic_id(const base::Uuid& id) {
  if (parts_.topic_id == id) return {};
  if (parts_.topic_id)
    return fail(ErrorCode::inconsistent_topic_id, "{} has topic id {} in {}, not {}", parts_.partition,
                parts_.topic_id->text(), parts_.directory, id.text());
  if (auto s = check_usable(); !s) return s;
  const auto path = parts_.directory + "/" + std::string(kPartitionMetadata);
  if (auto s = watch(store_partition_metadata(services_.files, path, id)); !s) return s;
  parts_.topic_id = id;
  return {};
}

Offset Log::last_stable_offset() const {
  const auto unstable = parts_.producers.first_unstable_offset();
  // A transaction may have begun below a log start that has moved since.
  return unstable ? std::min(std::max(*unstable, log_start_offset()), high_watermark()) : high_watermark();
}

void Log::set_high_watermark(Offset to) {
  invariant(to >= log_start_offset() && to <= log_end_offset(), "a high watermark lies inside the log");
  if (to == high_watermark()) return;
  marks_->high_watermark.store(to, std::memory_order_release);
  parts_.producers.high_watermark_moved(to);
}

// --- appending -------------------------------------------------------------------------------------------------------

Result<std::optional<AppendInfo>> Log::check_producers(std::span<const protocol::Batch> batches,
                                                       AppendOrigin origin) const {
  for (const auto& batch : batches) {
    const auto word = producer_word(batch);
    if (const auto* marker = std::get_if<TransactionMarker>(&word)) {
      if (auto s = parts_.producers.check(*marker, origin); !s) return s.error();
      continue;
    }
    const auto* claim = std::get_if<ProducerClaim>(&word);
    if (!claim) continue;
    auto known = parts_.producers.check(*claim, origin);
    if (!known) return known.error();
    if (!*known) continue;
    return std::optional(AppendInfo{.base_offset = (*known)->first_offset(),
                                    .last_offset = (*known)->last_offset,
                                    .log_append_time = (*known)->timestamp,
                                    .log_start_offset = log_start_offset(),
                                    .duplicate = true});
  }
  return std::optional<AppendInfo>{};
}

Status Log::begin_leader_epoch(base::LeaderEpoch epoch) {
  if (auto s = check_usable(); !s) return s;
  // Old formats know of no epochs, and what was known before they were kept is of no use to anybody.
  if (parts_.settings.record_version < 2) return watch(parts_.epochs.clear());
  auto begun = watch(parts_.epochs.assign(epoch, log_end_offset()));
  // On a full disk the records are read all the same; the epoch is written before the first new one.
  return begun || !base::is_out_of_space(begun.error()) ? begun : Status{};
}

Result<AppendInfo> Log::append_as_leader(std::span<protocol::Batch> batches, base::LeaderEpoch leader_epoch,
                                         AppendOrigin origin) {
  invariant(!batches.empty(), "an append has at least one batch");
  if (auto s = check_usable(); !s) return s.error();
  auto duplicate = check_producers(batches, origin);
  if (!duplicate) return duplicate.error();
  if (*duplicate) return **duplicate;

  Incoming incoming{.first_offset = log_end_offset(), .last_offset = log_end_offset()};
  auto next = log_end_offset();
  absl::InlinedVector<SegmentBatch, 4> writes;
  for (auto& batch : batches) {
    batch.stamp(next, leader_epoch);
    invariant(batch.last_offset() >= next, "a batch spans at least one offset");
    next = batch.next_offset();
    writes.push_back({.bytes = batch.bytes(),
                      .base_offset = batch.base_offset(),
                      .last_offset = batch.last_offset(),
                      .max_timestamp = batch.max_timestamp()});
    incoming.size_bytes += batch.size_bytes();
    incoming.last_offset = batch.last_offset();
    incoming.max_timestamp = std::max(incoming.max_timestamp, batch.max_timestamp());
  }
  if (auto s = roll_if_due(incoming); !s) return s.error();
  // Before the data: an epoch that begins at the log end and has no records yet is dropped at the next start.
  if (auto s = watch(parts_.epochs.assign(leader_epoch, incoming.first_offset)); !s) return s.error();
  if (auto s = write(writes); !s) return s.error();
  for (const auto& batch : batches)
    if (const auto aborted = note_appended(parts_.producers, batch))
      if (auto s = insist(parts_.segments.active().txn_index().append(*aborted)); !s) return s.error();
  set_log_end(next);
  const auto& last = batches.back();
  return AppendInfo{.base_offset = incoming.first_offset,
                    .last_offset = incoming.last_offset,
                    .log_append_time = last.timestamp_type() == protocol::TimestampType::log_append_time
                                           ? last.max_timestamp()
                                           : kNoTimestamp,
                    .log_start_offset = log_start_offset()};
}

Result<AppendInfo> Log::append_as_leader(MessageSet& messages) {
  if (auto s = check_usable(); !s) return s.error();
  const auto first = log_end_offset();
  auto entries = number(messages, first);
  if (!entries) return entries.error();
  auto appended = append_as_follower(*entries);
  if (!appended) return appended.error();
  invariant(appended->has_value(), "a set holds at least one message");
  (*appended)->base_offset = first;  // of a compressed message the log knows only the last inside
  (*appended)->log_append_time = messages.append_time.value_or(kNoTimestamp);
  return **appended;
}

Result<std::optional<AppendInfo>> Log::append_as_follower(std::span<const std::byte> entries) {
  if (auto s = check_usable(); !s) return s.error();
  absl::InlinedVector<SegmentBatch, 8> writes;
  std::vector<protocol::EntryView> views;
  Incoming incoming{.first_offset = log_end_offset(), .last_offset = log_end_offset()};
  auto next = log_end_offset();
  protocol::EntryCursor cursor(entries);
  while (auto entry = cursor.next()) {
    if (!entry->crc_ok())
      return fail(ErrorCode::corrupt_message, "{}: the leader sent a batch at {} with a wrong checksum",
                  parts_.partition, entry->base_offset());
    if (entry->base_offset() < next || entry->last_offset() < entry->base_offset())
      return fail(ErrorCode::offset_out_of_range, "{}: the leader sent offsets {} to {}, expected {} or more",
                  parts_.partition, entry->base_offset(), entry->last_offset(), next);
    if (writes.empty()) incoming.first_offset = entry->base_offset();
    next = entry->next_offset();
    writes.push_back({.bytes = entry->bytes(),
                      .base_offset = entry->base_offset(),
                      .last_offset = entry->last_offset(),
                      .max_timestamp = entry->max_timestamp()});
    incoming.size_bytes += entry->size_bytes();
    incoming.last_offset = entry->last_offset();
    incoming.max_timestamp = std::max(incoming.max_timestamp, entry->max_timestamp());
    views.push_back(*entry);
  }
  if (!cursor.status()) return cursor.status().error();
  if (writes.empty()) return std::optional<AppendInfo>{};
  // A compressed message of old bears the offset of the last record inside; its first is somewhere above the log end.
  if (!views.front().is_batch())
    incoming.first_offset = std::max(log_end_offset(), incoming.last_offset - kMaxSegmentSpan);
  if (auto s = roll_if_due(incoming); !s) return s.error();
  for (const auto& entry : views) {
    auto s = entry.is_batch() ? parts_.epochs.assign(entry.leader_epoch(), entry.base_offset()) : parts_.epochs.clear();
    if (s = watch(std::move(s)); !s) return s.error();
  }
  if (auto s = write(writes); !s) return s.error();
  for (const auto& entry : views) {
    if (!entry.is_batch()) continue;
    if (const auto aborted = note_appended(parts_.producers, entry.batch()))
      if (auto s = insist(parts_.segments.active().txn_index().append(*aborted)); !s) return s.error();
  }
  set_log_end(next);
  return std::optional(AppendInfo{.base_offset = incoming.first_offset,
                                  .last_offset = incoming.last_offset,
                                  .log_append_time = kNoTimestamp,
                                  .log_start_offset = log_start_offset()});
}

Status Log::write(std::span<const SegmentBatch> batches) {
  parts_.snapshot_at_end = false;
  for (const auto& batch : batches) parts_.health->use_room(batch.bytes.size());
  auto& active = parts_.segments.active();
  auto written = watch(active.append(batches));
  if (auto work = active.files_to_make()) make_in_background(std::move(work));
  return written;
}

void Log::make_in_background(std::shared_ptr<SegmentWork> work) {
  const auto ticket = marks_->recovery_point.ticket();
  services_.in_background([work = std::move(work), marks = marks_, health = parts_.health, ticket] {
    auto& point = marks->recovery_point;
    if (!health->online() || !point.enter(ticket)) return;
    const auto made = work->run();
    point.leave();
    if (!made && point.current(ticket)) (void)health->watch(Status(made.error()));
  });
}

// --- rolling and flushing --------------------------------------------------------------------------------------------

Status Log::roll_if_due(const Incoming& incoming) {
  if (incoming.size_bytes > parts_.settings.segment_bytes)
    return fail(ErrorCode::record_list_too_large, "{} bytes for {}, whose segments hold {}", incoming.size_bytes,
                parts_.partition, parts_.settings.segment_bytes);
  auto due = watch(roll_is_due(incoming));
  if (!due) return due.error();
  return *due ? roll_at(incoming.first_offset) : Status{};
}

Result<bool> Log::roll_is_due(const Incoming& incoming) {
  auto& active = parts_.segments.active();
  if (incoming.last_offset - active.base_offset() > kMaxSegmentSpan) return true;
  if (active.size_bytes() == 0) return false;
  if (active.size_bytes() > parts_.settings.segment_bytes - incoming.size_bytes || active.indexes_full()) return true;
  auto filling = active.filling_for(incoming.max_timestamp, services_.clock.wall());
  if (!filling) return filling.error();
  return *filling > parts_.settings.roll_after - jitter_;
}

Status Log::roll() {
  if (auto s = check_usable(); !s) return s;
  if (parts_.segments.active().size_bytes() == 0) return {};
  return roll_at(log_end_offset());
}

Status Log::skip_to(Offset to) {
  invariant(to > log_end_offset(), "a log end does not go back");
  if (auto s = check_usable(); !s) return s;
  if (size_bytes() == 0) return truncate_fully_and_start_at(to);
  if (auto s = roll_at(to); !s) return s;
  set_log_end(to);
  return {};
}

// Commit point: the new data file's name. Stopping before it leaves the old segment active; stopping before its indexes
// are complete does no harm: the next start recovers it anyway, for it lies above the recovery point.
Status Log::roll_at(Offset new_base) {
  auto& old = parts_.segments.active();
  if (old.base_offset() == new_base) {
    // Only offsets too far apart lead here with an empty segment, never with the same base.
    return fail(ErrorCode::kafka_storage_error, "{}: a segment at {} exists", parts_.partition, new_base);
  }
  if (auto s = watch(old.prepare_seal()); !s) return s;
  auto flush = watch(flush_to(new_base, Active::data));
  if (!flush) return flush.error();
  auto segment = watch(Segment::create_next(services_.files, parts_.directory, new_base, parts_.settings.index,
                                            services_.clock.wall(), preallocated_bytes()));
  if (!segment) return segment.error();
  // Nothing fails from here on.
  marks_->recovery_point.sealing(old.base_offset());
  if (auto sealing = old.seal_later()) flush->to_finish.push_back(std::move(sealing));
  flush->whole_below = new_base;
  flush->snapshot = Flush::Snapshot{snapshot_path(parts_.directory, new_base), parts_.producers.entries()};
  parts_.segments.add(std::move(segment).value());
  jitter_ = draw_jitter();
  left_open(parts_.segments.size() - 2);
  services_.in_background([work = std::move(flush).value()] { (void)work.run(); });
  if (auto work = parts_.segments.active().files_to_make()) make_in_background(std::move(work));
  return {};
}

Result<Flush> Log::flush_to(Offset to, Active active) {
  Flush flush{.files = &services_.files,
              .health = parts_.health,
              .directory = parts_.directory,
              .to_finish = {},
              .to_sync = {},
              .last_segment = parts_.segments.active().base_offset(),
              .whole_below = active == Active::all ? to : parts_.segments.active().base_offset(),
              .snapshot = std::nullopt,
              .to = to,
              .recovery_point = std::shared_ptr<RecoveryPoint>(marks_, &marks_->recovery_point),
              .ticket = marks_->recovery_point.ticket()};
  const auto from = marks_->recovery_point.whole();
  if (from >= to) return flush;
  for (auto i = parts_.segments.find(from); i < parts_.segments.size(); ++i) {
    if (active == Active::data && i + 1 == parts_.segments.size()) {
      auto data = parts_.segments.at(i).data_to_sync();
      if (!data) return data.error();
      flush.to_sync.push_back(std::move(*data));
      break;
    }
    auto needed = parts_.segments.at(i).files_to_sync();
    if (!needed) return needed.error();
    if (needed->first) flush.to_finish.push_back(std::move(needed->first));
    flush.to_sync.insert(flush.to_sync.end(), needed->files.begin(), needed->files.end());
  }
  return flush;
}

Result<Flush> Log::prepare_flush() {
  if (auto s = check_usable(); !s) return s.error();
  last_flush_ = services_.clock.now();
  return watch(flush_to(log_end_offset(), Active::data));
}

bool Log::is_flush_overdue() const {
  if (closed_ || !parts_.health->online() || recovery_point() >= log_end_offset()) return false;
  const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(services_.clock.now() - last_flush_);
  return passed >= parts_.settings.flush_after;
}

Status Log::close() {
  if (closed_) return {};
  if (auto s = check_usable(); !s) return s;
  closed_ = true;
  // Recovery on a full disk may have left older ones unsealed.
  for (std::size_t i = 0; i + 1 < parts_.segments.size(); ++i)
    if (auto s = watch(parts_.segments.at(i).seal()); !s) return s;
  auto& active = parts_.segments.active();
  if (active.size_bytes() > 0 && !active.is_sealed()) marks_->recovery_point.sealing(active.base_offset());
  if (auto s = watch(active.seal()); !s) return s;
  if (auto s = watch(parts_.epochs.save()); !s) return s;
  auto flush = watch(flush_to(log_end_offset(), Active::all));
  if (!flush) return flush.error();
  if (!parts_.snapshot_at_end)
    flush->snapshot = Flush::Snapshot{snapshot_path(parts_.directory, log_end_offset()), parts_.producers.entries()};
  return flush->run();
}

void Log::abandon() {
  closed_ = true;
  marks_->recovery_point.abandon();
}

// --- cutting ---------------------------------------------------------------------------------------------------------

// Newest segment first, so that whatever instant we stop at leaves a log without a hole. Commit point: the cut of the
// segment that holds `to`.
Status Log::truncate_to(Offset to) {
  if (auto s = check_usable(); !s) return s;
  if (to >= log_end_offset()) return insist(parts_.epochs.truncate_from_end(log_end_offset()));
  auto& segments = parts_.segments;
  if (to < segments.first().base_offset()) return truncate_fully_and_start_at(to);
  marks_->recovery_point.lower(to);
  lower_cleaned_to(to);
  parts_.snapshot_at_end = false;
  while (segments.active().base_offset() > to) {
    if (auto s = insist(segments.active().remove_files()); !s) return s;
    segments.remove(segments.size() - 1);
  }
  close_left_open(0);
  if (auto s = insist(segments.active().truncate_to(to)); !s) return s;
  auto end = insist(segments.active().read_next_offset());
  if (!end) return end.error();
  // A batch that `to` split went whole.
  const auto new_end = std::min(*end, to);
  marks_->recovery_point.lower(new_end);
  set_log_end(new_end);
  if (log_start_offset() > new_end) set_log_start(new_end);
  if (auto s = insist(parts_.epochs.truncate_from_end(new_end)); !s) return s;
  if (auto s = insist(remove_snapshots_above(services_.files, parts_.directory, new_end)); !s) return s;
  if (auto s = insist(rebuild_producers(services_.files, parts_.directory, segments, new_end, parts_.producers)); !s)
    return s;
  marks_->high_watermark.store(std::min(high_watermark(), new_end), std::memory_order_release);
  parts_.producers.high_watermark_moved(high_watermark());
  return {};
}

Status Log::truncate_fully_and_start_at(Offset to) {
  if (auto s = check_usable(); !s) return s;
  marks_->recovery_point.lower(std::min(to, log_start_offset()));
  marks_->cleaned_to = kNoOffset;
  parts_.snapshot_at_end = false;
  auto& segments = parts_.segments;
  while (!segments.empty()) {
    if (auto s = insist(segments.active().remove_files()); !s) return s;
    segments.remove(segments.size() - 1);
  }
  auto fresh = insist(Segment::create(services_.files, parts_.directory, to, parts_.settings.index,
                                      services_.clock.wall(), preallocated_bytes()));
  if (!fresh) return fresh.error();
  segments.add(std::move(fresh).value());
  segments_changed();
  parts_.producers.clear();
  set_log_end(to);
  set_log_start(to);
  marks_->high_watermark.store(to, std::memory_order_release);
  marks_->recovery_point.raise(to, marks_->recovery_point.ticket());
  if (auto s = insist(parts_.epochs.clear()); !s) return s;
  return insist(remove_snapshots_above(services_.files, parts_.directory, kNoOffset));
}

}  // namespace storage
