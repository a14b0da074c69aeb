// The reading half of log.h.
#include <algorithm>

#include "storage/log/log.h"

namespace storage {
namespace {

// Of one log: readers that catch up look into one segment after another.
constexpr std::size_t kMostLeftOpen = 8;

}  // namespace

void Log::left_open(std::size_t i) {
  const auto& segments = parts_.segments;
  if (i + 1 >= segments.size() || !segments.at(i).holds_files()) return;
  const auto base = segments.at(i).base_offset();
  if (const auto at = std::find(left_open_.begin(), left_open_.end(), base); at != left_open_.end()) {
    std::rotate(at, at + 1, left_open_.end());
  } else {
    left_open_.push_back(base);
    if (services_.open_segments) services_.open_segments->opened();
  }
  const bool too_many = services_.open_segments && services_.open_segments->too_many();
  if (too_many || left_open_.size() > kMostLeftOpen) close_left_open(too_many ? 0 : kMostLeftOpen);
}

// Of those that are gone only the count is left. What somebody still works on stays open until the next time.
void Log::close_left_open(std::size_t most) {
  const auto& segments = parts_.segments;
  auto left = left_open_.size();
  const auto closed = std::erase_if(left_open_, [&](Offset base) {
    if (left <= most) return false;
    const auto i = segments.find(base);
    const bool here = i < segments.size() && segments.at(i).base_offset() == base;
    if (here && i + 1 < segments.size() && !segments.at(i).close_files()) return false;
    --left;
    return true;
  });
  if (services_.open_segments) services_.open_segments->closed(closed);
}

// Whoever was to come back for what was opened for him has not come.
void Log::close_idle_files() {
  const auto& segments = parts_.segments;
  for (const auto base : left_open_)
    if (const auto i = segments.find(base); i < segments.size()) segments.at(i).stop_opening();
  close_left_open(0);
}

using base::ErrorCode;
using base::fail;
using base::kNoTimestamp;

Result<LogSlice> Log::read(Offset from, Offset upper_bound, ReadLimits limits) {
  if (auto s = check_usable(); !s) return s.error();
  if (from < log_start_offset() || from > log_end_offset())
    return fail(ErrorCode::offset_out_of_range, "{} holds offsets {} to {}, not {}", parts_.partition,
                log_start_offset(), log_end_offset(), from);
  const auto& segments = parts_.segments;
  auto i = segments.find(from);
  LogSlice nothing{.records = {}, .first_offset = from, .segment_base = segments.at(i).base_offset()};
  if (from >= upper_bound) return nothing;
  for (; i < segments.size() && segments.at(i).base_offset() < upper_bound; ++i) {
    const auto end = segments.upper_bound(i, log_end_offset());
    auto slice = segments.at(i).read(from, upper_bound < end ? std::optional(upper_bound) : std::nullopt, limits);
    left_open(i);
    if (!slice) return slice.error();
    if (!*slice) continue;  // compaction took the end of this segment
    return LogSlice{.records = std::move((*slice)->records),
                    .first_offset = (*slice)->first_offset,
                    .segment_base = segments.at(i).base_offset(),
                    .bring_in = std::move((*slice)->bring_in)};
  }
  return nothing;
}

Offset Log::segment_base_of(Offset offset) const {
  return parts_.segments.at(parts_.segments.find(offset)).base_offset();
}

Result<std::vector<AbortedTxn>> Log::aborted_transactions(Offset from, Offset to) {
  if (auto s = check_usable(); !s) return s.error();
  std::vector<AbortedTxn> found;
  const auto& segments = parts_.segments;
  for (auto i = segments.find(from); i < segments.size(); ++i) {
    auto aborted = segments.at(i).txn_index().entries();
    if (!aborted) return aborted.error();
    for (const auto& txn : **aborted) {
      if (txn.last_offset >= from && txn.first_offset < to) found.push_back(txn);
      // When this marker was written everything below `to` was decided: later markers are about later records.
      if (txn.last_stable_offset >= to) return found;
    }
  }
  return found;
}

BringIn Log::bring_in_aborted_transactions(Offset from, Offset to) const {
  const auto& segments = parts_.segments;
  for (auto i = segments.find(from); i < segments.size() && segments.at(i).base_offset() < to; ++i)
    if (auto work = segments.at(i).txn_index().bring_in()) return work;
  return nullptr;
}

Result<std::optional<TimestampedOffset>> Log::offset_for_timestamp(Timestamp target, Offset bound) {
  if (auto s = check_usable(); !s) return s.error();
  const auto& segments = parts_.segments;
  for (auto i = segments.find(log_start_offset()); i < segments.size() && segments.at(i).base_offset() < bound; ++i) {
    auto found = segments.at(i).find_timestamp(target, log_start_offset());
    left_open(i);
    if (!found) return found.error();
    if (!*found) continue;
    return (*found)->offset < bound ? *found : std::nullopt;
  }
  return std::optional<TimestampedOffset>{};
}

Result<std::optional<TimestampedOffset>> Log::offset_of_largest_timestamp(Offset bound) {
  if (auto s = check_usable(); !s) return s.error();
  std::optional<Timestamp> largest;
  const auto& segments = parts_.segments;
  for (auto i = segments.find(log_start_offset()); i < segments.size() && segments.at(i).base_offset() < bound; ++i) {
    auto here = segments.at(i).largest_timestamp();
    left_open(i);
    if (!here) return here.error();
    if (*here && (!largest || **here > *largest)) largest = *here;
  }
  if (!largest) return std::optional<TimestampedOffset>{};
  return offset_for_timestamp(*largest, bound);
}

TimestampedOffset Log::earliest() const {
  const auto epoch = parts_.epochs.table().epoch_at(log_start_offset());
  return {log_start_offset(), kNoTimestamp, epoch.value_or(base::kNoLeaderEpoch)};
}

Result<std::vector<Log::SegmentTime>> Log::segment_times() const {
  std::vector<SegmentTime> times;
  for (auto i = parts_.segments.size(); i-- > 0;) {
    auto modified = parts_.segments.at(i).modified();
    if (!modified) return modified.error();
    times.push_back({std::max(parts_.segments.at(i).base_offset(), log_start_offset()), *modified});
    if (parts_.segments.at(i).base_offset() <= log_start_offset()) break;
  }
  return times;
}

EpochEnd Log::end_offset_for_epoch(base::LeaderEpoch epoch) const {
  return parts_.epochs.table().end_offset_for(epoch, log_end_offset());
}

std::optional<base::LeaderEpoch> Log::latest_epoch() const {
  const auto latest = parts_.epochs.table().latest();
  return latest ? std::optional(latest->epoch) : std::nullopt;
}

}  // namespace storage
