// DescribeLogDirs: what lies in the data directories of this broker. AlterReplicaLogDirs: a replica moves to another.
#pragma once

#include "base/loop.h"
#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "replication/cluster/metadata.h"
#include "replication/partition/log_moves.h"
#include "replication/partition/partition_table.h"
#include "storage/dirs/log_dirs.h"

namespace broker {

// Any loop may call; the answer is put together on the pool, because it asks every partition and every disk. Outlived
// by its parts.
class DescribeLogDirsHandler {
 public:
  DescribeLogDirsHandler(const storage::LogDirs& dirs, const replication::PartitionTable& partitions,
                         const replication::LogMoves& moves, base::BlockingPool& pool)
      : dirs_(dirs), partitions_(partitions), moves_(moves), pool_(pool) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const storage::LogDirs& dirs_;
  const replication::PartitionTable& partitions_;
  const replication::LogMoves& moves_;
  base::BlockingPool& pool_;
};

// Answers when the moves have begun.
class AlterReplicaLogDirsHandler {
 public:
  struct Parts {
    const replication::MetadataCache& metadata;
    const storage::LogDirs& dirs;
    const replication::PartitionTable& partitions;
    storage::LogSet& logs;
    replication::LogMoves& moves;
    base::BlockingPool& pool;
  };
  explicit AlterReplicaLogDirsHandler(const Parts& parts) : parts_(parts) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  Parts parts_;
};

}  // namespace broker
