// DescribeLogDirs: what lies in the data directories of this broker.
#pragma once

#include "base/loop.h"
#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "replication/partition/partition_table.h"
#include "storage/dirs/log_dirs.h"

namespace broker {

// Any loop may call; the answer is put together on the pool, because it asks every partition and every disk. Outlived
// by its parts.
class DescribeLogDirsHandler {
 public:
  DescribeLogDirsHandler(const storage::LogDirs& dirs, const replication::PartitionTable& partitions,
                         base::BlockingPool& pool)
      : dirs_(dirs), partitions_(partitions), pool_(pool) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const storage::LogDirs& dirs_;
  const replication::PartitionTable& partitions_;
  base::BlockingPool& pool_;
};

}  // namespace broker
