#include "broker/transaction/store.h"

#include <catch2/catch.hpp>

#include "base/bytes.h"
#include "protocol/records/builder.h"

using namespace broker;
using base::ErrorCode;

namespace {

Transaction some(TxnStatus status) {
  Transaction transaction{.producer = {base::ProducerId{1234567890123}, base::ProducerEpoch{5}},
                          .timeout = std::chrono::milliseconds(60'000),
                          .status = status,
                          .updated = base::timestamp_from_ms(2'000)};
  if (status != TxnStatus::empty) transaction.started = base::timestamp_from_ms(1'000);
  if (status == TxnStatus::ongoing) transaction.partitions = {{"a", 0}, {"a", 2}, {"b", 1}};
  return transaction;
}

base::Result<StoredTransaction> read_back(const base::Buffer& bytes) {
  const auto batch = protocol::BatchView::parse(bytes.bytes()).value().value();
  protocol::RecordReader reader(batch);
  protocol::RecordView record;
  REQUIRE(reader.next(record));
  return read_transaction(record.key, record.value);
}

}  // namespace

TEST_CASE("a transaction comes back from the log as it was written") {
  const auto status = GENERATE(TxnStatus::empty, TxnStatus::ongoing, TxnStatus::complete_abort);
  const auto written = some(status);
  const auto stored = read_back(transaction_batch("my-id", &written, base::timestamp_from_ms(2'000)));
  REQUIRE(stored);
  CHECK(stored->transactional_id == "my-id");
  CHECK(stored->transaction == written);
}

TEST_CASE("a tombstone has no transaction") {
  const auto stored = read_back(transaction_batch("my-id", nullptr, base::timestamp_from_ms(2'000)));
  REQUIRE(stored);
  CHECK(stored->transactional_id == "my-id");
  CHECK_FALSE(stored->transaction);
}

TEST_CASE("records that no release writes are refused, and none breaks the reader") {
  using protocol::write_versioned;
  const auto key = write_versioned(0, protocol::TxnRecordKey{.transactional_id = "id"});
  protocol::TxnRecordValue value;
  CHECK(read_transaction(std::nullopt, std::nullopt).error().code == ErrorCode::corrupt_message);
  for (const auto status : {-1, 6, 7, 100}) {
    value.transaction_status = static_cast<std::int8_t>(status);
    const auto bytes = write_versioned(0, value);
    CHECK(read_transaction(key.bytes(), bytes.bytes()).error().code == ErrorCode::corrupt_message);
  }
  value.transaction_status = 1;
  const auto whole = write_versioned(0, value);
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_FALSE(read_transaction(key.bytes(), whole.bytes().first(size)));
  auto newer = write_versioned(0, protocol::TxnRecordKey{.transactional_id = "id"});
  newer.bytes()[1] = std::byte{9};  // the version
  CHECK_FALSE(read_transaction(newer.bytes(), whole.bytes()));
}

TEST_CASE("times before the beginning of time count as none") {
  const auto key = protocol::write_versioned(0, protocol::TxnRecordKey{.transactional_id = "id"});
  protocol::TxnRecordValue value;
  value.transaction_status = 1;
  value.transaction_start_timestamp_ms = std::numeric_limits<std::int64_t>::min();
  value.transaction_last_update_timestamp_ms = -5;
  const auto bytes = protocol::write_versioned(0, value);
  const auto stored = read_transaction(key.bytes(), bytes.bytes()).value();
  CHECK(stored.transaction->started == base::kNoTimestamp);
  CHECK(stored.transaction->updated == base::kNoTimestamp);
}

TEST_CASE("what an append failed of is told in a coordinator's words") {
  CHECK(code_of_failed_write(ErrorCode::not_enough_replicas) == ErrorCode::coordinator_not_available);
  CHECK(code_of_failed_write(ErrorCode::request_timed_out) == ErrorCode::coordinator_not_available);
  CHECK(code_of_failed_write(ErrorCode::not_leader_or_follower) == ErrorCode::not_coordinator);
  CHECK(code_of_failed_write(ErrorCode::kafka_storage_error) == ErrorCode::not_coordinator);
  CHECK(code_of_failed_write(ErrorCode::message_too_large) == ErrorCode::unknown_server_error);
}
