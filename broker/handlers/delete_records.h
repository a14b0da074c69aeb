// DeleteRecords: the log start of partitions moves up; records below are gone for everybody at once, their segments at
// the next retention check.
//
// The new log starts are in their checkpoint file before the answer leaves, so that what was deleted does not come back
// after a kill. Kafka writes that file once a minute.
#pragma once

#include "base/loop.h"
#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "replication/cluster/metadata.h"
#include "replication/partition/partition_table.h"
#include "storage/dirs/log_set.h"

namespace broker {

// Any loop may call. Outlived by its parts.
class DeleteRecordsHandler {
 public:
  DeleteRecordsHandler(const replication::MetadataCache& metadata, const replication::PartitionTable& partitions,
                       storage::LogSet& logs, base::BlockingPool& pool)
      : metadata_(metadata), partitions_(partitions), logs_(logs), pool_(pool) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const replication::MetadataCache& metadata_;
  const replication::PartitionTable& partitions_;
  storage::LogSet& logs_;
  base::BlockingPool& pool_;
};

}  // namespace broker
