// OffsetForLeaderEpoch: where a leader epoch ends here, for followers and consumers that look for the point from which
// their log differs from ours.
#pragma once

#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "replication/cluster/metadata.h"
#include "replication/partition/partition_table.h"

namespace broker {

// Any loop may call. Outlived by its parts.
class OffsetForEpochHandler {
 public:
  OffsetForEpochHandler(const replication::MetadataCache& metadata, const replication::PartitionTable& partitions)
      : metadata_(metadata), partitions_(partitions) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const replication::MetadataCache& metadata_;
  const replication::PartitionTable& partitions_;
};

}  // namespace broker
