#include "replication/follower/truncation.h"

#include <algorithm>

namespace replication {

Truncation truncation_for(const storage::EpochEnd& of_leader, const FollowersLog& mine) {
  // It cannot tell: what is committed is common to both.
  if (of_leader.end < base::Offset{0}) return {.to = std::min(mine.high_watermark, mine.log_end)};
  const auto at_most = std::min(of_leader.end, mine.log_end);
  // A leader from before KIP-279 names no epoch, only where the one asked for ended.
  if (of_leader.epoch < base::LeaderEpoch{0}) return {.to = at_most};
  const auto own = mine.epochs.end_offset_for(of_leader.epoch, mine.log_end);
  if (own.end < base::Offset{0}) return {.to = at_most};
  if (own.epoch != of_leader.epoch) return {.to = std::min(own.end, mine.log_end), .asks_again = true};
  return {.to = std::min(own.end, at_most)};
}

}  // namespace replication
