// What a failed append to an internal topic means to whoever is coordinated there. Pure.
#pragma once

#include "base/error.h"

namespace broker {

// The part both coordinators agree on. What will pass: the client asks again. What says that this broker coordinates no
// longer: it looks elsewhere. All else is returned as it is, each coordinator has words of its own for it.
// Source: GroupMetadataManager and TransactionStateManager of Apache Kafka 2.7.1.
constexpr base::ErrorCode coordinator_code(base::ErrorCode append) {
  using base::ErrorCode;
  switch (append) {
    case ErrorCode::unknown_topic_or_partition:
    case ErrorCode::not_enough_replicas:
    case ErrorCode::not_enough_replicas_after_append:
      return ErrorCode::coordinator_not_available;
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::kafka_storage_error:
      return ErrorCode::not_coordinator;
    default:
      return append;
  }
}

}  // namespace broker
