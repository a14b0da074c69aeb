#include "broker/handlers/transactions.h"

#include <absl/synchronization/mutex.h>

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "broker/dispatch/owed.h"
#include "broker/dispatch/reply.h"
#include "broker/internal_topics/names.h"
#include "protocol/internal/java_hash.h"
#include "protocol/messages/add_offsets_to_txn.h"
#include "protocol/messages/add_partitions_to_txn.h"
#include "protocol/messages/end_txn.h"
#include "protocol/messages/init_producer_id.h"

namespace broker {
namespace {

using base::ErrorCode;
using protocol::AddOffsetsToTxnRequest;
using protocol::AddOffsetsToTxnResponse;
using protocol::AddPartitionsToTxnRequest;
using protocol::AddPartitionsToTxnResponse;
using protocol::EndTxnRequest;
using protocol::EndTxnResponse;
using protocol::InitProducerIdRequest;
using protocol::InitProducerIdResponse;

constexpr std::int16_t kManyTransactionsSince = 4;

// When the clients that send this version learnt of PRODUCER_FENCED. InitProducerId did later than the others.
constexpr std::int16_t kInitFencedSince = 4;
constexpr std::int16_t kFencedSince = 2;
ErrorCode as_known(ErrorCode code, std::int16_t version, std::int16_t fenced_since) {
  return code == ErrorCode::producer_fenced && version < fenced_since ? ErrorCode::invalid_producer_epoch : code;
}

}  // namespace

void InitProducerIdHandler::operator()(Request& request, AnswerSlot answer) const {
  InitProducerIdRequest in;
  if (!read_body(request, answer, in)) return;
  const auto answer_with = [owed = owe(request, std::move(answer))](const base::Result<Producer>& producer) {
    InitProducerIdResponse out;
    if (producer) {
      out.producer_id = producer->id;
      out.producer_epoch = producer->epoch;
    } else {
      out.error_code = as_known(producer.error().code, owed->version, kInitFencedSince);
    }
    owed->reply(out);
  };
  const bool names_id = in.producer_id != base::kNoProducerId;
  const bool names_epoch = in.producer_epoch != base::kNoProducerEpoch;
  if (names_id != names_epoch)
    return answer_with(base::fail(ErrorCode::invalid_request, "a producer id and an epoch belong together"));
  if (!in.transactional_id) {
    return ids_.next([answer_with](const base::Result<base::ProducerId>& id) {
      if (!id) return answer_with(id.error());
      answer_with(Producer{*id, base::ProducerEpoch{0}});
    });
  }
  InitRequest asked{.timeout = std::chrono::milliseconds(in.transaction_timeout_ms), .expected = std::nullopt};
  if (names_id) asked.expected = Producer{in.producer_id, in.producer_epoch};
  transactions_.initialise(*in.transactional_id, asked, answer_with);
}

// ---- AddPartitionsToTxn ---------------------------------------------------------------------------------------------

namespace {

using TransactionIn = AddPartitionsToTxnRequest::Transaction;
using TransactionOut = AddPartitionsToTxnResponse::ResultsByTransaction;

// The answer grows as its transactions are settled, by any thread.
class PendingAddition {
 public:
  PendingAddition(std::shared_ptr<Owed> owed, std::size_t transactions)
      : owed_(std::move(owed)), left_(transactions), results_(transactions) {}

  void settle(std::size_t index, TransactionOut result) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      results_[index] = std::move(result);
      if (--left_ > 0) return;
    }
    reply();
  }
  void reply() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    AddPartitionsToTxnResponse out;
    if (owed_->version >= kManyTransactionsSince) {
      out.results_by_transaction = std::move(results_);
    } else {
      for (auto& topic : results_.front().topic_results) {
        auto& to = out.results_by_topic_v3_and_below.emplace_back();
        to.name = std::move(topic.name);
        for (const auto& one : topic.results_by_partition)
          to.results_by_partition.push_back({one.partition_index, one.partition_error_code});
      }
    }
    owed_->reply(out);
  }
  std::int16_t version() const { return owed_->version; }

 private:
  const std::shared_ptr<Owed> owed_;
  absl::Mutex mutex_;
  std::size_t left_ ABSL_GUARDED_BY(mutex_);
  std::vector<TransactionOut> results_ ABSL_GUARDED_BY(mutex_);
};

template <class CodeOf>
TransactionOut result_of(const TransactionIn& in, const CodeOf& code_of) {
  TransactionOut out{.transactional_id = in.transactional_id, .topic_results = {}};
  for (const auto& topic : in.topics) {
    auto& to = out.topic_results.emplace_back();
    to.name = topic.name;
    for (const auto partition : topic.partitions)
      to.results_by_partition.push_back({partition, code_of(base::TopicPartition{topic.name, partition})});
  }
  return out;
}

TransactionIn only_transaction(AddPartitionsToTxnRequest& in) {
  TransactionIn one{.transactional_id = std::move(in.v3_and_below_transactional_id),
                    .producer_id = base::ProducerId{in.v3_and_below_producer_id},
                    .producer_epoch = base::ProducerEpoch{in.v3_and_below_producer_epoch},
                    .verify_only = false,
                    .topics = {}};
  for (auto& topic : in.v3_and_below_topics) one.topics.push_back({std::move(topic.name), std::move(topic.partitions)});
  return one;
}

}  // namespace

void AddPartitionsToTxnHandler::operator()(Request& request, AnswerSlot answer) const {
  AddPartitionsToTxnRequest in;
  if (!read_body(request, answer, in)) return;
  if (request.version() < kManyTransactionsSince) in.transactions = {only_transaction(in)};
  auto pending = std::make_shared<PendingAddition>(owe(request, std::move(answer)), in.transactions.size());
  if (in.transactions.empty()) return pending->reply();

  const auto cluster = metadata_.snapshot();
  for (std::size_t i = 0; i < in.transactions.size(); ++i) {
    auto& one = in.transactions[i];
    std::set<base::TopicPartition> partitions;
    std::set<base::TopicPartition> unknown;
    for (const auto& topic : one.topics)
      for (const auto partition : topic.partitions)
        (cluster->find_partition(topic.name, partition) ? partitions : unknown).insert({topic.name, partition});
    if (!unknown.empty()) {
      pending->settle(i, result_of(one, [&](const base::TopicPartition& partition) {
                        return unknown.contains(partition) ? ErrorCode::unknown_topic_or_partition
                                                           : ErrorCode::operation_not_attempted;
                      }));
      continue;
    }
    const Producer producer{one.producer_id, one.producer_epoch};
    if (one.verify_only) {
      pending->settle(i, result_of(one, [&](const base::TopicPartition& partition) {
                        // Of any version: whoever asks knows what his producer may hear of it.
                        return transactions_.verify(one.transactional_id, producer, partition);
                      }));
      continue;
    }
    const auto id = one.transactional_id;
    transactions_.add_partitions(id, producer, partitions, [pending, i, one = std::move(one)](ErrorCode failure) {
      const auto code = as_known(failure, pending->version(), kFencedSince);
      pending->settle(i, result_of(one, [code](const base::TopicPartition&) { return code; }));
    });
  }
}

// ---- AddOffsetsToTxn, EndTxn ----------------------------------------------------------------------------------------

void AddOffsetsToTxnHandler::operator()(Request& request, AnswerSlot answer) const {
  AddOffsetsToTxnRequest in;
  if (!read_body(request, answer, in)) return;
  // The topic may be made only by the commit that follows.
  const auto count = settings_.snapshot()->broker->offsets_topic_num_partitions;
  const auto partition =
      topics_.partition_of(kGroupsTopic, in.group_id).value_or(protocol::internal_partition(in.group_id, count));
  transactions_.add_partitions(in.transactional_id, {in.producer_id, in.producer_epoch},
                               {{std::string(kGroupsTopic), partition}},
                               [owed = owe(request, std::move(answer))](ErrorCode code) {
                                 AddOffsetsToTxnResponse out;
                                 out.error_code = as_known(code, owed->version, kFencedSince);
                                 owed->reply(out);
                               });
}

void EndTxnHandler::operator()(Request& request, AnswerSlot answer) const {
  EndTxnRequest in;
  if (!read_body(request, answer, in)) return;
  transactions_.end(in.transactional_id, {in.producer_id, in.producer_epoch},
                    in.committed ? Outcome::commit : Outcome::abort,
                    [owed = owe(request, std::move(answer))](ErrorCode code) {
                      EndTxnResponse out;
                      out.error_code = as_known(code, owed->version, kFencedSince);
                      owed->reply(out);
                    });
}

}  // namespace broker
