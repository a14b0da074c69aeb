#include "protocol/codec_impl.h"
#include "protocol/messages/alter_configs.h"
#include "protocol/messages/describe_configs.h"
#include "protocol/messages/incremental_alter_configs.h"
#include "protocol/messages/list_client_metrics_resources.h"
#include "protocol/messages/update_features.h"

namespace protocol {

WEIR_COMPILE_API(DescribeConfigs)
WEIR_COMPILE_API(AlterConfigs)
WEIR_COMPILE_API(IncrementalAlterConfigs)
WEIR_COMPILE_API(UpdateFeatures)
WEIR_COMPILE_API(ListClientMetricsResources)

}  // namespace protocol
