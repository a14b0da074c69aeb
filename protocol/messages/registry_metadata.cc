#include "protocol/codec_impl.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/describe_topic_partitions.h"
#include "protocol/messages/metadata.h"

namespace protocol {

WEIR_COMPILE_API(Metadata)
WEIR_COMPILE_API(ApiVersions)
WEIR_COMPILE_API(DescribeCluster)
WEIR_COMPILE_API(DescribeTopicPartitions)

}  // namespace protocol
