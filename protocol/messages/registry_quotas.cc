#include "protocol/codec_impl.h"
#include "protocol/messages/alter_client_quotas.h"
#include "protocol/messages/describe_client_quotas.h"

namespace protocol {

WEIR_COMPILE_API(DescribeClientQuotas)
WEIR_COMPILE_API(AlterClientQuotas)

}  // namespace protocol
