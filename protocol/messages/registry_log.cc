#include "protocol/codec_impl.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "protocol/messages/produce.h"

namespace protocol {

WEIR_COMPILE_API(Produce)
WEIR_COMPILE_API(Fetch)
WEIR_COMPILE_API(ListOffsets)
WEIR_COMPILE_API(DeleteRecords)
WEIR_COMPILE_API(OffsetForLeaderEpoch)

}  // namespace protocol
