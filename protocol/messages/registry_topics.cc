#include "protocol/codec_impl.h"
#include "protocol/messages/alter_partition_reassignments.h"
#include "protocol/messages/alter_replica_log_dirs.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/describe_log_dirs.h"
#include "protocol/messages/elect_leaders.h"
#include "protocol/messages/list_partition_reassignments.h"

namespace protocol {

WEIR_COMPILE_API(CreateTopics)
WEIR_COMPILE_API(DeleteTopics)
WEIR_COMPILE_API(AlterReplicaLogDirs)
WEIR_COMPILE_API(DescribeLogDirs)
WEIR_COMPILE_API(CreatePartitions)
WEIR_COMPILE_API(ElectLeaders)
WEIR_COMPILE_API(AlterPartitionReassignments)
WEIR_COMPILE_API(ListPartitionReassignments)

}  // namespace protocol
