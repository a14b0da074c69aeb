#include "tools/transactions/transaction_admin.h"

#include <algorithm>

#include "protocol/messages/write_txn_markers.h"
#include "tools/client/partition_offsets.h"

namespace tools {

using base::BrokerId;
using base::Error;
using base::ErrorCode;
using base::TopicPartition;

base::Result<std::vector<TransactionListing>> TransactionAdmin::list(const TransactionFilter& filter) {
  const auto cluster = admin_.metadata("listTransactions", std::vector<std::string>{});
  if (!cluster) return cluster.error();
  protocol::ListTransactionsRequest request;
  request.producer_id_filters = filter.producer_ids;
  request.duration_filter = filter.running_longer_ms;
  std::vector<TransactionListing> out;
  for (const auto& broker : cluster->brokers) {
    using Response = protocol::ListTransactionsResponse;
    if (filter.running_longer_ms >= 0 && admin_.version_on(broker.node_id, protocol::kListTransactions).value_or(0) < 1)
      return base::fail(ErrorCode::unsupported_version, "Broker {} cannot filter transactions by their duration",
                        broker.node_id);
    const auto answer = admin_.call<Response>(broker.node_id, "listTransactions", request,
                                              [](const Response& r) { return r.error_code; });
    if (!answer) return answer.error();
    if (answer->error_code != ErrorCode::none) return Error{answer->error_code, ""};
    for (const auto& each : answer->transaction_states)
      out.push_back({broker.node_id, each.transactional_id, each.producer_id, each.transaction_state});
  }
  return out;
}

base::Result<TransactionState> TransactionAdmin::describe(const std::string& transactional_id) {
  using Response = protocol::DescribeTransactionsResponse;
  protocol::DescribeTransactionsRequest request;
  request.transactional_ids = {transactional_id};
  const auto code_of = [](const Response& r) {
    return r.transaction_states.empty() ? ErrorCode::unknown_server_error : r.transaction_states[0].error_code;
  };
  const Coordinator coordinator{Coordinator::Kind::transaction, transactional_id};
  auto answer = admin_.call<Response>(coordinator, "describeTransactions", request, code_of);
  if (!answer) return answer.error();
  const auto code = code_of(*answer);
  if (code == ErrorCode::transactional_id_not_found)
    return base::fail(code,
                      "DescribeTransactions request for transactionalId `{}` failed because the ID could not be "
                      "found",
                      transactional_id);
  if (code == ErrorCode::transactional_id_authorization_failed)
    return base::fail(code, "DescribeTransactions request for transactionalId `{}` failed due to authorization failure",
                      transactional_id);
  if (code != ErrorCode::none) return Error{code, ""};
  return std::move(answer->transaction_states[0]);
}

base::Result<Node> TransactionAdmin::coordinator(const std::string& transactional_id) {
  return admin_.coordinator({Coordinator::Kind::transaction, transactional_id});
}

base::Result<std::vector<ProducerState>> TransactionAdmin::producers(const TopicPartition& partition,
                                                                     std::optional<BrokerId> broker) {
  protocol::DescribeProducersRequest request;
  request.topics = {{partition.topic, {partition.partition}}};
  const auto deadline = admin_.deadline();
  while (true) {
    auto asked =
        broker ? base::Result<BrokerId>(*broker) : leader_of(admin_, "describeProducers(api=METADATA)", partition);
    if (!asked) return asked.error();
    auto answer =
        admin_.call<protocol::DescribeProducersResponse>(*asked, "describeProducers(api=DESCRIBE_PRODUCERS)", request);
    if (!answer) return answer.error();
    if (answer->topics.empty() || answer->topics[0].partitions.empty())
      return Error{ErrorCode::unknown_server_error, ""};
    auto& found = answer->topics[0].partitions[0];
    if (found.error_code == ErrorCode::none) return std::move(found.active_producers);
    const bool again = !broker && may_pass(found.error_code);
    if (!again || !admin_.pause_until_retry(deadline)) return Error{found.error_code, found.error_message.value_or("")};
  }
}

base::Status TransactionAdmin::abort(const Abort& what) {
  protocol::WriteTxnMarkersRequest request;
  auto& marker = request.markers.emplace_back();
  marker.producer_id = what.producer_id;
  marker.producer_epoch = what.producer_epoch;
  marker.coordinator_epoch = what.coordinator_epoch;
  marker.transaction_result = false;
  marker.topics = {{what.partition.topic, {what.partition.partition}}};
  const auto deadline = admin_.deadline();
  while (true) {
    const auto leader = leader_of(admin_, "abortTransaction(api=METADATA)", what.partition);
    if (!leader) return leader.error();
    const auto answer =
        admin_.call<protocol::WriteTxnMarkersResponse>(*leader, "abortTransaction(api=WRITE_TXN_MARKERS)", request);
    if (!answer) return answer.error();
    if (answer->markers.empty() || answer->markers[0].topics.empty() || answer->markers[0].topics[0].partitions.empty())
      return Error{ErrorCode::unknown_server_error, ""};
    const auto code = answer->markers[0].topics[0].partitions[0].error_code;
    if (code == ErrorCode::none) return {};
    if (!may_pass(code) || !admin_.pause_until_retry(deadline)) return Error{code, ""};
  }
}

base::Result<std::vector<OpenTransaction>> TransactionAdmin::open_for(const std::vector<TopicPartition>& partitions,
                                                                      std::optional<BrokerId> broker,
                                                                      std::chrono::milliseconds at_least) {
  std::vector<OpenTransaction> out;
  for (const auto& partition : partitions) {
    auto found = producers(partition, broker);
    if (!found) return found.error();
    const auto now = base::to_ms(admin_.clock().wall());
    for (auto& producer : *found)
      if (producer.current_txn_start_offset.raw >= 0 && now - producer.last_timestamp > at_least.count())
        out.push_back({partition, producer});
  }
  return out;
}

std::vector<OpenTransaction> hanging_ones(const std::vector<OpenTransaction>& open,
                                          const std::map<std::int64_t, std::string>& ids,
                                          const std::map<std::string, TransactionState>& states) {
  const auto will_end = [&](const OpenTransaction& each) {
    const auto id = ids.find(each.producer.producer_id.raw);
    if (id == ids.end()) return false;
    const auto state = states.find(id->second);
    if (state == states.end()) return false;
    const auto& topics = state->second.topics;
    return std::any_of(topics.begin(), topics.end(), [&](const auto& topic) {
      const auto& numbers = topic.partitions;
      return topic.topic == each.partition.topic &&
             std::find(numbers.begin(), numbers.end(), each.partition.partition) != numbers.end();
    });
  };
  std::vector<OpenTransaction> out;
  std::copy_if(open.begin(), open.end(), std::back_inserter(out), [&](const auto& each) { return !will_end(each); });
  return out;
}

}  // namespace tools
