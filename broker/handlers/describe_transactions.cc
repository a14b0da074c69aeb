#include "broker/handlers/describe_transactions.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "broker/dispatch/reply.h"
#include "protocol/internal/txn_records.h"
#include "protocol/messages/describe_producers.h"
#include "protocol/messages/describe_transactions.h"
#include "protocol/messages/list_transactions.h"

namespace broker {
namespace {

using base::ErrorCode;
using protocol::DescribeProducersRequest;
using protocol::DescribeProducersResponse;
using protocol::DescribeTransactionsRequest;
using protocol::DescribeTransactionsResponse;
using protocol::ListTransactionsRequest;
using protocol::ListTransactionsResponse;
using ActiveProducer = DescribeProducersResponse::Topic::Partition::ActiveProducer;
using TransactionState = DescribeTransactionsResponse::TransactionState;

std::string name_of(TxnStatus status) {
  return std::string(protocol::txn_status_name(static_cast<std::int8_t>(status)).value_or(""));
}

std::optional<TxnStatus> status_of(const std::string& name) {
  for (std::int8_t status = 0; protocol::txn_status_name(status); ++status)
    if (*protocol::txn_status_name(status) == name) return static_cast<TxnStatus>(status);
  return std::nullopt;
}

ActiveProducer shown(base::ProducerId id, const storage::ProducerState& state) {
  return {.producer_id = id,
          .producer_epoch = state.epoch().raw,
          .last_sequence = state.last_sequence(),
          .last_timestamp = base::to_ms(state.last_timestamp()),
          .coordinator_epoch = state.coordinator_epoch(),
          .current_txn_start_offset = state.open_transaction().value_or(base::kNoOffset)};
}

}  // namespace

void DescribeProducersHandler::operator()(Request& request, AnswerSlot answer) const {
  DescribeProducersRequest in;
  if (!read_body(request, answer, in)) return;
  const auto cluster = metadata_.snapshot();
  DescribeProducersResponse out;
  for (auto& topic : in.topics) {
    auto& topic_out = out.topics.emplace_back();
    for (const auto index : topic.partition_indexes) {
      auto& to = topic_out.partitions.emplace_back();
      to.partition_index = index;
      if (!cluster->find_partition(topic.name, index)) {
        to.error_code = ErrorCode::unknown_topic_or_partition;
        // Kafka 3.9.1 has words for an unknown topic, and none for an unknown partition.
        if (!cluster->find_topic(topic.name)) to.error_message = "This server does not host this topic-partition.";
        continue;
      }
      const auto partition = partitions_.find(topic.name, index);
      const bool there = partition && partition->with_log([&](storage::Log& log) {
        log.producers().for_each([&](base::ProducerId id, const storage::ProducerState& state) {
          to.active_producers.push_back(shown(id, state));
        });
      });
      if (!there) to.error_code = partitions_.why_absent(topic.name, index);
      std::ranges::sort(to.active_producers, {}, &ActiveProducer::producer_id);
    }
    topic_out.name = std::move(topic.name);
  }
  reply(answer, request, out);
}

void DescribeTransactionsHandler::operator()(Request& request, AnswerSlot answer) const {
  DescribeTransactionsRequest in;
  if (!read_body(request, answer, in)) return;
  DescribeTransactionsResponse out;
  for (auto& id : in.transactional_ids) {
    auto& to = out.transaction_states.emplace_back();
    const auto known = transactions_.describe(id);
    to.transactional_id = std::move(id);
    if (!known) {
      to.error_code = known.error().code;
      to.producer_id = base::ProducerId{0};  // Kafka's defaults, which say nothing
      to.producer_epoch = base::ProducerEpoch{0};
      continue;
    }
    to.transaction_state = name_of(known->status);
    to.transaction_timeout_ms = static_cast<std::int32_t>(known->timeout.count());
    to.transaction_start_time_ms = base::to_ms(known->started);
    to.producer_id = known->producer.id;
    to.producer_epoch = known->producer.epoch;
    for (const auto& partition : known->partitions) {
      if (to.topics.empty() || to.topics.back().topic != partition.topic)
        to.topics.push_back({.topic = partition.topic, .partitions = {}});
      to.topics.back().partitions.push_back(partition.partition);
    }
  }
  reply(answer, request, out);
}

void ListTransactionsHandler::operator()(Request& request, AnswerSlot answer) const {
  ListTransactionsRequest in;
  if (!read_body(request, answer, in)) return;
  ListTransactionsResponse out;
  std::set<TxnStatus> states;
  for (auto& name : in.state_filters) {
    if (const auto status = status_of(name))
      states.insert(*status);
    else
      out.unknown_state_filters.push_back(std::move(name));
  }
  const std::set<std::int64_t> producers(in.producer_id_filters.begin(), in.producer_id_filters.end());
  const auto now = clock_.wall();
  const auto listed = transactions_.list([&](const Transaction& transaction) {
    return (producers.empty() || producers.contains(transaction.producer.id.raw)) &&
           (in.state_filters.empty() || states.contains(transaction.status)) &&
           (in.duration_filter < 0 || (now - transaction.started).count() > in.duration_filter);
  });
  if (!listed) {
    out.error_code = listed.error().code;
    return reply(answer, request, out);
  }
  for (const auto& one : *listed) out.transaction_states.push_back({one.id, one.producer, name_of(one.status)});
  reply(answer, request, out);
}

}  // namespace broker
