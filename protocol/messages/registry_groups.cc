#include "protocol/codec_impl.h"
#include "protocol/messages/delete_groups.h"
#include "protocol/messages/describe_groups.h"
#include "protocol/messages/find_coordinator.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_delete.h"
#include "protocol/messages/offset_fetch.h"
#include "protocol/messages/sync_group.h"

namespace protocol {

WEIR_COMPILE_API(OffsetCommit)
WEIR_COMPILE_API(OffsetFetch)
WEIR_COMPILE_API(FindCoordinator)
WEIR_COMPILE_API(JoinGroup)
WEIR_COMPILE_API(Heartbeat)
WEIR_COMPILE_API(LeaveGroup)
WEIR_COMPILE_API(SyncGroup)
WEIR_COMPILE_API(DescribeGroups)
WEIR_COMPILE_API(ListGroups)
WEIR_COMPILE_API(DeleteGroups)
WEIR_COMPILE_API(OffsetDelete)

}  // namespace protocol
