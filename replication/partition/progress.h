// What a leader knows of one follower, and how a fetch changes it. Pure.
//
// A follower is caught up as long as it holds all that the leader held at most replica.lag.time.max.ms ago. The leader
// cannot look into the follower's log, but a fetch says how far it is: whoever asks for the offset at which the log
// ended when it asked before, held by then everything there was at that time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/ids.h"

namespace replication {

// Belongs to one leader epoch: with the next one it begins anew.
struct FollowerProgress {
  base::Offset log_end = base::kNoOffset;          // where it fetched last; -1: not yet
  base::Offset log_start = base::kNoOffset;        // as it said itself; -1: not yet
  base::Offset leader_end_then = base::kNoOffset;  // the leader's log end at its last fetch
  std::optional<base::Instant> last_fetch{};       // nothing: not yet
  std::optional<base::Instant> last_caught_up{};   // nothing: never
  std::int64_t broker_epoch = -1;                  // the life of the broker that fetched; -1: it does not say

  bool operator==(const FollowerProgress&) const = default;
};

// Who is in sync when leadership begins has until replica.lag.time.max.ms to show up.
inline FollowerProgress progress_at_begin(bool in_sync, base::Instant now) {
  FollowerProgress begin;
  if (in_sync) begin.last_caught_up = now;
  return begin;
}

struct FollowerFetched {
  base::Offset from{};
  base::Offset log_start = base::kNoOffset;
  base::Offset leader_end{};  // the leader's log end at this fetch
  base::Instant at{};
  std::int64_t broker_epoch = -1;
};

inline FollowerProgress after_fetch(FollowerProgress follower, const FollowerFetched& fetch) {
  if (fetch.from >= fetch.leader_end)
    follower.last_caught_up = std::max(follower.last_caught_up, std::optional(fetch.at));
  else if (fetch.from >= follower.leader_end_then)
    follower.last_caught_up = std::max(follower.last_caught_up, follower.last_fetch);
  follower.log_end = fetch.from;
  follower.log_start = fetch.log_start;
  follower.leader_end_then = fetch.leader_end;
  follower.last_fetch = fetch.at;
  follower.broker_epoch = std::max(follower.broker_epoch, fetch.broker_epoch);
  return follower;
}

// The same for a follower that stands at the leader's log end and asked again for what comes then, without the
// partition being looked at: a fetch session with nothing new.
inline FollowerProgress after_asking_again(FollowerProgress follower, base::Instant at) {
  follower.last_fetch = std::max(follower.last_fetch, std::optional(at));
  follower.last_caught_up = std::max(follower.last_caught_up, std::optional(at));
  return follower;
}

// A fetch of an earlier life of its broker, still under way when the broker came back: it says nothing of the log that
// broker has now. Without epochs (-1) nothing can be said.
inline bool is_of_earlier_life(std::int64_t broker_epoch, std::int64_t known) {
  return broker_epoch >= 0 && broker_epoch < known;
}

}  // namespace replication
