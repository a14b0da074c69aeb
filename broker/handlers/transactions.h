// What a transactional producer asks of its coordinator: InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn.
#pragma once

#include "broker/dispatch/request.h"
#include "broker/internal_topics/creation.h"
#include "broker/network/answers.h"
#include "broker/transaction/coordinator.h"
#include "config/dynamic.h"
#include "replication/cluster/metadata.h"
#include "replication/coordination/producer_ids.h"

namespace broker {

// Any loop may call. Outlived by their parts.

// Without a transactional id: just an id for an idempotent producer, from any broker.
class InitProducerIdHandler {
 public:
  InitProducerIdHandler(replication::ProducerIds& ids, TransactionCoordinator& transactions)
      : ids_(ids), transactions_(transactions) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  replication::ProducerIds& ids_;
  TransactionCoordinator& transactions_;
};

// From version 4 on brokers ask, for many transactions at once, also whether partitions were added (verify only).
class AddPartitionsToTxnHandler {
 public:
  AddPartitionsToTxnHandler(TransactionCoordinator& transactions, const replication::MetadataCache& metadata)
      : transactions_(transactions), metadata_(metadata) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  TransactionCoordinator& transactions_;
  const replication::MetadataCache& metadata_;
};

class AddOffsetsToTxnHandler {
 public:
  AddOffsetsToTxnHandler(TransactionCoordinator& transactions, const InternalTopics& topics,
                         const config::DynamicSettings& settings)
      : transactions_(transactions), topics_(topics), settings_(settings) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  TransactionCoordinator& transactions_;
  const InternalTopics& topics_;
  const config::DynamicSettings& settings_;
};

class EndTxnHandler {
 public:
  explicit EndTxnHandler(TransactionCoordinator& transactions) : transactions_(transactions) {}
  void operator()(Request& request, AnswerSlot answer) const;

 private:
  TransactionCoordinator& transactions_;
};

}  // namespace broker
