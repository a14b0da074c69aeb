// Produce: records of clients into the partitions led here.
//
// Everything up to the page cache happens on the connection's loop, inside the call. Answers of acks=all wait for the
// in-sync replicas as entries in the partitions' waiter lists, bounded by the request's time-out.
#pragma once

#include "base/clock.h"
#include "broker/dispatch/request.h"
#include "broker/network/answers.h"
#include "replication/cluster/metadata.h"
#include "replication/partition/partition_table.h"

namespace broker {

// Any loop may call. Outlived by its parts.
class ProduceHandler {
 public:
  ProduceHandler(const base::Clock& clock, const replication::MetadataCache& metadata,
                 const replication::PartitionTable& partitions)
      : clock_(clock), metadata_(metadata), partitions_(partitions) {}

  void operator()(Request& request, AnswerSlot answer) const;

 private:
  const base::Clock& clock_;
  const replication::MetadataCache& metadata_;
  const replication::PartitionTable& partitions_;
};

}  // namespace broker
