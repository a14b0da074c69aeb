#include "broker/transaction/transaction.h"

#include <catch2/catch.hpp>

using namespace broker;
using base::ErrorCode;
using base::ProducerEpoch;
using base::ProducerId;
using std::chrono::milliseconds;

namespace {

constexpr base::Timestamp kNow = base::timestamp_from_ms(1'000'000);
constexpr Producer kProducer{ProducerId{7}, ProducerEpoch{3}};
const base::TopicPartition kA{"a", 0};
const base::TopicPartition kB{"b", 1};

Transaction in_state(TxnStatus status) {
  Transaction transaction{.producer = kProducer, .timeout = milliseconds(60'000), .status = status, .updated = kNow};
  if (status == TxnStatus::ongoing || decided_outcome(status)) {
    transaction.partitions = {kA};
    transaction.started = kNow;
  }
  return transaction;
}

using Init = base::Result<std::variant<NeedsProducerId, Transaction>>;

Transaction made(const Init& step) { return std::get<Transaction>(step.value()); }

Init init(const Transaction& known, std::optional<Producer> expected = std::nullopt,
          std::optional<ProducerId> fresh = std::nullopt) {
  return initialise(&known, {.timeout = milliseconds(1'000), .expected = expected}, fresh, kNow);
}

ErrorCode code_of(const auto& result) { return result ? ErrorCode::none : result.error().code; }

constexpr TxnStatus kOver[] = {TxnStatus::empty, TxnStatus::complete_commit, TxnStatus::complete_abort};
constexpr TxnStatus kDecided[] = {TxnStatus::prepare_commit, TxnStatus::prepare_abort};

}  // namespace

TEST_CASE("a state follows its legal predecessors and no others") {
  using S = TxnStatus;
  const std::vector<S> all{S::empty,          S::ongoing, S::prepare_commit, S::prepare_abort, S::complete_commit,
                           S::complete_abort, S::dead};
  const std::vector<std::pair<S, std::vector<S>>> legal{
      {S::empty, {S::empty, S::complete_commit, S::complete_abort}},
      {S::ongoing, {S::ongoing, S::empty, S::complete_commit, S::complete_abort}},
      {S::prepare_commit, {S::ongoing}},
      {S::prepare_abort, {S::ongoing}},
      {S::complete_commit, {S::prepare_commit}},
      {S::complete_abort, {S::prepare_abort}},
      {S::dead, {S::empty, S::complete_commit, S::complete_abort}}};
  for (const auto& [after, before] : legal)
    for (const auto one : all)
      CHECK(may_follow(one, after) == (std::find(before.begin(), before.end(), one) != before.end()));
}

TEST_CASE("an id nobody has used gets a producer id of its own, epoch 0") {
  const InitRequest request{.timeout = milliseconds(1'000), .expected = std::nullopt};
  CHECK(std::holds_alternative<NeedsProducerId>(initialise(nullptr, request, std::nullopt, kNow).value()));
  const auto next = made(initialise(nullptr, request, ProducerId{9}, kNow));
  CHECK(next.producer == Producer{ProducerId{9}, ProducerEpoch{0}});
  CHECK(next.status == TxnStatus::empty);
  CHECK(next.timeout == milliseconds(1'000));
  CHECK(next.started == base::kNoTimestamp);
  CHECK(next.updated == kNow);
}

TEST_CASE("an id in use gets the next epoch, and forgets its last transaction") {
  const auto status = GENERATE(from_range(std::begin(kOver), std::end(kOver)));
  const auto next = made(init(in_state(status)));
  CHECK(next.producer == Producer{ProducerId{7}, ProducerEpoch{4}});
  CHECK(next.status == TxnStatus::empty);
  CHECK(next.partitions.empty());
  CHECK(next.started == base::kNoTimestamp);
  CHECK(next.last.epoch == base::kNoProducerEpoch);
}

TEST_CASE("when the epochs run out the id gets another producer id") {
  auto known = in_state(TxnStatus::complete_commit);
  known.producer.epoch = ProducerEpoch{32765};
  CHECK(made(init(known)).producer == Producer{ProducerId{7}, ProducerEpoch{32766}});
  const auto exhausted = ProducerEpoch{GENERATE(std::int16_t{32766}, std::int16_t{32767})};
  known.producer.epoch = exhausted;
  CHECK(std::holds_alternative<NeedsProducerId>(init(known).value()));
  const auto next = made(init(known, std::nullopt, ProducerId{8}));
  CHECK(next.producer == Producer{ProducerId{8}, ProducerEpoch{0}});
  CHECK(next.last == Producer{ProducerId{7}, base::kNoProducerEpoch});
}

TEST_CASE("a producer that says who it is raises its own epoch, and may ask twice") {
  const auto first = made(init(in_state(TxnStatus::empty), kProducer));
  CHECK(first.producer.epoch == ProducerEpoch{4});
  CHECK(first.last == kProducer);
  const auto again = made(init(first, kProducer));
  CHECK(again.producer == first.producer);
  CHECK(again.last == first.last);
  SECTION("not after somebody else came, who did not say who he is") {
    const auto another = made(init(first));
    CHECK(code_of(init(another, kProducer)) == ErrorCode::producer_fenced);
  }
  SECTION("nor with an older epoch") {
    CHECK(code_of(init(first, Producer{ProducerId{7}, ProducerEpoch{2}})) == ErrorCode::producer_fenced);
  }
}

TEST_CASE("a producer whose epochs ran out may ask twice too, under its old producer id") {
  auto known = in_state(TxnStatus::complete_abort);
  known.producer.epoch = kLastUsableEpoch;
  const Producer before = known.producer;
  const auto rotated = made(init(known, before, ProducerId{8}));
  CHECK(rotated.producer == Producer{ProducerId{8}, ProducerEpoch{0}});
  CHECK(rotated.last == before);
  CHECK(made(init(rotated, before)).producer == rotated.producer);
  CHECK(code_of(init(rotated, Producer{ProducerId{7}, ProducerEpoch{5}})) == ErrorCode::producer_fenced);
}

TEST_CASE("another producer id is fenced") {
  const auto status = GENERATE(TxnStatus::empty, TxnStatus::ongoing, TxnStatus::prepare_commit);
  CHECK(code_of(init(in_state(status), Producer{ProducerId{6}, ProducerEpoch{3}})) == ErrorCode::producer_fenced);
}

TEST_CASE("who comes while a transaction is open ends it under a higher epoch") {
  const auto next = made(init(in_state(TxnStatus::ongoing)));
  CHECK(next.status == TxnStatus::prepare_abort);
  CHECK(next.producer == Producer{ProducerId{7}, ProducerEpoch{4}});
  CHECK(next.partitions == std::set{kA});
  CHECK(next.started == kNow);
  SECTION("an epoch is raised once, however often that fails to be written") {
    auto failed = in_state(TxnStatus::ongoing);
    failed.producer.epoch = ProducerEpoch{4};
    failed.fence_failed = true;
    CHECK(made(init(failed)).producer.epoch == ProducerEpoch{4});
  }
}

TEST_CASE("who comes while a decision is carried out comes again") {
  const auto status = GENERATE(from_range(std::begin(kDecided), std::end(kDecided)));
  CHECK(code_of(init(in_state(status))) == ErrorCode::concurrent_transactions);
}

TEST_CASE("nothing happens to a transaction while a change is pending") {
  for (const auto status : {TxnStatus::empty, TxnStatus::ongoing, TxnStatus::complete_commit}) {
    auto known = in_state(status);
    known.pending = TxnStatus::ongoing;
    CHECK(code_of(init(known)) == ErrorCode::concurrent_transactions);
    CHECK(code_of(add_partitions(&known, kProducer, {kB}, kNow)) == ErrorCode::concurrent_transactions);
    CHECK(code_of(end(&known, kProducer, Outcome::commit, kNow)) == ErrorCode::concurrent_transactions);
    CHECK(verify(&known, kProducer, kA) == ErrorCode::concurrent_transactions);
    CHECK_FALSE(time_out(known, kNow + std::chrono::hours(24)));
    CHECK_FALSE(is_expired(known, kNow + std::chrono::hours(24 * 30), milliseconds(1)));
  }
}

TEST_CASE("partitions begin a transaction and join it, once each") {
  const auto status = GENERATE(from_range(std::begin(kOver), std::end(kOver)));
  const auto known = in_state(status);
  const auto later = kNow + milliseconds(5);
  const auto begun = add_partitions(&known, kProducer, {kA}, later).value().value();
  CHECK(begun.status == TxnStatus::ongoing);
  CHECK(begun.started == later);
  const auto joined = add_partitions(&begun, kProducer, {kA, kB}, later + milliseconds(5)).value().value();
  CHECK(joined.partitions == std::set{kA, kB});
  CHECK(joined.started == later);
  CHECK(joined.updated == later + milliseconds(5));
  CHECK_FALSE(add_partitions(&joined, kProducer, {kB}, later).value());
}

TEST_CASE("partitions do not join what is being ended") {
  const auto known = in_state(GENERATE(from_range(std::begin(kDecided), std::end(kDecided))));
  CHECK(code_of(add_partitions(&known, kProducer, {kB}, kNow)) == ErrorCode::concurrent_transactions);
}

TEST_CASE("only the current producer is served") {
  const auto known = in_state(TxnStatus::ongoing);
  const std::vector<std::pair<Producer, ErrorCode>> strangers{
      {{ProducerId{6}, ProducerEpoch{3}}, ErrorCode::invalid_producer_id_mapping},
      {{ProducerId{7}, ProducerEpoch{2}}, ErrorCode::producer_fenced},
      {{ProducerId{7}, ProducerEpoch{4}}, ErrorCode::producer_fenced}};
  for (const auto& [producer, code] : strangers) {
    CHECK(code_of(add_partitions(&known, producer, {kA}, kNow)) == code);
    CHECK(code_of(end(&known, producer, Outcome::commit, kNow)) == code);
    CHECK(verify(&known, producer, kA) == code);
  }
  CHECK(code_of(add_partitions(nullptr, kProducer, {kA}, kNow)) == ErrorCode::invalid_producer_id_mapping);
  CHECK(code_of(end(nullptr, kProducer, Outcome::abort, kNow)) == ErrorCode::invalid_producer_id_mapping);
  CHECK(verify(nullptr, kProducer, kA) == ErrorCode::invalid_producer_id_mapping);
}

TEST_CASE("an end is decided once, and the same answer is given again") {
  const auto outcome = GENERATE(Outcome::commit, Outcome::abort);
  const auto other = outcome == Outcome::commit ? Outcome::abort : Outcome::commit;
  const auto known = in_state(TxnStatus::ongoing);
  const auto next = end(&known, kProducer, outcome, kNow).value().value();
  CHECK(next.status == prepared(outcome));
  CHECK(next.partitions == std::set{kA});
  CHECK(code_of(end(&next, kProducer, outcome, kNow)) == ErrorCode::concurrent_transactions);
  CHECK(code_of(end(&next, kProducer, other, kNow)) == ErrorCode::invalid_txn_state);
  const auto over = complete(next, kNow + milliseconds(1));
  CHECK(over.status == completed(outcome));
  CHECK(over.partitions.empty());
  CHECK(over.started == kNow);
  CHECK_FALSE(end(&over, kProducer, outcome, kNow).value());
  CHECK(code_of(end(&over, kProducer, other, kNow)) == ErrorCode::invalid_txn_state);
}

TEST_CASE("what was not begun cannot be ended") {
  const auto known = in_state(TxnStatus::empty);
  CHECK(code_of(end(&known, kProducer, Outcome::commit, kNow)) == ErrorCode::invalid_txn_state);
  CHECK(code_of(end(&known, kProducer, Outcome::abort, kNow)) == ErrorCode::invalid_txn_state);
}

TEST_CASE("a batch is verified against the ongoing transaction") {
  const auto ongoing = in_state(TxnStatus::ongoing);
  CHECK(verify(&ongoing, kProducer, kA) == ErrorCode::none);
  CHECK(verify(&ongoing, kProducer, kB) == ErrorCode::transaction_abortable);
  const auto over = in_state(TxnStatus::complete_commit);
  CHECK(verify(&over, kProducer, kA) == ErrorCode::transaction_abortable);
  const auto decided = in_state(TxnStatus::prepare_abort);
  CHECK(verify(&decided, kProducer, kA) == ErrorCode::concurrent_transactions);
}

TEST_CASE("a transaction open for too long is aborted under a higher epoch") {
  const auto known = in_state(TxnStatus::ongoing);
  CHECK_FALSE(time_out(known, kNow + known.timeout));
  const auto next = time_out(known, kNow + known.timeout + milliseconds(1));
  REQUIRE(next);
  CHECK(next->status == TxnStatus::prepare_abort);
  CHECK(next->producer.epoch == ProducerEpoch{4});
  for (const auto status : {TxnStatus::empty, TxnStatus::prepare_commit, TxnStatus::complete_abort})
    CHECK_FALSE(time_out(in_state(status), kNow + std::chrono::hours(24)));
}

TEST_CASE("an id is forgotten after long silence, unless something is open") {
  const milliseconds week = std::chrono::hours(24 * 7);
  for (const auto status : kOver) {
    CHECK_FALSE(is_expired(in_state(status), kNow + week - milliseconds(1), week));
    CHECK(is_expired(in_state(status), kNow + week, week));
  }
  for (const auto status : {TxnStatus::ongoing, TxnStatus::prepare_commit, TxnStatus::prepare_abort})
    CHECK_FALSE(is_expired(in_state(status), kNow + week * 2, week));
}

TEST_CASE("no epoch overflows, whatever a damaged record said") {
  auto known = in_state(TxnStatus::ongoing);
  known.producer.epoch = ProducerEpoch{32767};
  CHECK(made(init(known)).producer.epoch == ProducerEpoch{32767});
}
