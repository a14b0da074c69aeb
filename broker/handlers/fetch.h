// Fetch: consumers read, followers replicate.
//
// Per partition: a place in the log, bounded by isolation, becomes a FileSlice in the answer; the bytes go from the
// page cache to the socket. What only the disk can tell is read on the pool, and then looked up again. With nothing to
// tell yet the fetch is parked on its partitions with one timer. Fetches
// below version 4 may need older record formats: those are read and converted on the pool, within a bound for all.
#pragma once

#include "base/clock.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "broker/dispatch/request.h"
#include "broker/handlers/fetch_sessions.h"
#include "broker/network/answers.h"
#include "broker/network/disk_reads.h"
#include "broker/network/memory_budget.h"
#include "replication/cluster/metadata.h"
#include "replication/partition/partition_table.h"

namespace broker {

// What all fetches share. Outlives them.
struct FetchServices {
  const replication::MetadataCache& metadata;
  const replication::PartitionTable& partitions;
  FetchSessionCache& sessions;
  base::BlockingPool& pool;
  DiskReads& reads;
  std::int32_t max_answer_bytes = 57671680;  // fetch.max.bytes
  bool prefers_rack = false;                 // replica.selector.class: consumers are sent to a replica in their rack
  replication::ReplicationThrottle* throttle = nullptr;  // leader.replication.throttled.rate; null: no limit
  // Converted records of all answers that have not been sent: about as much as one answer may hold.
  std::shared_ptr<MemoryBudget> converted = std::make_shared<MemoryBudget>(57671680);
  std::shared_ptr<base::Counter> record_bytes = std::make_shared<base::Counter>();  // answered
};

// Any loop may call.
class FetchHandler {
 public:
  explicit FetchHandler(const FetchServices& services) : services_(services) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const FetchServices& services_;
};

}  // namespace broker
