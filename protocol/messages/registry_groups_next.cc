#include "protocol/codec_impl.h"
#include "protocol/messages/consumer_group_describe.h"
#include "protocol/messages/consumer_group_heartbeat.h"

namespace protocol {

WEIR_COMPILE_API(ConsumerGroupHeartbeat)
WEIR_COMPILE_API(ConsumerGroupDescribe)

}  // namespace protocol
