// ListOffsets: the offset for a time, or for the special times -1 latest, -2 earliest, -3 largest timestamp,
// -4 earliest on local disk, -5 last in tiered storage.
#pragma once

#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "broker/network/disk_reads.h"
#include "replication/cluster/metadata.h"
#include "replication/partition/partition_table.h"

namespace broker {

// Any loop may call; look-ups by time read the log and run on the pool, unless too many wait
// there already: then the client is told to ask again. Outlived by its parts.
class ListOffsetsHandler {
 public:
  ListOffsetsHandler(const replication::MetadataCache& metadata, const replication::PartitionTable& partitions,
                     DiskReads& reads)
      : metadata_(metadata), partitions_(partitions), reads_(reads) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const replication::MetadataCache& metadata_;
  const replication::PartitionTable& partitions_;
  DiskReads& reads_;
};

}  // namespace broker
