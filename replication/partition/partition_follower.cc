// Partition as a follower: what it takes from its leader, and what it gives up for it.
#include <algorithm>
#include <limits>

#include "protocol/records/batch.h"
#include "replication/follower/truncation.h"
#include "replication/partition/partition.h"

namespace replication {

using base::ErrorCode;
using base::fail;
using base::Offset;
using base::Status;

namespace {

struct Look {
  bool new_epoch = false;           // the epochs' file has to be written first
  std::optional<Offset> straddles;  // the first batch begins here, below the log end, and ends at or above it
};

// What a leader sends is to fit behind this log. The log itself checks checksums and that offsets rise.
base::Result<Look> look_at(std::span<const std::byte> records, const storage::Log& log,
                           base::LeaderEpoch leader_epoch) {
  Look look;
  auto latest = log.latest_epoch();
  bool first = true;
  protocol::EntryCursor cursor(records);
  while (const auto entry = cursor.next()) {
    if (entry->leader_epoch() > leader_epoch)
      return fail(ErrorCode::corrupt_message, "{}: the leader of epoch {} sent a batch of epoch {}", log.partition(),
                  leader_epoch, entry->leader_epoch());
    if (entry->last_offset().raw == std::numeric_limits<Offset::Raw>::max())
      return fail(ErrorCode::corrupt_message, "{}: the leader sent a batch beyond all offsets", log.partition());
    if (std::exchange(first, false) && entry->base_offset() < log.log_end_offset() &&
        entry->last_offset() >= log.log_end_offset())
      look.straddles = entry->base_offset();
    const auto epoch = entry->is_batch() && entry->leader_epoch() > base::kNoLeaderEpoch
                           ? std::optional(entry->leader_epoch())
                           : std::nullopt;
    if (entry->is_batch() ? epoch && epoch != latest : latest.has_value()) look.new_epoch = true;
    if (epoch || !entry->is_batch()) latest = epoch;
  }
  if (!cursor.status()) return cursor.status().error();
  return look;
}

// The front of `records` that fits into one append: whole entries of up to `most` bytes, at least one.
std::span<const std::byte> take_portion(std::span<const std::byte>& records, std::uint64_t most) {
  protocol::EntryCursor cursor(records);
  std::size_t end = 0;
  while (cursor.next() && (end == 0 || cursor.position_bytes() <= most)) end = cursor.position_bytes();
  const auto portion = records.first(end);
  records = records.subspan(end);
  return portion;
}

}  // namespace

Status Partition::check_following(base::LeaderEpoch under) const {
  if (role_ != Role::follower) return fail(ErrorCode::not_leader_or_follower, "{} does not follow", name_);
  if (under != state_.leader_epoch)
    return fail(ErrorCode::fenced_leader_epoch, "{} follows under leader epoch {}, not {}", name_, state_.leader_epoch,
                under);
  return log_->health().check();
}

FollowerPosition Partition::position() const {
  return {.leader_epoch = state_.leader_epoch,
          .log_start = log_->log_start_offset(),
          .high_watermark = log_->high_watermark(),
          .log_end = log_->log_end_offset(),
          .last_epoch = log_->latest_epoch().value_or(base::kNoLeaderEpoch)};
}

base::Result<FollowerPosition> Partition::follower_position() const {
  absl::MutexLock lock(&mutex_);
  if (auto s = check_following(state_.leader_epoch); !s) return s.error();
  return position();
}

Status Partition::write_from_leader(std::span<const std::byte> records) {
  // The leader may roll later than we do: what does not fit into one segment comes in several portions.
  while (!records.empty()) {
    const auto portion = take_portion(records, log_->settings().segment_bytes);
    if (portion.empty()) break;  // an entry cut short at the end
    if (auto appended = log_->append_as_follower(portion); !appended) return appended.error();
  }
  return {};
}

base::Result<std::optional<FollowerPosition>> Partition::append_from_leader(const FromLeader& answer,
                                                                            MayWait may_wait) {
  Concerned concerned;
  auto taken = [&]() -> base::Result<std::optional<FollowerPosition>> {
    absl::MutexLock lock(&mutex_);
    if (auto s = check_following(answer.fetched_under); !s) return s.error();
    if (answer.fetched_from != log_->log_end_offset())
      return fail(ErrorCode::offset_out_of_range, "{} ends at {}, was fetched from {}", name_, log_->log_end_offset(),
                  answer.fetched_from);
    const auto look = look_at(answer.records, *log_, answer.fetched_under);
    if (!look) return look.error();
    const bool empty = log_->log_start_offset() == log_->log_end_offset();
    if (may_wait == MayWait::no && (look->new_epoch || (look->straddles && empty)))
      return std::optional<FollowerPosition>();
    // The leader's log begins in the middle of a batch.
    if (look->straddles && empty)
      if (auto s = log_->truncate_fully_and_start_at(*look->straddles); !s) return s.error();
    const auto written = write_from_leader(answer.records);
    // What was written before a failure stays, and is as good as if it had come alone.
    const auto committed = std::min(answer.high_watermark, log_->log_end_offset());
    if (written && committed > log_->high_watermark()) log_->set_high_watermark(committed);
    const auto start = std::min(answer.log_start, log_->high_watermark());
    auto moved = written && start > log_->log_start_offset() ? log_->advance_log_start(start) : Status{};
    note_unflushed();
    concerned = reached();
    if (!written) return written.error();
    if (!moved) return moved.error();
    return std::optional(position());
  }();
  tell(std::move(concerned));
  return taken;
}

base::Result<Partition::Cut> Partition::cut(base::LeaderEpoch under,
                                            const std::function<base::Result<bool>(storage::Log&)>& act) {
  Concerned concerned;
  auto outcome = [&]() -> base::Result<Cut> {
    absl::MutexLock lock(&mutex_);
    if (auto s = check_following(under); !s) return s.error();
    const auto watermark = log_->high_watermark();
    auto asks_again = act(*log_);
    concerned = everybody();
    if (!asks_again) return asks_again.error();
    flush_wanted_ = std::min(flush_wanted_, log_->log_end_offset());
    const auto lost = std::max<std::int64_t>(watermark - log_->log_end_offset(), 0);
    return Cut{.position = position(), .asks_again = *asks_again, .below_watermark = lost};
  }();
  tell(std::move(concerned));
  return outcome;
}

base::Result<Partition::Cut> Partition::truncate_to_leader(base::LeaderEpoch under,
                                                           const storage::EpochEnd& of_leader) {
  return cut(under, [&](storage::Log& log) -> base::Result<bool> {
    const auto decision = truncation_for(
        of_leader, {.epochs = log.epochs(), .high_watermark = log.high_watermark(), .log_end = log.log_end_offset()});
    if (auto s = log.truncate_to(decision.to); !s) return s.error();
    return decision.asks_again;
  });
}

base::Result<Partition::Cut> Partition::truncate_as_follower(base::LeaderEpoch under, Offset to) {
  return cut(under, [&](storage::Log& log) -> base::Result<bool> {
    if (auto s = log.truncate_to(std::max(to, Offset{0})); !s) return s.error();
    return false;
  });
}

base::Result<Partition::Cut> Partition::restart_as_follower(base::LeaderEpoch under, Offset at) {
  return cut(under, [&](storage::Log& log) -> base::Result<bool> {
    if (auto s = log.truncate_fully_and_start_at(at); !s) return s.error();
    return false;
  });
}

}  // namespace replication
