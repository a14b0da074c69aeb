#include "storage/log/segment_recovery.h"

#include <limits>
#include <numeric>

#include "storage/log/producer_snapshot.h"

namespace storage {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr std::uint64_t kTellEvery = 1 << 20;

}  // namespace

// One segment being read.
struct SegmentRecovery::Reader {
  std::size_t number;
  Segment& segment;
  Offset bound;  // where the next segment begins
  bool has_turn = false;
  std::vector<Note> notes{};
  std::optional<base::LeaderEpoch> epoch{};  // of the entry before; nothing: none, or one of old
  std::uint64_t untold_bytes = 0;
};

SegmentRecovery::SegmentRecovery(Place place, Producers& producers, EpochTable& epochs, const LoadCrew& crew)
    : place_(std::move(place)),
      crew_(crew),
      turn_(place_.first),
      producers_(producers),
      epochs_(epochs),
      next_(place_.first) {
  for (std::size_t i = 0; i < place_.segments.size(); ++i) sizes_.push_back(place_.segments.at(i).size_bytes());
}

std::optional<std::size_t> SegmentRecovery::claim() {
  absl::MutexLock lock(&mutex_);
  if (over_ || next_ >= place_.segments.size()) return std::nullopt;
  ++inside_;
  return next_++;
}

void SegmentRecovery::leave() {
  absl::MutexLock lock(&mutex_);
  --inside_;
}

void SegmentRecovery::end_with(Status status) {
  {
    absl::MutexLock lock(&mutex_);
    over_ = true;
    if (failure_) failure_ = std::move(status);
  }
  pass_turn(kOver);
}

void SegmentRecovery::pass_turn(std::size_t to) {
  turn_.store(to, std::memory_order_release);
  turn_.notify_all();
}

bool SegmentRecovery::await_turn(std::size_t of) {
  for (;;) {
    const auto now = turn_.load(std::memory_order_acquire);
    if (now == of) return true;
    if (now == kOver) return false;
    turn_.wait(now, std::memory_order_acquire);
  }
}

void SegmentRecovery::help() {
  while (const auto i = claim()) {
    if (auto s = recover_one(*i); !s) end_with(s);
    leave();
  }
}

Result<SegmentRecovery::Outcome> SegmentRecovery::finish() {
  help();
  absl::MutexLock lock(&mutex_);
  over_ = true;  // helpers that come now find nothing, whatever has become of the log
  mutex_.Await(absl::Condition(
      +[](std::size_t* inside) { return *inside == 0; }, &inside_));
  if (!failure_) return failure_.error();
  return std::move(outcome_);
}

Status SegmentRecovery::recover_one(std::size_t i) {
  const bool last = i + 1 == place_.segments.size();
  auto& segment = place_.segments.at(i);
  Reader reader{
      .number = i,
      .segment = segment,
      .bound = last ? Offset{std::numeric_limits<std::int64_t>::max()} : place_.segments.at(i + 1).base_offset()};
  auto found = segment.recover([&](const protocol::EntryView& entry) { return take(reader, entry); });
  if (crew_.bytes_read) crew_.bytes_read->fetch_add(reader.untold_bytes, std::memory_order_relaxed);
  if (!found) return turn_ == kOver ? Status{} : found.error();
  // On a full disk the indexes stay in memory; closing the log seals what is left.
  if (found->why && !last)
    if (auto s = segment.seal(); !s && !base::is_out_of_space(s.error())) return s;
  if (!await_turn(i)) return {};
  if (auto s = apply_all(reader); !s) return s;
  ++outcome_.segments;
  outcome_.bytes += sizes_[i];
  if (!last) {
    if (auto s = segment.write_transactions(); !s && !base::is_out_of_space(s.error())) return s;
    (void)segment.close_files();
  }
  return settle(i, *found);
}

// Every entry a segment holds, in order; an error makes it the first bad one, or stops the recovery.
Status SegmentRecovery::take(Reader& reader, const protocol::EntryView& entry) {
  if (crew_.gives_up()) return fail(ErrorCode::kafka_storage_error, "the opening of the log was given up");
  if (entry.last_offset() >= reader.bound)
    return fail(ErrorCode::corrupt_message, "offset {} belongs to the next segment", entry.last_offset());
  reader.untold_bytes += entry.size_bytes();
  if (reader.untold_bytes >= kTellEvery && crew_.bytes_read)
    crew_.bytes_read->fetch_add(std::exchange(reader.untold_bytes, 0), std::memory_order_relaxed);

  Note note{.batch = {.base_offset = entry.base_offset()}, .epoch = base::kNoLeaderEpoch};
  if (entry.is_batch()) {
    const auto batch = entry.batch();
    if (batch.has_producer()) note.batch = appended_batch(batch);
    note.epoch = entry.leader_epoch();
    const bool nothing_new = reader.epoch == note.epoch && !batch.has_producer();
    reader.epoch = note.epoch;
    if (nothing_new) return {};
  } else {
    note.is_batch = false;
    reader.epoch.reset();
    if (!reader.notes.empty() && !reader.notes.back().is_batch) return {};
  }
  if (!reader.has_turn) {
    reader.has_turn = has_turn(reader.number);
    if (!reader.has_turn && reader.notes.size() >= kMaxNotes) {
      if (!await_turn(reader.number)) return fail(ErrorCode::kafka_storage_error, "the recovery has ended");
      reader.has_turn = true;
    }
    if (!reader.has_turn) {
      reader.notes.push_back(note);
      return {};
    }
    if (auto s = apply_all(reader); !s) return s;
  }
  return apply(reader.segment, note);
}

Status SegmentRecovery::apply_all(Reader& reader) {
  for (const auto& note : std::exchange(reader.notes, {}))
    if (auto s = apply(reader.segment, note); !s) return s;
  return {};
}

Status SegmentRecovery::apply(Segment& segment, const Note& note) {
  if (!note.is_batch) {
    epochs_.clear();
    return {};
  }
  epochs_.assign(note.epoch, note.batch.base_offset);
  if (const auto aborted = note_appended(producers_, note.batch)) return segment.txn_index().append(*aborted);
  return {};
}

// A segment was read and applied; what follows for those after it.
Status SegmentRecovery::settle(std::size_t i, const Segment::Recovered& found) {
  outcome_.log_end = found.next_offset;
  if (!found.why) {
    outcome_.dropped_bytes =
        std::accumulate(sizes_.begin() + static_cast<std::ptrdiff_t>(i) + 1, sizes_.end(), found.dropped_bytes);
    outcome_.why_dropped = found.why.error().detail;
    outcome_.drop_from = i + 1;
    end_with({});
    return {};
  }
  if (i + 1 == place_.segments.size()) {
    end_with({});
    return {};
  }
  const auto next = place_.segments.at(i + 1).base_offset();
  const auto path = snapshot_path(place_.directory, next);
  // Without room for a snapshot the next start reads an older one and more batches.
  auto stored = store_producer_snapshot(place_.files, path, producers_.entries());
  if (!stored && !base::is_out_of_space(stored.error())) return stored;
  if (stored) outcome_.snapshots.push_back(next);
  pass_turn(i + 1);
  return {};
}

}  // namespace storage
