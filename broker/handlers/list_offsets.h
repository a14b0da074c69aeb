// ListOffsets: the offset for a time, or for the special times -1 latest, -2 earliest, -3 largest timestamp,
// -4 earliest on local disk, -5 last in tiered storage.
#pragma once

#include "base/loop.h"
#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "replication/cluster/metadata.h"
#include "replication/partition/partition_table.h"

namespace broker {

// Any loop may call; look-ups by time read the log and run on the pool. Outlived by its parts.
class ListOffsetsHandler {
 public:
  ListOffsetsHandler(const replication::MetadataCache& metadata, const replication::PartitionTable& partitions,
                     base::BlockingPool& pool)
      : metadata_(metadata), partitions_(partitions), pool_(pool) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const replication::MetadataCache& metadata_;
  const replication::PartitionTable& partitions_;
  base::BlockingPool& pool_;
};

}  // namespace broker
