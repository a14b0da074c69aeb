// AddPartitionsToTxn: partitions join a transaction; from version 4 brokers verify many transactions at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/wire/field.h"
#include "protocol/wire/types.h"

namespace protocol {

inline constexpr Api kAddPartitionsToTxn{
    .key = 24, .name = "AddPartitionsToTxn", .versions = {0, 5}, .flexible_since = 3};

struct AddPartitionsToTxnRequest {
  static constexpr Api api = kAddPartitionsToTxn;

  struct Transaction {
    struct Topic {
      std::string name;
      std::vector<std::int32_t> partitions;

      static void describe(auto& m, auto& visit) {
        visit("name", m.name);
        visit("partitions", m.partitions);
      }
    };

    std::string transactional_id;
    base::ProducerId producer_id{-1};
    base::ProducerEpoch producer_epoch{-1};
    bool verify_only = false;
    std::vector<Topic> topics;

    static void describe(auto& m, auto& visit) {
      visit("transactional_id", m.transactional_id);
      visit("producer_id", m.producer_id);
      visit("producer_epoch", m.producer_epoch);
      visit("verify_only", m.verify_only);
      visit("topics", m.topics);
    }
  };

  struct V3AndBelowTopic {
    std::string name;
    std::vector<std::int32_t> partitions;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("partitions", m.partitions);
    }
  };

  std::vector<Transaction> transactions;
  std::string v3_and_below_transactional_id;
  std::int64_t v3_and_below_producer_id = 0;
  std::int16_t v3_and_below_producer_epoch = 0;
  std::vector<V3AndBelowTopic> v3_and_below_topics;

  static void describe(auto& m, auto& visit) {
    visit("transactions", m.transactions, since(4));
    visit("v3_and_below_transactional_id", m.v3_and_below_transactional_id, until(3));
    visit("v3_and_below_producer_id", m.v3_and_below_producer_id, until(3));
    visit("v3_and_below_producer_epoch", m.v3_and_below_producer_epoch, until(3));
    visit("v3_and_below_topics", m.v3_and_below_topics, until(3));
  }
};

struct AddPartitionsToTxnResponse {
  static constexpr Api api = kAddPartitionsToTxn;

  struct ResultsByTransaction {
    struct TopicResult {
      struct ResultsByPartition {
        std::int32_t partition_index = 0;
        base::ErrorCode partition_error_code = base::ErrorCode::none;

        static void describe(auto& m, auto& visit) {
          visit("partition_index", m.partition_index);
          visit("partition_error_code", m.partition_error_code);
        }
      };

      std::string name;
      std::vector<ResultsByPartition> results_by_partition;

      static void describe(auto& m, auto& visit) {
        visit("name", m.name);
        visit("results_by_partition", m.results_by_partition);
      }
    };

    std::string transactional_id;
    std::vector<TopicResult> topic_results;

    static void describe(auto& m, auto& visit) {
      visit("transactional_id", m.transactional_id);
      visit("topic_results", m.topic_results);
    }
  };

  struct ResultsByTopicV3AndBelow {
    struct ResultsByPartition {
      std::int32_t partition_index = 0;
      base::ErrorCode partition_error_code = base::ErrorCode::none;

      static void describe(auto& m, auto& visit) {
        visit("partition_index", m.partition_index);
        visit("partition_error_code", m.partition_error_code);
      }
    };

    std::string name;
    std::vector<ResultsByPartition> results_by_partition;

    static void describe(auto& m, auto& visit) {
      visit("name", m.name);
      visit("results_by_partition", m.results_by_partition);
    }
  };

  std::int32_t throttle_time_ms = 0;
  base::ErrorCode error_code = base::ErrorCode::none;
  std::vector<ResultsByTransaction> results_by_transaction;
  std::vector<ResultsByTopicV3AndBelow> results_by_topic_v3_and_below;

  static void describe(auto& m, auto& visit) {
    visit("throttle_time_ms", m.throttle_time_ms);
    visit("error_code", m.error_code, since(4));
    visit("results_by_transaction", m.results_by_transaction, since(4));
    visit("results_by_topic_v3_and_below", m.results_by_topic_v3_and_below, until(3));
  }
};

}  // namespace protocol
