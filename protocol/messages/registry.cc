#include "protocol/messages/registry.h"

#include <algorithm>
#include <array>

#include "protocol/codec.h"
#include "protocol/messages/add_offsets_to_txn.h"
#include "protocol/messages/add_partitions_to_txn.h"
#include "protocol/messages/allocate_producer_ids.h"
#include "protocol/messages/alter_client_quotas.h"
#include "protocol/messages/alter_configs.h"
#include "protocol/messages/alter_partition.h"
#include "protocol/messages/alter_partition_reassignments.h"
#include "protocol/messages/alter_replica_log_dirs.h"
#include "protocol/messages/alter_user_scram_credentials.h"
#include "protocol/messages/api_versions.h"
#include "protocol/messages/assign_replicas_to_dirs.h"
#include "protocol/messages/consumer_group_describe.h"
#include "protocol/messages/consumer_group_heartbeat.h"
#include "protocol/messages/controlled_shutdown.h"
#include "protocol/messages/create_acls.h"
#include "protocol/messages/create_delegation_token.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_acls.h"
#include "protocol/messages/delete_groups.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/describe_acls.h"
#include "protocol/messages/describe_client_quotas.h"
#include "protocol/messages/describe_cluster.h"
#include "protocol/messages/describe_configs.h"
#include "protocol/messages/describe_delegation_token.h"
#include "protocol/messages/describe_groups.h"
#include "protocol/messages/describe_log_dirs.h"
#include "protocol/messages/describe_producers.h"
#include "protocol/messages/describe_topic_partitions.h"
#include "protocol/messages/describe_transactions.h"
#include "protocol/messages/describe_user_scram_credentials.h"
#include "protocol/messages/elect_leaders.h"
#include "protocol/messages/end_txn.h"
#include "protocol/messages/envelope.h"
#include "protocol/messages/expire_delegation_token.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/find_coordinator.h"
#include "protocol/messages/get_telemetry_subscriptions.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/incremental_alter_configs.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/leader_and_isr.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/list_client_metrics_resources.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/list_partition_reassignments.h"
#include "protocol/messages/list_transactions.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_delete.h"
#include "protocol/messages/offset_fetch.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "protocol/messages/produce.h"
#include "protocol/messages/push_telemetry.h"
#include "protocol/messages/renew_delegation_token.h"
#include "protocol/messages/sasl_authenticate.h"
#include "protocol/messages/sasl_handshake.h"
#include "protocol/messages/stop_replica.h"
#include "protocol/messages/sync_group.h"
#include "protocol/messages/txn_offset_commit.h"
#include "protocol/messages/update_features.h"
#include "protocol/messages/update_metadata.h"
#include "protocol/messages/write_txn_markers.h"

namespace protocol {
namespace {

template <class M>
base::Result<std::string> print_body(std::span<const std::byte> body, std::int16_t version) {
  M message;
  if (auto read = decode(body, version, message); !read) return read.error();
  return print(message, version);
}

template <class Request, class Response>
constexpr ApiRow row() {
  static_assert(Request::api.key == Response::api.key);
  return {Request::api, &print_schema<Request>, &print_schema<Response>, &print_body<Request>, &print_body<Response>};
}

#define ROW(Name) row<Name##Request, Name##Response>()
constexpr std::array kRows{
    ROW(Produce),
    ROW(Fetch),
    ROW(ListOffsets),
    ROW(Metadata),
    ROW(LeaderAndIsr),
    ROW(StopReplica),
    ROW(UpdateMetadata),
    ROW(ControlledShutdown),
    ROW(OffsetCommit),
    ROW(OffsetFetch),
    ROW(FindCoordinator),
    ROW(JoinGroup),
    ROW(Heartbeat),
    ROW(LeaveGroup),
    ROW(SyncGroup),
    ROW(DescribeGroups),
    ROW(ListGroups),
    ROW(SaslHandshake),
    ROW(ApiVersions),
    ROW(CreateTopics),
    ROW(DeleteTopics),
    ROW(DeleteRecords),
    ROW(InitProducerId),
    ROW(OffsetForLeaderEpoch),
    ROW(AddPartitionsToTxn),
    ROW(AddOffsetsToTxn),
    ROW(EndTxn),
    ROW(WriteTxnMarkers),
    ROW(TxnOffsetCommit),
    ROW(DescribeAcls),
    ROW(CreateAcls),
    ROW(DeleteAcls),
    ROW(DescribeConfigs),
    ROW(AlterConfigs),
    ROW(AlterReplicaLogDirs),
    ROW(DescribeLogDirs),
    ROW(SaslAuthenticate),
    ROW(CreatePartitions),
    ROW(CreateDelegationToken),
    ROW(RenewDelegationToken),
    ROW(ExpireDelegationToken),
    ROW(DescribeDelegationToken),
    ROW(DeleteGroups),
    ROW(ElectLeaders),
    ROW(IncrementalAlterConfigs),
    ROW(AlterPartitionReassignments),
    ROW(ListPartitionReassignments),
    ROW(OffsetDelete),
    ROW(DescribeClientQuotas),
    ROW(AlterClientQuotas),
    ROW(DescribeUserScramCredentials),
    ROW(AlterUserScramCredentials),
    ROW(AlterPartition),
    ROW(UpdateFeatures),
    ROW(Envelope),
    ROW(DescribeCluster),
    ROW(DescribeProducers),
    ROW(DescribeTransactions),
    ROW(ListTransactions),
    ROW(AllocateProducerIds),
    ROW(ConsumerGroupHeartbeat),
    ROW(ConsumerGroupDescribe),
    ROW(GetTelemetrySubscriptions),
    ROW(PushTelemetry),
    ROW(AssignReplicasToDirs),
    ROW(ListClientMetricsResources),
    ROW(DescribeTopicPartitions),
};
#undef ROW

}  // namespace

std::span<const ApiRow> all_apis() { return kRows; }

const Api* find_api(std::int16_t key) {
  const auto at = std::lower_bound(kRows.begin(), kRows.end(), key,
                                   [](const ApiRow& row, std::int16_t k) { return row.api.key < k; });
  return at != kRows.end() && at->api.key == key ? &at->api : nullptr;
}

}  // namespace protocol
