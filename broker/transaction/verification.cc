#include "broker/transaction/verification.h"

#include <map>
#include <utility>

#include "broker/internal_topics/names.h"
#include "protocol/messages/add_partitions_to_txn.h"

namespace broker {

using base::ErrorCode;
using protocol::AddPartitionsToTxnRequest;
using protocol::AddPartitionsToTxnResponse;

namespace {

constexpr std::int16_t kManyTransactionsSince = 4;

// A group's commit is tried again after this, and only after this.
ErrorCode as_told_to_groups(ErrorCode code) {
  switch (code) {
    case ErrorCode::concurrent_transactions:
    case ErrorCode::coordinator_not_available:
    case ErrorCode::network_exception:
    case ErrorCode::not_coordinator:
    case ErrorCode::request_timed_out:
      return ErrorCode::coordinator_load_in_progress;
    default:
      return code;
  }
}

AddPartitionsToTxnRequest question(const std::string& id, const Producer& producer,
                                   const std::vector<base::TopicPartition>& partitions) {
  AddPartitionsToTxnRequest request;
  auto& transaction = request.transactions.emplace_back();
  transaction.transactional_id = id;
  transaction.producer_id = producer.id;
  transaction.producer_epoch = producer.epoch;
  transaction.verify_only = true;
  std::map<std::string_view, std::vector<std::int32_t>> topics;
  for (const auto& partition : partitions) topics[partition.topic].push_back(partition.partition);
  for (auto& [name, indexes] : topics) transaction.topics.push_back({std::string(name), std::move(indexes)});
  return request;
}

// What is not told of a partition may be asked again.
std::vector<ErrorCode> verdicts(const base::Result<replication::PeerAnswer<AddPartitionsToTxnResponse>>& answer,
                                const std::vector<base::TopicPartition>& partitions) {
  // An older release does not know of verification, and takes what comes.
  if (!answer && answer.error().code == ErrorCode::unsupported_version)
    return std::vector<ErrorCode>(partitions.size(), ErrorCode::none);
  if (!answer) return std::vector<ErrorCode>(partitions.size(), answer.error().code);
  const auto& told = answer->message;
  if (told.error_code != ErrorCode::none) return std::vector<ErrorCode>(partitions.size(), told.error_code);
  std::map<base::TopicPartition, ErrorCode> codes;
  for (const auto& transaction : told.results_by_transaction)
    for (const auto& topic : transaction.topic_results)
      for (const auto& partition : topic.results_by_partition)
        codes.emplace(base::TopicPartition{topic.name, partition.partition_index}, partition.partition_error_code);
  std::vector<ErrorCode> out;
  for (const auto& partition : partitions) {
    const auto code = codes.find(partition);
    out.push_back(code == codes.end() ? ErrorCode::network_exception : code->second);
  }
  return out;
}

}  // namespace

std::optional<ErrorCode> TransactionVerification::at_once(const std::string& transactional_id, const Producer& producer,
                                                          const base::TopicPartition& partition) const {
  if (!wanted()) return ErrorCode::none;
  const auto code = parts_.transactions.verify(transactional_id, producer, partition);
  if (code != ErrorCode::not_coordinator) return code;
  const auto leader = parts_.topics.leader_of(kTransactionsTopic, transactional_id);
  if (!leader) return ErrorCode::coordinator_not_available;  // nobody has needed the topic yet, or nobody leads it
  if (*leader == parts_.self) return code;                   // about to be
  if (!parts_.asks_others) return ErrorCode::none;
  return std::nullopt;
}

void TransactionVerification::ask(const std::string& transactional_id, const Producer& producer,
                                  std::vector<base::TopicPartition> partitions, std::chrono::milliseconds timeout,
                                  Verdicts done) const {
  const auto coordinator = parts_.topics.leader_of(kTransactionsTopic, transactional_id).value_or(base::kNoBroker);
  auto request = question(transactional_id, producer, partitions);
  parts_.others.ask<AddPartitionsToTxnResponse>(
      coordinator, std::move(request), {kManyTransactionsSince, AddPartitionsToTxnRequest::api.versions.max}, timeout,
      [partitions = std::move(partitions), done = std::move(done)](const auto& answer) {
        done(verdicts(answer, partitions));
      });
}

void TransactionVerification::of_group(const std::string& transactional_id, const Producer& producer,
                                       std::string_view group, std::function<void(ErrorCode)> done) const {
  const auto index = parts_.topics.partition_of(kGroupsTopic, group);
  const auto partition = index ? parts_.partitions.find(kGroupsTopic, *index) : nullptr;
  if (!partition) return done(ErrorCode::none);  // whoever takes the commit refuses it
  if (partition->check_transaction(producer.id, producer.epoch).open) return done(ErrorCode::none);
  if (const auto code = at_once(transactional_id, producer, partition->name())) return done(as_told_to_groups(*code));
  const std::chrono::milliseconds timeout(parts_.settings.snapshot()->broker->request_timeout_ms);
  ask(transactional_id, producer, {partition->name()}, timeout,
      [done = std::move(done)](const std::vector<ErrorCode>& codes) { done(as_told_to_groups(codes.at(0))); });
}

}  // namespace broker
