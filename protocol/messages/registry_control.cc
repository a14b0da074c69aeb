#include "protocol/codec_impl.h"
#include "protocol/messages/alter_partition.h"
#include "protocol/messages/assign_replicas_to_dirs.h"
#include "protocol/messages/controlled_shutdown.h"
#include "protocol/messages/envelope.h"
#include "protocol/messages/leader_and_isr.h"
#include "protocol/messages/stop_replica.h"
#include "protocol/messages/update_metadata.h"

namespace protocol {

WEIR_COMPILE_API(LeaderAndIsr)
WEIR_COMPILE_API(StopReplica)
WEIR_COMPILE_API(UpdateMetadata)
WEIR_COMPILE_API(ControlledShutdown)
WEIR_COMPILE_API(AlterPartition)
WEIR_COMPILE_API(Envelope)
WEIR_COMPILE_API(AssignReplicasToDirs)

}  // namespace protocol
