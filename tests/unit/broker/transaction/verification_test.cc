#include "broker/transaction/verification.h"

#include <catch2/catch.hpp>

#include "protocol/messages/add_partitions_to_txn.h"
#include "protocol/messages/api_versions.h"
#include "tests/support/broker/transaction_bench.h"

using namespace broker;
using namespace broker::test;
using namespace test_support;
using base::ErrorCode;
using base::ProducerEpoch;
using base::ProducerId;
using protocol::AddPartitionsToTxnRequest;
using protocol::AddPartitionsToTxnResponse;
using Codes = std::vector<ErrorCode>;

namespace {

constexpr Producer kProducer{ProducerId{5}, ProducerEpoch{2}};
const base::TopicPartition kOrders{"orders", 0};
const base::TopicPartition kBills{"bills", 3};

struct Bench : TransactionBench {
  // Nobody tells this broker that it leads __transaction_state: the metadata says who does.
  void coordinated_by(base::BrokerId id) {
    brokers = {broker(kSelf), broker(kOther)};
    auto state = state_topic();
    state.leader = id;
    state.replicas = {kSelf, kOther};
    tell_metadata(state);
  }
  void coordinator_says(const std::map<base::TopicPartition, ErrorCode>& codes, ErrorCode of_all = ErrorCode::none) {
    peers.serve<AddPartitionsToTxnRequest, AddPartitionsToTxnResponse>(
        kOther, [=, this](const AddPartitionsToTxnRequest& request, std::int16_t version) {
          CHECK(version == 5);
          asked = request;
          AddPartitionsToTxnResponse out;
          out.error_code = of_all;
          auto& transaction = out.results_by_transaction.emplace_back();
          transaction.transactional_id = "t";
          for (const auto& [partition, code] : codes)
            transaction.topic_results.push_back({partition.topic, {{partition.partition, code}}});
          return out;
        });
  }
  Codes ask(std::vector<base::TopicPartition> partitions) {
    auto later = std::make_shared<Later<Codes>>();
    verification.ask("t", kProducer, std::move(partitions), std::chrono::seconds(10),
                     [later](const Codes& codes) { later->set(codes); });
    return later->get();
  }
  ErrorCode of_group() {
    auto later = std::make_shared<Later<ErrorCode>>();
    verification.of_group("t", kProducer, "g", [later](ErrorCode code) { later->set(code); });
    return later->get();
  }
  TransactionVerification::Parts parts(bool asks_others) {
    return {.self = kSelf,
            .settings = settings,
            .topics = topics,
            .partitions = table,
            .transactions = coordinator,
            .others = others,
            .asks_others = asks_others};
  }

  AddPartitionsToTxnRequest asked;
  TransactionVerification verification{parts(true)};
};

}  // namespace

TEST_CASE("a coordinator on another broker is asked about all partitions at once, to verify only") {
  Bench bench;
  bench.coordinated_by(kOther);
  CHECK_FALSE(bench.verification.at_once("t", kProducer, kOrders));
  bench.coordinator_says({{kOrders, ErrorCode::none}, {kBills, ErrorCode::transaction_abortable}});
  CHECK(bench.ask({kBills, kOrders}) == Codes{ErrorCode::transaction_abortable, ErrorCode::none});
  REQUIRE(bench.asked.transactions.size() == 1);
  const auto& transaction = bench.asked.transactions[0];
  CHECK(transaction.transactional_id == "t");
  CHECK(transaction.producer_id == kProducer.id);
  CHECK(transaction.producer_epoch == kProducer.epoch);
  CHECK(transaction.verify_only);
  CHECK(transaction.topics.size() == 2);
}

TEST_CASE("a refusal of the whole question is one of every partition, and silence is no word") {
  Bench bench;
  bench.coordinated_by(kOther);
  bench.coordinator_says({}, ErrorCode::cluster_authorization_failed);
  CHECK(bench.ask({kOrders, kBills}) == Codes(2, ErrorCode::cluster_authorization_failed));
  bench.coordinator_says({{kOrders, ErrorCode::none}});
  CHECK(bench.ask({kOrders, kBills}) == Codes{ErrorCode::none, ErrorCode::network_exception});
}

TEST_CASE("a coordinator that cannot be reached is told of") {
  Bench bench;
  bench.coordinated_by(kOther);
  CHECK(bench.ask({kOrders}) == Codes{ErrorCode::network_exception});
  bench.coordinated_by(base::kNoBroker);
  CHECK(bench.verification.at_once("t", kProducer, kOrders) == ErrorCode::coordinator_not_available);
}

TEST_CASE("a coordinator of a release that does not verify is believed") {
  Bench bench;
  bench.coordinated_by(kOther);
  bench.peers.serve<protocol::ApiVersionsRequest, protocol::ApiVersionsResponse>(
      kOther, [](const protocol::ApiVersionsRequest&, std::int16_t) {
        protocol::ApiVersionsResponse old;
        old.api_keys.push_back({.api_key = 24, .min_version = 0, .max_version = 3});
        return old;
      });
  CHECK(bench.ask({kOrders}) == Codes{ErrorCode::none});
  const TransactionVerification old_release(bench.parts(false));
  CHECK(old_release.at_once("t", kProducer, kOrders) == ErrorCode::none);
}

TEST_CASE("who is about to coordinate cannot be asked yet, and asks nobody else") {
  Bench bench;
  bench.coordinated_by(kSelf);
  CHECK(bench.verification.at_once("t", kProducer, kOrders) == ErrorCode::not_coordinator);
}

TEST_CASE("a group's commit in a transaction that another broker coordinates waits for its word") {
  Bench bench;
  bench.coordinated_by(kOther);
  bench.announce({.topic = std::string(kGroupsTopic)});
  const base::TopicPartition group_partition{std::string(kGroupsTopic), 0};
  bench.coordinator_says({{group_partition, ErrorCode::none}});
  CHECK(bench.of_group() == ErrorCode::none);
  bench.coordinator_says({{group_partition, ErrorCode::transaction_abortable}});
  CHECK(bench.of_group() == ErrorCode::transaction_abortable);
  bench.peers.cut(kOther);
  CHECK(bench.of_group() == ErrorCode::coordinator_load_in_progress);
}
