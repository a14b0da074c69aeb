#include "tools/client/failure.h"

#include <cctype>
#include <cstdio>

namespace tools {
namespace {

using base::ErrorCode;

struct Row {
  ErrorCode code;
  std::string_view exception;  // "" when the name follows from the code's
  std::string_view message;
};

// Exceptions whose names do not follow from their codes, and the texts for codes that brokers send without one.
// Source: the error table of the Kafka protocol guide, and what the Java tools print.
constexpr Row kRows[] = {
    {ErrorCode::unknown_server_error, "UnknownServerException",
     "The server experienced an unexpected error when processing the request."},
    {ErrorCode::offset_out_of_range, "",
     "The requested offset is not within the range of offsets maintained by the server."},
    {ErrorCode::unknown_topic_or_partition, "", "This server does not host this topic-partition."},
    {ErrorCode::request_timed_out, "TimeoutException", "The request timed out."},
    {ErrorCode::message_too_large, "RecordTooLargeException",
     "The request included a message larger than the max message size the server will accept."},
    {ErrorCode::network_exception, "NetworkException", "The server disconnected before a response was received."},
    {ErrorCode::leader_not_available, "",
     "There is no leader for this topic-partition as we are in the middle of a leadership election."},
    {ErrorCode::not_leader_or_follower, "",
     "For requests intended only for the leader, this error indicates that the broker is not the current leader."},
    {ErrorCode::invalid_topic_exception, "InvalidTopicException",
     "The request attempted to perform an operation on an invalid topic."},
    {ErrorCode::record_list_too_large, "RecordBatchTooLargeException",
     "The request included message batch larger than the configured segment size on the server."},
    {ErrorCode::not_enough_replicas, "", "Messages are rejected since there are fewer in-sync replicas than required."},
    {ErrorCode::topic_authorization_failed, "TopicAuthorizationException", "Topic authorization failed."},
    {ErrorCode::group_authorization_failed, "GroupAuthorizationException", "Group authorization failed."},
    {ErrorCode::cluster_authorization_failed, "ClusterAuthorizationException", "Cluster authorization failed."},
    {ErrorCode::unsupported_version, "", "The version of API is not supported."},
    {ErrorCode::topic_already_exists, "TopicExistsException", "Topic with this name already exists."},
    {ErrorCode::invalid_partitions, "", "Number of partitions is below 1."},
    {ErrorCode::invalid_replication_factor, "",
     "Replication factor is below 1 or larger than the number of available brokers."},
    {ErrorCode::invalid_replica_assignment, "", "Replica assignment is invalid."},
    {ErrorCode::invalid_config, "InvalidConfigurationException", "Configuration is invalid."},
    {ErrorCode::not_controller, "", "This is not the correct controller for this cluster."},
    {ErrorCode::policy_violation, "", "Request parameters do not satisfy the configured policy."},
    {ErrorCode::kafka_storage_error, "KafkaStorageException", "Disk error when trying to access log file on the disk."},
    {ErrorCode::topic_deletion_disabled, "", "Topic deletion is disabled."},
    {ErrorCode::unsupported_compression_type, "",
     "The requesting client does not support the compression type of given partition."},
    {ErrorCode::invalid_request, "",
     "This most likely occurs because of a request being malformed by the client library or the message was sent to an "
     "incompatible broker. See the broker logs for more details."},
    {ErrorCode::replica_not_available, "", "The replica is not available for the requested topic-partition."},
    {ErrorCode::invalid_timestamp, "", "The timestamp of the message is out of acceptable range."},
    {ErrorCode::unsupported_for_message_format, "",
     "The message format version on the broker does not support the request."},
    {ErrorCode::fenced_leader_epoch, "", "The leader epoch in the request is older than the epoch on the broker."},
    {ErrorCode::unknown_leader_epoch, "", "The leader epoch in the request is newer than the epoch on the broker."},
    {ErrorCode::offset_not_available, "",
     "The leader high watermark has not caught up from a recent leader election so the offsets cannot be guaranteed to "
     "be monotonically increasing."},
    {ErrorCode::coordinator_load_in_progress, "", "The coordinator is loading and hence can't process requests."},
    {ErrorCode::coordinator_not_available, "", "The coordinator is not available."},
    {ErrorCode::not_coordinator, "", "This is not the correct coordinator."},
    {ErrorCode::illegal_generation, "", "Specified group generation id is not valid."},
    {ErrorCode::invalid_group_id, "", "The configured groupId is invalid."},
    {ErrorCode::unknown_member_id, "", "The coordinator is not aware of this member."},
    {ErrorCode::rebalance_in_progress, "", "The group is rebalancing, so a rejoin is needed."},
    {ErrorCode::offset_metadata_too_large, "OffsetMetadataTooLarge",
     "The metadata field of the offset request was too large."},
    {ErrorCode::invalid_commit_offset_size, "", "The committing offset data size is not valid."},
    {ErrorCode::non_empty_group, "GroupNotEmptyException", "The group is not empty."},
    {ErrorCode::group_id_not_found, "", "The group id does not exist."},
    {ErrorCode::group_max_size_reached, "", "The consumer group has reached its max size."},
    {ErrorCode::fenced_instance_id, "",
     "The broker rejected this static consumer since another consumer with the same group.instance.id has registered "
     "with a different member.id."},
    {ErrorCode::group_subscribed_to_topic, "",
     "Deleting offsets of a topic is forbidden while the consumer group is actively subscribed to it."},
    {ErrorCode::unstable_offset_commit, "", "There are unstable offsets that need to be cleared."},
    {ErrorCode::invalid_producer_epoch, "", "Producer attempted to produce with an old epoch."},
    {ErrorCode::invalid_txn_state, "", "The producer attempted a transactional operation in an invalid state."},
    {ErrorCode::invalid_producer_id_mapping, "InvalidPidMappingException",
     "The producer attempted to use a producer id which is not currently assigned to its transactional id."},
    {ErrorCode::transaction_coordinator_fenced, "",
     "Indicates that the transaction coordinator sending a WriteTxnMarker is no longer the current coordinator for a "
     "given producer."},
    {ErrorCode::transactional_id_authorization_failed, "TransactionalIdAuthorizationException",
     "Transactional Id authorization failed."},
    {ErrorCode::producer_fenced, "",
     "There is a newer producer with the same transactionalId which fences the current one."},
    {ErrorCode::transactional_id_not_found, "", "The transactionalId could not be found."},
};

const Row* find_row(ErrorCode code) {
  for (const Row& row : kRows)
    if (row.code == code) return &row;
  return nullptr;
}

}  // namespace

std::string Failure::text() const {
  std::string out = message.empty() ? exception : exception + ": " + message;
  if (!cause.empty()) out += "\nCaused by: " + cause;
  return out;
}

std::string exception_class(ErrorCode code) {
  std::string name;
  if (const Row* row = find_row(code); row && !row->exception.empty()) {
    name = row->exception;
  } else {
    bool capital = true;
    for (char c : base::error_name(code)) {
      if (c != '_') name += static_cast<char>(capital ? c : std::tolower(static_cast<unsigned char>(c)));
      capital = c == '_';
    }
    name += "Exception";
  }
  return "org.apache.kafka.common.errors." + name;
}

std::string default_message(ErrorCode code) {
  const Row* row = find_row(code);
  return row ? std::string(row->message) : base::error_name(code);
}

Failure failure_of(const base::Error& error) {
  return {exception_class(error.code), error.detail.empty() ? default_message(error.code) : error.detail, ""};
}

int die_uncaught(const Failure& failure) {
  std::fprintf(stderr, "Exception in thread \"main\" %s\n", failure.text().c_str());
  return 1;
}

}  // namespace tools
