// Where a follower cuts its log after a leader change (pure).
//
// Leader and follower compare leader epochs (KIP-101, KIP-279): the follower names the last epoch it has, the leader
// tells the largest epoch up to it that it knows itself, and where that ended there. Two ways to ask: with
// OffsetForLeaderEpoch before the first fetch, or, from inter.broker.protocol.version 2.7-IV1 on, with every Fetch.
#pragma once

#include "base/ids.h"
#include "storage/log/epochs.h"

namespace replication {

struct FollowersLog {
  const storage::EpochTable& epochs;
  base::Offset high_watermark;
  base::Offset log_end;
};

struct Truncation {
  base::Offset to;          // never above the log end
  bool asks_again = false;  // the epoch named is not known here: the next older one has to be compared
};
Truncation truncation_for(const storage::EpochEnd& of_leader, const FollowersLog& mine);

}  // namespace replication
