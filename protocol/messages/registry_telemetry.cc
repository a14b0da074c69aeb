#include "protocol/codec_impl.h"
#include "protocol/messages/get_telemetry_subscriptions.h"
#include "protocol/messages/push_telemetry.h"

namespace protocol {

WEIR_COMPILE_API(GetTelemetrySubscriptions)
WEIR_COMPILE_API(PushTelemetry)

}  // namespace protocol
